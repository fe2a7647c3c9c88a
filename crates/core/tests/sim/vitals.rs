//! What a history plays with that shows whether a program lives: health checks and how they are
//! answered, reloads, and what programs say of themselves. It is sprinkled over a plain history from a
//! random source of its own, so that a plain history stays what it was.

use std::time::Duration;

use abide_core::ANSWER_SLACK;
use abide_model::{HealthCheck, HealthProbe, OnUnhealthy, Policy, Reload, Signal};

use crate::history::{Action, UNITS};
use crate::rng::Rng;

/// Tells this random source from the plain history's.
const SALT: u64 = 0x0076_6974_616c_7321;

/// Something that happens to one unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Vital {
    /// Its rounds of checks are answered so from now on.
    Checks(Answers),
    /// Its reloads are carried out so from now on, and then the program says so much of the confirmation.
    Reloads(Answers, Words),
    /// A person has it reload.
    Reload,
    /// It says that it reloads; and, later, that it is ready.
    SaysReloading,
    /// It says that it is past help.
    Triggers,
    /// It says that it is about to end, and does after this time.
    StopsItself(Option<Duration>),
    /// Another process of it is the main one.
    MainChanges,
    /// It asks for time.
    NeedsTime(Duration),
    /// It says how often it owes a beat.
    Owes(Duration),
}

/// How an effect is answered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Answers {
    Good,
    Bad,
    Either,
    /// After its time.
    Late,
    Lost,
    /// And otherwise the second time.
    Twice,
}

impl Answers {
    const ALL: [Self; 6] = [
        Self::Good,
        Self::Bad,
        Self::Either,
        Self::Late,
        Self::Lost,
        Self::Twice,
    ];

    /// After which time each answer comes, and whether it is a good one.
    pub fn of(self, within: Duration, rng: &mut Rng) -> Vec<(Duration, bool)> {
        let quick = rng.millis(u64::try_from(within.as_millis()).expect("short"));
        match self {
            Self::Good => vec![(quick, true)],
            Self::Bad => vec![(quick, false)],
            Self::Either => vec![(quick, rng.chance(50))],
            Self::Late => {
                let late = within + ANSWER_SLACK + rng.millis(8000);
                vec![(late, rng.chance(50))]
            }
            Self::Lost => vec![],
            Self::Twice => {
                let good = rng.chance(50);
                vec![(quick, good), (quick + rng.millis(6000), !good)]
            }
        }
    }
}

/// How much of `RELOADING=1`, `READY=1` a program says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Words {
    None,
    First,
    Both,
}

/// Puts actions between those of a plain history.
pub fn sprinkle(seed: u64, plain: Vec<Action>) -> Vec<Action> {
    let mut rng = Rng::new(seed ^ SALT);
    // Of some histories the checks are all that is the matter, so that long rows of them are seen.
    let often = if rng.chance(30) { 60 } else { 20 };
    let mut actions = Vec::new();
    for action in plain {
        actions.push(action);
        while rng.chance(often) {
            let unit = usize::try_from(rng.below(UNITS as u64)).expect("small");
            actions.push(Action::Vital(unit, vital(&mut rng)));
        }
    }
    actions
}

fn vital(rng: &mut Rng) -> Vital {
    match rng.below(20) {
        0..7 => Vital::Checks(*rng.pick(&Answers::ALL)),
        7 | 8 => Vital::Reloads(
            *rng.pick(&Answers::ALL),
            *rng.pick(&[Words::None, Words::First, Words::Both, Words::Both]),
        ),
        9..12 => Vital::Reload,
        12 => Vital::SaysReloading,
        13 => Vital::Triggers,
        14 | 15 => Vital::StopsItself(rng.chance(60).then(|| rng.millis(8000))),
        16 => Vital::MainChanges,
        17 | 18 => Vital::NeedsTime(rng.millis(9000)),
        _ => Vital::Owes(*rng.pick(&[
            Duration::ZERO,
            Duration::from_secs(3),
            Duration::from_secs(20),
        ])),
    }
}

/// Gives a unit of the file with this seed checks and a reload, or not.
pub fn enrich(seed: u64, index: usize, policy: &mut Policy) {
    let mut rng = Rng::new((seed ^ SALT).wrapping_add(index as u64));
    if rng.chance(60) {
        policy.health = Some(HealthCheck {
            probes: vec![HealthProbe::Tcp("127.0.0.1:1".into())],
            every: *rng.pick(&[Duration::from_secs(2), Duration::from_secs(10)]),
            timeout: *rng.pick(&[Duration::from_secs(1), Duration::from_secs(3)]),
            misses: 1 + u32::try_from(rng.below(3)).expect("small"),
            grace: *rng.pick(&[
                Duration::ZERO,
                Duration::from_secs(5),
                Duration::from_secs(20),
            ]),
            on_unhealthy: *rng.pick(&[
                OnUnhealthy::Restart,
                OnUnhealthy::Restart,
                OnUnhealthy::Mark,
            ]),
        });
    }
    if rng.chance(60) {
        policy.reload = Some(Reload {
            confirm: rng.chance(50),
            within: *rng.pick(&[Duration::from_secs(1), Duration::from_secs(10)]),
            ..Reload::signal(Signal::HUP)
        });
    }
}
