//! What a keeper says, as its daemon understands it.

use abide_model::{Mono, Signal};

use super::wire::{Frame, Kind, OLDEST, VERSION};
use super::{Death, KeeperEvent, LinkError, Table, UpgradeFailure};
use crate::exit::from_wait_status;
use crate::handle::Handle;

/// What a frame of a table was.
pub(super) enum Told {
    /// The version that both ends speak from now on.
    Version(u32),
    /// It is in the table.
    Entry,
    /// The table is complete.
    All,
    /// No part of a table.
    Other,
}

impl Table {
    /// Takes in a frame of the answer to `HELLO`, and what came with it.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        handle: Option<Handle>,
    ) -> Result<Told, LinkError> {
        match frame.kind {
            Kind::WELCOME => {
                let version = frame.unit;
                if !(OLDEST..=VERSION).contains(&version) {
                    return Err(LinkError::Version {
                        theirs: version,
                        ours: VERSION,
                    });
                }
                let [keeper, starts, safe_mode, keeper_version] = frame.numbers;
                (self.keeper, self.starts) = (keeper, starts);
                self.safe_mode = safe_mode != 0;
                self.keeper_version = keeper_version;
                return Ok(Told::Version(version));
            }
            Kind::ROLLED_BACK => self.rolled_back = UpgradeFailure::from_numbers(frame.numbers),
            Kind::DIED => {
                let [deaths, ..] = frame.numbers;
                self.died = Some(Death {
                    at: Mono(frame.run),
                    status: from_wait_status(frame.unit.cast_signed()),
                    deaths,
                });
            }
            // The system drops what there is no room for. The keeper still has it: better no daemon
            // now than one that takes it for lost.
            Kind::HOLD => match handle {
                Some(handle) => self.descriptors.push((frame.key(), handle)),
                None => return Err(LinkError::NoRoom),
            },
            Kind::RUN => self.runs.extend(frame.entry()),
            Kind::END => return Ok(Told::All),
            _ => return Ok(Told::Other),
        }
        Ok(Told::Entry)
    }
}

/// What is not known is ignored: the keeper may be newer.
pub(super) fn event(frame: &Frame) -> Option<KeeperEvent> {
    let (unit, run) = frame.id();
    let [_, signal, ..] = frame.numbers;
    Some(match frame.kind {
        Kind::RUN => KeeperEvent::Exit(frame.entry()?),
        Kind::STOPPED => KeeperEvent::Stopped {
            unit,
            run,
            signal: Signal(signal.cast_signed()),
        },
        Kind::ASKED => KeeperEvent::Asked(Signal(signal.cast_signed())),
        Kind::HAPPENED => {
            let (event, at) = frame.event()?;
            KeeperEvent::Happened { event, at }
        }
        Kind::CONTINUED => KeeperEvent::Continued { unit, run },
        Kind::YIELD => KeeperEvent::Yield,
        Kind::UPGRADE_FAILED => {
            KeeperEvent::UpgradeFailed(UpgradeFailure::from_numbers(frame.numbers)?)
        }
        Kind::RENEWED => KeeperEvent::Renewed {
            version: frame.unit,
        },
        Kind::NOT_RENEWED => KeeperEvent::NotRenewed {
            errno: frame.unit.cast_signed(),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use abide_model::{SessionEvent, Wall};

    use super::*;

    #[test]
    fn what_happened_to_the_machine_arrives_with_its_time_and_what_is_not_known_is_passed_over() {
        let happened = abide_model::MachineEvent::Session {
            change: SessionEvent::Other(11),
            session: u32::MAX,
        };
        let at = Wall(1_766_000_000_123_456_789);
        let numbers = [11, u32::MAX, 0, 0];
        let frame = Frame {
            run: at.0.cast_unsigned(),
            ..Frame::new(Kind(24), 14, numbers)
        };
        let read = Frame::from_bytes(frame.to_bytes());
        let told = KeeperEvent::Happened {
            event: happened,
            at,
        };
        assert_eq!(event(&read), Some(told));
        // A control of a later version, and a kind that an older daemon has no word for.
        assert_eq!(event(&Frame { unit: 99, ..frame }), None);
        let kind = Kind(1024);
        assert_eq!(event(&Frame { kind, ..frame }), None);
    }
}
