//! What befalls a home in one round, and at which point.

use super::dice::Dice;
use super::file::{Action, POINTS};

/// Who is struck at a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Victim {
    Passing,
    Daemon,
    Keeper,
    Both,
}

#[derive(Clone, Debug)]
pub enum Fault {
    /// Somebody passes this point, for the so manieth time from now, and somebody is struck.
    Point {
        point: usize,
        action: Action,
        victim: Victim,
        pass: u32,
    },
    /// At whatever they are just doing.
    Random { action: Action, victim: Victim },
    /// Nothing: what is commanded has to come about all the same.
    Peace,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Point {
                point,
                action,
                victim,
                pass,
            } => {
                let name = POINTS[*point].0;
                write!(f, "{action:?} {victim:?} at {name}, pass {pass}")
            }
            Self::Random { action, victim } => write!(f, "{action:?} {victim:?}"),
            Self::Peace => write!(f, "nothing"),
        }
    }
}

/// The points that rounds are made for, and who may be struck at each.
fn victims(point: usize) -> &'static [Victim] {
    use Victim::{Both, Daemon, Keeper, Passing};
    let (name, who, _) = POINTS[point];
    match who {
        // The command line is gone before anybody asks for the others.
        "cli" => &[Passing],
        "child" => &[Daemon, Passing, Both, Keeper],
        "keeper" => &[Passing, Both],
        // There is no keeper to be struck.
        _ if name.starts_with("handover") => &[Passing],
        _ => &[Passing, Both, Keeper],
    }
}

/// Every point with everybody who may be struck there, once, in some order; what was struck goes,
/// what was not comes again.
pub struct Coverage {
    open: Vec<(usize, Victim)>,
    /// How often each point was passed, and somebody struck at it.
    pub passed: Vec<u32>,
    pub struck: Vec<u32>,
    only: Option<String>,
}

impl Coverage {
    pub fn new(only: Option<String>) -> Self {
        Self {
            open: Vec::new(),
            passed: vec![0; POINTS.len()],
            struck: vec![0; POINTS.len()],
            only,
        }
    }

    fn refill(&mut self, dice: &mut Dice) {
        let wanted = |point: &usize| {
            let (name, ..) = POINTS[*point];
            let area = name.split('.').next().unwrap_or(name);
            // Upgrades have rounds of their own.
            area != "upgrade" && self.only.as_ref().is_none_or(|only| only == area)
        };
        let mut all: Vec<(usize, Victim)> = (0..POINTS.len())
            .filter(wanted)
            .flat_map(|point| victims(point).iter().map(move |victim| (point, *victim)))
            .collect();
        // Each point once before any is struck in a second way.
        let mut order: Vec<(u64, u64, (usize, Victim))> = all
            .drain(..)
            .map(|(point, victim)| {
                let way = victims(point).iter().position(|v| *v == victim);
                (
                    way.unwrap_or(0) as u64,
                    dice.below(1 << 20),
                    (point, victim),
                )
            })
            .collect();
        order.sort_by_key(|(way, random, _)| std::cmp::Reverse((*way, *random)));
        self.open = order.into_iter().map(|(_, _, what)| what).collect();
    }

    /// What befalls a home next.
    pub fn next(&mut self, dice: &mut Dice) -> Fault {
        if self.only.is_none() && dice.one_in(6) {
            return Fault::Random {
                action: if dice.one_in(4) {
                    Action::Stop
                } else {
                    Action::Kill
                },
                victim: *dice.pick(&[Victim::Daemon, Victim::Keeper, Victim::Both]),
            };
        }
        if self.only.is_none() && dice.one_in(30) {
            return Fault::Peace;
        }
        if self.open.is_empty() {
            self.refill(dice);
        }
        let Some((point, victim)) = self.open.pop() else {
            return Fault::Peace;
        };
        // Who is stopped is nobody's to continue, but for a daemon, which is its keeper's.
        let (name, who, _) = POINTS[point];
        let own = victim == Victim::Passing && who == "daemon" && !name.starts_with("handover");
        let stop = own && dice.one_in(12);
        // The others are passed once in a round.
        let area = name.split('.').next().unwrap_or(name);
        let often = ["spawn", "exit", "store", "capture", "rotate", "pack"].contains(&area);
        Fault::Point {
            point,
            action: if stop { Action::Stop } else { Action::Kill },
            victim,
            pass: if often && dice.one_in(3) { 2 } else { 1 },
        }
    }

    /// It was not struck: later again.
    pub fn again(&mut self, point: usize, victim: Victim) {
        self.open.insert(0, (point, victim));
    }

    pub fn never_struck(&self) -> Vec<&'static str> {
        (0..POINTS.len())
            .filter(|point| self.struck[*point] == 0)
            .map(|point| POINTS[point].0)
            .collect()
    }
}
