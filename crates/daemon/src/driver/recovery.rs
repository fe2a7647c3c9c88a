//! What is told of the time in which there was no daemon: since when, what died, and what became of the runs.

use std::time::UNIX_EPOCH;

use abide_core::{Observed, ObservedState};
use abide_model::{Died, EventKind, ExitStatus, Now, Wall};
use abide_platform::exit::is_shortage;
use abide_platform::keeper::{LinkError, Table};

use super::start::StartError;
use crate::api::rfc3339;
use crate::home::Home;

/// How a daemon begins.
pub struct Gap {
    /// Nothing was ever written down here.
    pub first: bool,
    /// The one before went down as it was asked to.
    pub halted: bool,
    /// That was since the machine was started.
    pub same_boot: bool,
    /// This one took over from one that lived.
    pub successor: bool,
    /// When the one before last wrote something down.
    pub last_seen: Option<Wall>,
    /// What was found.
    pub census: Census,
}

/// What became of the runs meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Alive.
    pub adopted: u32,
    /// Ended.
    pub ended: u32,
    /// Of those: nobody knows how.
    pub unknown: u32,
    /// Of those: nobody held their output.
    pub unheld: u32,
}

impl Census {
    pub fn of(observed: &[Observed]) -> Self {
        let mut census = Self::default();
        for run in observed {
            let (status, unheld) = match &run.state {
                ObservedState::Alive { .. } => {
                    census.adopted += 1;
                    continue;
                }
                ObservedState::Exited(status) => (status, false),
                ObservedState::ExitedUnheld(status) => (status, true),
            };
            census.ended += 1;
            census.unknown += u32::from(*status == ExitStatus::Unknown);
            census.unheld += u32::from(unheld);
        }
        census
    }
}

impl Gap {
    /// The event that tells of it.
    pub fn told(&self, table: &Table, now: Now) -> EventKind {
        let pid = std::process::id();
        let fresh = self.first || self.halted;
        if fresh && self.census.adopted == 0 {
            return EventKind::DaemonStarted {
                version: env!("CARGO_PKG_VERSION").into(),
                pid,
            };
        }
        let died = if !self.same_boot {
            Died::Machine
        } else if table.starts > 1 || self.successor {
            Died::Daemon
        } else if table.descriptors.is_empty() {
            Died::Both
        } else {
            // Who else would have given them to a keeper that is new?
            Died::Keeper
        };
        let death = table.died.as_ref().filter(|_| died == Died::Daemon);
        let last_seen = self.last_seen.filter(|_| death.is_none());
        EventKind::DaemonRecovered {
            pid,
            adopted: self.census.adopted,
            died,
            died_at: death.map(|death| rfc3339(now.wall_at(death.at))),
            died_by: death.map(|death| death.status.clone()),
            last_seen_at: last_seen.map(rfc3339),
            deaths: death.map_or(0, |death| death.deaths),
            ended: self.census.ended,
            ended_unknown: self.census.unknown,
            output_may_be_lost: self.census.unheld,
        }
    }
}

/// When a daemon last wrote down what it did, as the files of state and events tell. To be asked before they
/// are opened. What only went into a log is not looked for: there may be thousands of those, and a disk
/// under them that hangs.
pub fn last_seen(home: &Home) -> Option<Wall> {
    let files = [home.state(), home.events()]
        .into_iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flatten();
    let written = files.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    let since = written.max()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Wall)
}

impl StartError {
    /// It is worth trying again.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        match self {
            Self::Doubt(_) | Self::Short(_) | Self::Keeper(LinkError::NoRoom) => true,
            Self::Home(source)
            | Self::Keeper(LinkError::Io(source))
            | Self::State { source, .. }
            | Self::System { source, .. } => is_shortage(source),
            Self::Lock(_) | Self::Keeper(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use abide_model::{Mono, RunId, UnitId};
    use abide_platform::keeper::{Death, Key};

    use super::*;
    use crate::events::in_words;

    fn gap() -> Gap {
        let states = [
            ObservedState::Alive { pid: 7 },
            ObservedState::Alive { pid: 8 },
            ObservedState::Exited(ExitStatus::Code(3)),
        ];
        let observed = (1..).zip(states).map(|(unit, state)| Observed {
            unit: UnitId(unit),
            run: RunId(1),
            state,
        });
        let observed: Vec<_> = observed.collect();
        Gap {
            first: false,
            halted: false,
            same_boot: true,
            successor: false,
            last_seen: Some(Wall(1_767_225_600_123_000_000)),
            census: Census::of(&observed),
        }
    }

    fn now() -> Now {
        Now {
            mono: Mono(9_000_000_000),
            wall: Wall(1_767_225_604_000_000_000),
        }
    }

    fn words(gap: &Gap, table: &Table) -> String {
        let text = in_words(&gap.told(table, now()));
        // With the word before it: a number alone may be part of a date.
        let own = format!("process {}", std::process::id());
        text.replace(&own, "process PID")
    }

    #[test]
    fn of_a_daemon_that_died_it_is_told_when_and_how() {
        let status = ExitStatus::Signal {
            signal: abide_model::Signal::KILL,
            core: false,
        };
        let mut table = Table {
            starts: 2,
            died: Some(Death {
                at: Mono(8_000_000_000),
                status,
                deaths: 1,
            }),
            ..Table::default()
        };
        assert_eq!(
            words(&gap(), &table),
            "the daemon was killed by SIGKILL at 2026-01-01T00:00:03.000Z; the daemon came back as process PID and adopted 2 runs; 1 ended meanwhile"
        );
        if let Some(death) = &mut table.died {
            (death.status, death.deaths) = (ExitStatus::Code(101), 3);
        }
        assert_eq!(
            words(&gap(), &table),
            "the daemon ended with exit 101 at 2026-01-01T00:00:03.000Z, and 2 after it before one was ready; the daemon came back as process PID and adopted 2 runs; 1 ended meanwhile"
        );
        table.died = None;
        assert!(
            words(&gap(), &table).starts_with("the daemon died and was last seen at 2026-01-01T"),
            "a keeper of before that was told"
        );
    }

    #[test]
    fn where_nobody_saw_it_the_last_sign_of_life_is_told() {
        let alone = Table {
            starts: 1,
            ..Table::default()
        };
        let mut both = gap();
        both.census = Census {
            adopted: 1,
            ended: 3,
            unknown: 1,
            unheld: 2,
        };
        assert_eq!(
            words(&both, &alone),
            "keeper and daemon died after 2026-01-01T00:00:00.123Z, when they were last seen; the daemon came back as process PID and adopted 1 run; 3 ended meanwhile, how is unknown of 1; what 2 of them wrote last may be lost"
        );
        let mut machine = gap();
        (machine.same_boot, machine.census) = (false, Census::default());
        assert_eq!(
            words(&machine, &alone),
            "the machine was restarted after 2026-01-01T00:00:00.123Z, when abide was last seen; the daemon came back as process PID and adopted 0 runs"
        );
        let null = tempfile::tempfile().expect("a file");
        let key = Key {
            kind: 1,
            unit: 1,
            sub: 0,
        };
        let given = Table {
            starts: 1,
            descriptors: vec![(key, null.into())],
            ..Table::default()
        };
        assert!(
            words(&gap(), &given).starts_with(
                "the keeper died at about 2026-01-01T00:00:00.123Z, and a new one took over; "
            ),
            "its daemon handed over what it had"
        );
    }

    #[test]
    fn a_daemon_that_begins_where_none_died_only_started() {
        for (first, halted) in [(true, false), (false, true)] {
            let census = Census::default();
            let begins = Gap {
                first,
                halted,
                census,
                ..gap()
            };
            let told = begins.told(&Table::default(), now());
            assert_eq!(told.name(), "daemon_started");
        }
    }
}
