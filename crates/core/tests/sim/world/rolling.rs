//! The driver's two versions of a unit, and the world's versions that are no good.

use abide_core::{Command, Turn, UnitRecord};
use abide_model::{OperationKind, UnitId};

use crate::history::{Roll, UNITS, fleet, unit_name};
use crate::watch::Violation;
use crate::world::World;

/// What the driver would run of a unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Launch {
    pub now: u64,
    /// Until a rolling `Apply` is settled: before it, and after.
    pub held: Option<(u64, u64)>,
}

impl Launch {
    fn of(record: &UnitRecord) -> Self {
        let now = record.policy.launch_digest;
        match record.rolling.as_ref().map(|part| &part.turn) {
            // What the journal has as the unit's spec is what it had before.
            Some(Turn::Begun {
                previous: Some(old),
                ..
            }) => Self {
                now: old.launch_digest,
                held: Some((old.launch_digest, now)),
            },
            Some(Turn::Waiting { next: Some(next) }) => Self {
                now,
                held: Some((now, next.launch_digest)),
            },
            _ => Self { now, held: None },
        }
    }
}

impl World {
    pub(super) fn roll(&mut self, roll: &Roll) -> Result<(), Violation> {
        match roll {
            Roll::Restart(units, plan) => {
                let units = self.known(units);
                self.command(Command::RestartRolling { units, plan: *plan })
            }
            Roll::Apply {
                version,
                seed,
                rolling,
            } => {
                for index in 0..UNITS {
                    self.id_of(&unit_name(index));
                }
                let defs = fleet(*version, *seed, |name| self.ids[name]);
                self.command(Command::Apply {
                    kind: OperationKind::Up,
                    sources: vec![("0.toml".into(), defs)],
                    rolling: *rolling,
                })
            }
            Roll::Bad(version, badness) => {
                match badness {
                    Some(badness) => self.bad_versions.insert(*version, *badness),
                    None => self.bad_versions.remove(version),
                };
                Ok(())
            }
        }
    }

    /// Before the core hears of an `Apply`: the specs that come with it.
    pub(super) fn stage(&mut self, command: &Command) {
        let Command::Apply {
            sources, rolling, ..
        } = command
        else {
            return;
        };
        let taken = match rolling {
            Some(_) => self.core.check_rolling(sources).is_ok(),
            None => self.core.plan(sources).is_ok(),
        };
        for def in sources.iter().flat_map(|(_, defs)| defs).filter(|_| taken) {
            let new = def.policy.launch_digest;
            let launch = self.launches.entry(def.id);
            let held_back = rolling.is_some() && self.core.unit(def.id).is_some();
            launch
                .and_modify(|launch| {
                    *launch = if held_back {
                        Launch {
                            now: launch.now,
                            held: Some((launch.now, new)),
                        }
                    } else {
                        Launch {
                            now: new,
                            held: None,
                        }
                    };
                })
                .or_insert(Launch {
                    now: new,
                    held: None,
                });
        }
    }

    pub(super) fn advance(&mut self, unit: UnitId) {
        if let Some(launch) = self.launches.get_mut(&unit)
            && let Some((_, new)) = launch.held
        {
            launch.now = new;
        }
    }

    pub(super) fn revert(&mut self, unit: UnitId) {
        if let Some(launch) = self.launches.get_mut(&unit)
            && let Some((old, _)) = launch.held.take()
        {
            launch.now = old;
        }
    }

    pub(super) fn settle_version(&mut self, unit: UnitId) {
        if let Some(launch) = self.launches.get_mut(&unit) {
            launch.held = None;
        }
    }

    /// What a new driver reads in the journal.
    pub(super) fn read_launches(&mut self) {
        self.launches = self
            .disk
            .units
            .values()
            .map(|record| (record.id, Launch::of(record)))
            .collect();
    }
}
