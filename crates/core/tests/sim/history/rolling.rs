//! Histories of a fleet that is restarted, and gets new versions, a few units at a time.

use std::time::Duration;

use abide_core::UnitDef;
use abide_model::{
    Backoff, BackoffCurve, Policy, ProbeKind, Ready, Restart, Rolling, UnitId, UnitName, UnitType,
};

use super::{Action, History, Nature, UNITS, one, random_policy, some, unit_name};
use crate::rng::Rng;

/// What happens with a fleet.
#[derive(Clone, Debug)]
pub enum Roll {
    Restart(Vec<usize>, Rolling),
    /// The fleet's file is applied in this version.
    Apply {
        version: u64,
        seed: u64,
        rolling: Option<Rolling>,
    },
    /// From now on this version is no good, or again good.
    Bad(u64, Option<Badness>),
}

/// What is the matter with a version.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Badness {
    NeverReady,
    EndsAfter(Duration),
}

/// The versions that there are.
const VERSIONS: u64 = 4;

impl History {
    /// A history with little else than rolling operations, and deaths of the daemon.
    pub fn rolling(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0070_1110);
        let mut actions = vec![
            apply(&mut rng, false),
            Action::Pass(Duration::from_secs(20)),
        ];
        while actions.len() < super::ACTIONS {
            let action = roll(&mut rng);
            actions.push(action);
        }
        Self {
            seed,
            actions,
            parts: super::Parts::EACH[0],
        }
    }
}

fn plan(rng: &mut Rng) -> Rolling {
    Rolling {
        first: *rng.pick(&[1, 20, 50, 100]),
        hold: *rng.pick(&[
            Duration::ZERO,
            Duration::from_secs(3),
            Duration::from_secs(20),
        ]),
    }
}

fn apply(rng: &mut Rng, rolling: bool) -> Action {
    Action::Roll(Roll::Apply {
        version: 1 + rng.below(VERSIONS),
        seed: rng.next(),
        rolling: rolling.then(|| plan(rng)),
    })
}

fn roll(rng: &mut Rng) -> Action {
    match rng.below(100) {
        0..26 => Action::Pass(rng.millis(15_000)),
        26..46 => Action::NextDeadline,
        46..51 => {
            let units = if rng.chance(60) {
                (0..UNITS).collect()
            } else {
                some(rng)
            };
            Action::Roll(Roll::Restart(units, plan(rng)))
        }
        51..59 => apply(rng, true),
        59..60 => apply(rng, false),
        60..70 => {
            let bad = match rng.below(4) {
                0 => Some(Badness::NeverReady),
                1 => Some(Badness::EndsAfter(rng.millis(12_000))),
                _ => None,
            };
            Action::Roll(Roll::Bad(1 + rng.below(VERSIONS), bad))
        }
        70..75 => Action::Exit(one(rng), 1),
        75..79 => Action::Nature(
            one(rng),
            if rng.chance(70) {
                Nature::GOOD
            } else {
                Nature::random(rng)
            },
        ),
        79..81 => Action::Start(some(rng)),
        81..83 => Action::Stop(some(rng)),
        83..84 => Action::Restart(some(rng)),
        84..85 if rng.chance(30) => Action::Remove(some(rng)),
        84..85 if rng.chance(30) => Action::Down,
        85..97 => Action::DaemonDies {
            after: if rng.chance(40) { 0 } else { rng.below(20) },
            reboot: rng.chance(10),
            keeper_too: rng.chance(10),
        },
        97..99 => Action::Again(rng.next()),
        _ => Action::Oversleep(rng.millis(30_000)),
    }
}

/// The fleet's file in one version.
pub fn fleet(version: u64, seed: u64, id_of: impl Fn(&UnitName) -> UnitId) -> Vec<UnitDef> {
    let mut rng = Rng::new(seed);
    let mut defs = Vec::new();
    for index in 0..UNITS {
        if rng.chance(8) {
            continue;
        }
        let mut policy = Policy {
            unit_type: UnitType::Service,
            enabled: !rng.chance(5),
            restart: *rng.pick(&[Restart::Always, Restart::Always, Restart::OnFailure]),
            backoff: Backoff::Exponential(BackoffCurve {
                initial: Duration::from_millis(200),
                factor: 2.0,
                max: Duration::from_secs(5),
                jitter: 0.1,
                reset_after: Duration::from_secs(5),
            }),
            give_up: None,
            ready: Some(Ready {
                within: *rng.pick(&[Duration::from_secs(2), Duration::from_secs(5)]),
                probe: ProbeKind::Notify,
            }),
            heartbeat: None,
            launch_digest: version,
            ..random_policy(&mut rng)
        };
        if index > 0 && rng.chance(10) {
            let other = usize::try_from(rng.below(index as u64)).expect("small");
            policy.requires.push(unit_name(other));
        }
        let name = unit_name(index);
        defs.push(UnitDef {
            id: id_of(&name),
            name,
            policy,
        });
    }
    defs
}
