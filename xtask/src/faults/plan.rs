//! What befalls a home in one round, and at which point.

use super::dice::Dice;
use super::disk::Place;
use super::file::{Action, POINTS};

/// Who is struck at a point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Victim {
    Passing,
    Daemon,
    Keeper,
    Both,
}

#[derive(Clone, Copy, Debug)]
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
    /// A disk hangs for a while.
    Disk(Place),
    /// Nothing: what is commanded has to come about all the same.
    Peace,
}

impl Fault {
    /// The name of its point.
    pub fn at(&self) -> &'static str {
        match self {
            Self::Point { point, .. } => POINTS[*point].0,
            _ => "",
        }
    }

    /// Whether it leaves nobody, for a while, who holds the pipes: both are struck, or one of the two while
    /// the other is not there, or has nothing yet.
    pub fn leaves_nobody(&self) -> bool {
        match *self {
            Self::Random { action, victim } => action == Action::Kill && victim == Victim::Both,
            Self::Point { action, .. } if action != Action::Kill => false,
            Self::Point { point, victim, .. } => {
                let (name, who, _) = POINTS[point];
                let keeper =
                    victim == Victim::Keeper || (victim == Victim::Passing && who == "keeper");
                victim == Victim::Both
                    || (keeper && NO_DAEMON_HOLDS.contains(&name))
                    || (!keeper && NO_KEEPER_HOLDS.contains(&name))
            }
            Self::Disk(_) | Self::Peace => false,
        }
    }

    /// Who suffers what, in the words of the closing lines.
    pub fn told(&self) -> Option<(&'static str, Action)> {
        match *self {
            Self::Point {
                point,
                action,
                victim,
                ..
            } => Some((whom(point, victim), action)),
            Self::Random { action, victim } => Some((whom(0, victim), action)),
            Self::Disk(place) => Some((place.told(), Action::Hang)),
            Self::Peace => None,
        }
    }
}

fn whom(point: usize, victim: Victim) -> &'static str {
    let (name, who, _) = POINTS[point];
    match (victim, who) {
        (Victim::Both, _) => "keeper and daemon",
        (Victim::Keeper, _) | (Victim::Passing, "keeper") => "keeper",
        (Victim::Passing, "cli") => "command",
        (Victim::Passing, "child") => "child before its program",
        (Victim::Passing, _) if name.starts_with("pack.") => "compressor",
        _ => "daemon",
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Point {
                action,
                victim,
                pass,
                ..
            } => write!(f, "{action:?} {victim:?} at {}, pass {pass}", self.at()),
            Self::Random { action, victim } => write!(f, "{action:?} {victim:?}"),
            Self::Disk(place) => write!(f, "{} hangs", place.told()),
            Self::Peace => write!(f, "nothing"),
        }
    }
}

/// Points at which no daemon has what the keeper has.
const NO_DAEMON_HOLDS: [&str; 11] = [
    "keeper.begin",
    "keeper.fork",
    "keeper.forked",
    "keeper.hello",
    "keeper.table",
    "keeper.gone",
    "keeper.yielded",
    "keeper.rolled-back",
    "adopt.locked",
    "upgrade.left",
    "upgrade.turn",
];

/// Points at which no keeper has what the daemon has; those of `up` are reached by killing both.
const NO_KEEPER_HOLDS: [&str; 4] = [
    "handover.begin",
    "handover.started",
    "cli.launch",
    "cli.launched",
];

/// Passed only while another executable takes over.
pub fn is_of_upgrade(name: &str) -> bool {
    name.starts_with("upgrade.")
        || [
            "keeper.successor",
            "keeper.succeeding",
            "keeper.prepared",
            "keeper.yielded",
            "keeper.rolled-back",
            "keeper.upgraded",
            "keeper.renew",
            "keeper.written",
        ]
        .contains(&name)
}

/// What may happen to whom at a point.
fn ways(point: usize) -> Vec<(Victim, Action)> {
    use Action::{Hang, Kill, Stop};
    use Victim::{Both, Daemon, Keeper, Passing};
    let (name, who, _) = POINTS[point];
    let area = name.split('.').next().unwrap_or(name);
    match (who, area) {
        // The command line is gone before anybody asks for the others.
        ("cli", _) => vec![(Passing, Kill), (Passing, Stop)],
        // One that hangs there is on a program's directory that hangs.
        ("child", _) => vec![
            (Daemon, Kill),
            (Passing, Kill),
            (Both, Kill),
            (Passing, Hang),
            (Keeper, Kill),
        ],
        ("keeper", _) => vec![(Passing, Kill), (Both, Kill), (Passing, Stop)],
        // There is no keeper to be struck.
        (_, "handover") => vec![(Passing, Kill), (Passing, Stop)],
        // A thread of its own, for which a disk may hang.
        (_, "store" | "capture" | "rotate" | "pack" | "keep") => vec![
            (Passing, Kill),
            (Both, Kill),
            (Passing, Hang),
            (Keeper, Kill),
            (Passing, Stop),
        ],
        _ => vec![
            (Passing, Kill),
            (Both, Kill),
            (Keeper, Kill),
            (Passing, Stop),
        ],
    }
}

/// Every point with everything that may happen there, once, in some order; what came about goes,
/// what did not comes again.
pub struct Coverage {
    open: Vec<(usize, Victim, Action)>,
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
        let mut order = Vec::new();
        for (point, (name, ..)) in POINTS.iter().enumerate() {
            let area = name.split('.').next().unwrap_or(name);
            if self.only.as_ref().is_some_and(|only| only != area) {
                continue;
            }
            // Each point once before any is struck in a second way.
            for (way, (victim, action)) in ways(point).into_iter().enumerate() {
                order.push((way, dice.below(1 << 20), (point, victim, action)));
            }
        }
        order.sort_by_key(|(way, random, _)| std::cmp::Reverse((*way, *random)));
        self.open = order.into_iter().map(|(_, _, what)| what).collect();
    }

    /// What befalls a home next; `disks`: its disks can hang.
    pub fn next(&mut self, dice: &mut Dice, disks: bool) -> Fault {
        let disk = |dice: &mut Dice| Fault::Disk(*dice.pick(&Place::ALL));
        match self.only.as_deref() {
            Some("disk") if disks => return disk(dice),
            Some("disk") => return Fault::Peace,
            None if disks && dice.one_in(4) => return disk(dice),
            None if dice.one_in(8) => {
                let kill = !dice.one_in(4);
                return Fault::Random {
                    action: if kill { Action::Kill } else { Action::Stop },
                    victim: *dice.pick(&[Victim::Daemon, Victim::Keeper, Victim::Both]),
                };
            }
            None if dice.one_in(30) => return Fault::Peace,
            _ => {}
        }
        if self.open.is_empty() {
            self.refill(dice);
        }
        let Some((point, victim, action)) = self.open.pop() else {
            return Fault::Peace;
        };
        // The others are passed once in a round.
        let name = POINTS[point].0;
        let area = name.split('.').next().unwrap_or(name);
        let often = ["spawn", "exit", "store", "capture", "rotate", "pack"].contains(&area);
        Fault::Point {
            point,
            action,
            victim,
            pass: if often && dice.one_in(3) { 2 } else { 1 },
        }
    }

    /// It did not come about: later again.
    pub fn again(&mut self, fault: &Fault) {
        if let Fault::Point {
            point,
            victim,
            action,
            ..
        } = *fault
        {
            let soon = if self.struck[point] == 0 {
                self.open.len().saturating_sub(8)
            } else {
                0
            };
            self.open.insert(soon, (point, victim, action));
        }
    }

    pub fn never_struck(&self) -> Vec<&'static str> {
        (0..POINTS.len())
            .filter(|point| self.struck[*point] == 0)
            .map(|point| POINTS[point].0)
            .collect()
    }
}
