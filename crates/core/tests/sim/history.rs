//! What happens in a history: a list of actions, each of which makes sense in any state, so that
//! a history stays one when actions are left out of it.

use std::time::Duration;

use abide_core::UnitDef;
use abide_model::{
    Backoff, BackoffCurve, GiveUp, Heartbeat, Policy, ProbeKind, Ready, Restart, Signal,
    StopAction, StopPlan, StopStep, SuccessExit, UnitId, UnitName, UnitType,
};

use crate::around::{self, Around};
use crate::rng::Rng;
use crate::vitals::{self, Vital};

mod rolling;

pub use rolling::{Badness, Roll, fleet};

/// Actions per history.
pub const ACTIONS: usize = 240;
/// The units that a history plays with.
pub const UNITS: usize = 7;
/// No stop plan of a history takes longer.
pub const LONGEST_STOP: Duration = Duration::from_secs(6);

#[derive(Clone, Debug)]
pub struct History {
    pub seed: u64,
    pub actions: Vec<Action>,
    pub parts: Parts,
}

/// What is sprinkled over a plain history, each from a random source of its own: a seed that failed once
/// gives what it gave then, whatever was added since.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Hooks and sockets.
    pub around: bool,
    /// Health, what programs say, and reloads.
    pub vitals: bool,
}

impl Parts {
    /// Everything there is.
    pub const ALL: Self = Self {
        around: true,
        vitals: true,
    };

    /// Everything there was at some time.
    pub const EACH: [Self; 4] = [
        Self {
            around: false,
            vitals: false,
        },
        Self {
            around: true,
            vitals: false,
        },
        Self {
            around: false,
            vitals: true,
        },
        Self::ALL,
    ];
}

#[derive(Clone, Debug)]
pub enum Action {
    /// Time passes, deadline by deadline.
    Pass(Duration),
    /// Time passes, and the driver wakes only at the end of it.
    Oversleep(Duration),
    /// To the next deadline of the core.
    NextDeadline,
    /// A file with these units is applied.
    Apply {
        source: usize,
        seed: u64,
        run: bool,
    },
    Start(Vec<usize>),
    Stop(Vec<usize>),
    Restart(Vec<usize>),
    Reset(Vec<usize>),
    Remove(Vec<usize>),
    Enable(Vec<usize>, bool),
    Signal(usize),
    DownSource(usize),
    Down,
    /// The unit's programs behave so from now on.
    Nature(usize, Nature),
    /// The unit's main process ends by itself.
    Exit(usize, i32),
    /// An input that was given before is given again.
    Again(u64),
    /// The driver believes a tree empty that is not yet filled.
    EarlyEmpty(usize),
    /// The daemon dies after so many further effects, and comes back.
    DaemonDies {
        after: u64,
        reboot: bool,
        keeper_too: bool,
    },
    /// Something that happens around the unit's runs.
    Around(usize, Around),
    /// Something that shows whether the unit's program lives.
    Vital(usize, Vital),
    /// Something with a fleet.
    Roll(Roll),
    /// Somebody sets the calendar.
    ClockJump(i64),
    /// The disk is full from now on, or again not.
    DiskFull(bool),
}

/// How a program behaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Nature {
    pub spawn: SpawnNature,
    pub ready_after: Option<Duration>,
    pub beats: bool,
    pub obeys_stop: bool,
    pub exits_after: Option<Duration>,
    pub exit_code: i32,
    /// Its tree outlives a kill for so long.
    pub dies_after: Duration,
    /// What is said of its tree gets lost.
    pub loses_empty: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum SpawnNature {
    Quick,
    Slow,
    Fails,
    Hangs,
}

impl Nature {
    pub const GOOD: Self = Self {
        spawn: SpawnNature::Quick,
        ready_after: Some(Duration::from_millis(50)),
        beats: true,
        obeys_stop: true,
        exits_after: None,
        exit_code: 0,
        dies_after: Duration::ZERO,
        loses_empty: false,
    };

    fn random(rng: &mut Rng) -> Self {
        let spawn = match rng.below(10) {
            0 => SpawnNature::Hangs,
            1 | 2 => SpawnNature::Fails,
            3 | 4 => SpawnNature::Slow,
            _ => SpawnNature::Quick,
        };
        Self {
            spawn,
            ready_after: (!rng.chance(25)).then(|| rng.millis(3000)),
            beats: !rng.chance(30),
            obeys_stop: !rng.chance(30),
            exits_after: rng.chance(40).then(|| rng.millis(8000)),
            exit_code: if rng.chance(50) { 0 } else { 1 },
            dies_after: if rng.chance(20) {
                rng.millis(20_000)
            } else {
                Duration::ZERO
            },
            loses_empty: rng.chance(10),
        }
    }
}

pub fn unit_name(index: usize) -> UnitName {
    let letter = char::from(b'a' + u8::try_from(index % UNITS).expect("few units"));
    UnitName::new(&letter.to_string()).expect("a valid name")
}

impl History {
    pub fn generate(seed: u64) -> Self {
        Self::of_length(seed, ACTIONS, Parts::ALL)
    }

    pub fn of_length(seed: u64, length: usize, parts: Parts) -> Self {
        let mut actions = plain(seed, length);
        if parts.around {
            actions = around::sprinkle(seed, actions);
        }
        if parts.vitals {
            actions = vitals::sprinkle(seed, actions);
        }
        Self {
            seed,
            actions,
            parts,
        }
    }
}

fn plain(seed: u64, length: usize) -> Vec<Action> {
    let mut rng = Rng::new(seed);
    let mut actions = vec![
        Action::Apply {
            source: 0,
            seed: rng.next(),
            run: false,
        },
        Action::Apply {
            source: 1,
            seed: rng.next(),
            run: false,
        },
    ];
    // Some histories are calm, so that long rows of crashes are seen undisturbed.
    let calm = rng.chance(40);
    while actions.len() < length {
        let next = action(&mut rng, calm);
        // A full disk excuses much, so that few histories have one.
        if matches!(next, Action::DiskFull(_)) && !seed.is_multiple_of(8) {
            continue;
        }
        actions.push(next);
    }
    actions
}

fn some(rng: &mut Rng) -> Vec<usize> {
    let count = 1 + rng.below(3);
    (0..count).map(|_| one(rng)).collect()
}

fn one(rng: &mut Rng) -> usize {
    usize::try_from(rng.below(UNITS as u64)).expect("small")
}

fn action(rng: &mut Rng, calm: bool) -> Action {
    let kind = rng.below(100);
    if calm && kind >= 62 && rng.chance(85) {
        return if rng.chance(50) {
            Action::Exit(one(rng), 1)
        } else {
            Action::Pass(rng.millis(4000))
        };
    }
    match kind {
        0..20 => Action::Pass(rng.millis(20_000)),
        20..34 => Action::NextDeadline,
        34..37 => Action::Oversleep(rng.millis(60_000)),
        37..52 => Action::Exit(one(rng), i32::try_from(rng.below(3)).expect("small")),
        52..62 => Action::Nature(
            one(rng),
            if rng.chance(40) {
                Nature::GOOD
            } else {
                Nature::random(rng)
            },
        ),
        62..67 => Action::Start(some(rng)),
        67..72 => Action::Stop(some(rng)),
        72..76 => Action::Restart(some(rng)),
        76..78 => Action::Reset(some(rng)),
        78..79 => Action::Remove(some(rng)),
        79..81 => Action::Enable(some(rng), rng.chance(50)),
        81..82 => Action::Signal(one(rng)),
        82..83 if rng.chance(30) => Action::DownSource(one(rng) % 2),
        82..83 => Action::Down,
        83..88 => Action::Apply {
            source: one(rng) % 2,
            seed: rng.next(),
            run: rng.chance(10),
        },
        88..92 => Action::Again(rng.next()),
        92..94 => Action::EarlyEmpty(one(rng)),
        94..98 => Action::DaemonDies {
            after: if rng.chance(50) { 0 } else { rng.below(12) },
            reboot: rng.chance(25),
            keeper_too: rng.chance(15),
        },
        98..99 => {
            let by = i64::try_from(rng.below(2_000_000_000)).expect("fits") - 1_000_000_000;
            Action::ClockJump(by * 1_000_000)
        }
        _ => Action::DiskFull(rng.chance(50)),
    }
}

/// The units of a source as one version of its file has them. Most versions are valid; some name
/// unknown units, some go in circles, some claim a unit of the other source.
pub fn file(
    source: usize,
    seed: u64,
    parts: Parts,
    id_of: impl Fn(&UnitName) -> UnitId,
) -> Vec<UnitDef> {
    let mut rng = Rng::new(seed);
    let odd = rng.chance(15);
    let own: Vec<usize> = if source == 0 {
        (0..4).collect()
    } else {
        (4..UNITS).collect()
    };
    let mut defs = Vec::new();
    for index in own {
        if rng.chance(12) {
            continue;
        }
        let mut policy = random_policy(&mut rng);
        if parts.around {
            around::enrich(seed, index, &mut policy);
        }
        if parts.vitals {
            vitals::enrich(seed, index, &mut policy);
        }
        for other in 0..index {
            match rng.below(14) {
                0 | 1 => policy.requires.push(unit_name(other)),
                2 => policy.wants.push(unit_name(other)),
                3 => policy.after.push(unit_name(other)),
                _ => {}
            }
        }
        if odd && rng.chance(40) {
            let name = if rng.chance(30) {
                UnitName::new("ghost").expect("valid")
            } else {
                unit_name(usize::try_from(rng.below(UNITS as u64)).expect("small"))
            };
            match rng.below(3) {
                0 => policy.requires.push(name),
                1 => policy.wants.push(name),
                _ => policy.after.push(name),
            }
        }
        let name = unit_name(index);
        defs.push(UnitDef {
            id: id_of(&name),
            name,
            policy,
        });
    }
    if odd && rng.chance(20) {
        let name = unit_name(if source == 0 { 5 } else { 1 });
        defs.push(UnitDef {
            id: id_of(&name),
            name,
            policy: random_policy(&mut rng),
        });
    }
    defs
}

fn random_policy(rng: &mut Rng) -> Policy {
    let backoff = if rng.chance(15) {
        Backoff::None
    } else {
        Backoff::Exponential(BackoffCurve {
            initial: *rng.pick(&[Duration::from_millis(100), Duration::from_secs(1)]),
            factor: *rng.pick(&[1.0, 2.0, 3.0]),
            max: *rng.pick(&[Duration::from_secs(5), Duration::from_secs(30)]),
            jitter: *rng.pick(&[0.0, 0.1, 0.5]),
            reset_after: *rng.pick(&[Duration::from_secs(2), Duration::from_secs(10)]),
        })
    };
    let step = |signal, within| StopStep {
        action: StopAction::Signal(signal),
        within,
    };
    let steps = match rng.below(5) {
        0 => vec![],
        1 => vec![
            step(Signal::INT, Some(Duration::from_secs(1))),
            step(Signal::TERM, None),
        ],
        _ => vec![step(Signal::TERM, None)],
    };
    let probe = ProbeKind::Tcp("127.0.0.1:1".into());
    Policy {
        unit_type: if rng.chance(20) {
            UnitType::Oneshot
        } else {
            UnitType::Service
        },
        enabled: !rng.chance(12),
        restart: *rng.pick(&[
            Restart::Always,
            Restart::Always,
            Restart::OnFailure,
            Restart::Never,
        ]),
        success_exit: SuccessExit::default(),
        backoff,
        give_up: rng.chance(30).then(|| GiveUp {
            restarts: u32::try_from(rng.below(4)).expect("small"),
            within: Duration::from_secs(30),
        }),
        stop: StopPlan {
            steps,
            within: *rng.pick(&[Duration::ZERO, Duration::from_secs(2), LONGEST_STOP]),
        },
        reload: None,
        ready: rng.chance(40).then(|| Ready {
            within: *rng.pick(&[Duration::from_secs(1), Duration::from_secs(5)]),
            probe,
        }),
        heartbeat: rng.chance(25).then(|| Heartbeat {
            every: *rng.pick(&[Duration::from_secs(2), Duration::from_secs(10)]),
            misses: 1 + u32::try_from(rng.below(3)).expect("small"),
            file: None,
        }),
        health: None,
        hooks: abide_model::Hooks::default(),
        socket: None,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        launch_digest: rng.below(2),
    }
}
