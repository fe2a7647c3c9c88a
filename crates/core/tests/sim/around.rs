//! What a history plays with around the runs of a unit: hooks and how they end, sockets and who
//! connects to them. It is sprinkled over a plain history from a random source of its own, so that a
//! plain history stays what it was.

use std::time::Duration;

use abide_model::{Command, Hook, HookKind, Policy, SocketGate};

use crate::history::{Action, UNITS};
use crate::rng::Rng;

/// Tells this random source from the plain history's.
const SALT: u64 = 0x6172_6f75_6e64_2121;

/// Something that happens around one unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Around {
    /// Its hooks end so from now on.
    Hooks(Ends),
    /// Somebody connects to its sockets.
    Connect,
    /// Its programs take connections from now on, or not.
    Takes(bool),
    /// The driver tells of a connection that it saw before it was told to look away.
    LateConnection,
}

/// How a hook ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Ends {
    Well,
    Badly,
    Slowly,
    /// When its time is over.
    Killed,
    /// And nobody hears of it.
    Unheard,
    /// And it is heard of when nobody waits for that any more.
    HeardLate,
}

/// Puts actions between those of a plain history.
pub fn sprinkle(seed: u64, plain: Vec<Action>) -> Vec<Action> {
    let mut rng = Rng::new(seed ^ SALT);
    let mut actions = Vec::new();
    for action in plain {
        actions.push(action);
        while rng.chance(25) {
            let unit = usize::try_from(rng.below(UNITS as u64)).expect("small");
            actions.push(Action::Around(unit, around(&mut rng)));
        }
    }
    actions
}

fn around(rng: &mut Rng) -> Around {
    match rng.below(20) {
        0..6 => Around::Hooks(*rng.pick(&[
            Ends::Well,
            Ends::Badly,
            Ends::Slowly,
            Ends::Killed,
            Ends::Unheard,
            Ends::HeardLate,
        ])),
        6..17 => Around::Connect,
        17 => Around::Takes(rng.chance(60)),
        _ => Around::LateConnection,
    }
}

/// Gives a unit of the file with this seed hooks and sockets, or not.
pub fn enrich(seed: u64, index: usize, policy: &mut Policy) {
    let mut rng = Rng::new((seed ^ SALT).wrapping_add(index as u64));
    if rng.chance(60) {
        for kind in HookKind::ALL {
            if rng.chance(45) {
                let command = Command::Shell("true".into());
                let timeout = *rng.pick(&[Duration::from_secs(1), Duration::from_secs(8)]);
                policy.hooks.0.push((kind, Hook { command, timeout }));
            }
        }
    }
    if rng.chance(40) {
        policy.socket = Some(SocketGate {
            on_connection: rng.chance(60),
            idle_stop: rng
                .chance(50)
                .then_some(*rng.pick(&[Duration::from_secs(3), Duration::from_secs(20)])),
        });
    }
}
