//! The daemon is killed at random instants, again and again, while units run, crash and write; then keeper and
//! daemon at once. `cargo xtask windows --survival` does it for long.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::shop::{Shop, Unit, kill, lives, pause_for, running, wait_until};

/// Those that nobody has any reason to start a second time.
const STEADY: [&str; 8] = ["b", "c", "d", "e", "f", "g", "h", "i"];

/// How often the daemon is killed, unless this variable says otherwise.
const KILLS: (&str, u64) = ("ABIDE_TEST_KILLS", 10);
/// How many lines are written at least.
const LINES: (&str, u64) = ("ABIDE_TEST_LINES", 4_000);
/// How often keeper and daemon are killed at once.
const BOTH: (&str, u64) = ("ABIDE_TEST_BOTH", 2);

fn of((variable, usual): (&str, u64)) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(usual, |text| text.parse().expect("a number"))
}

/// Random instants (xorshift64*); which ones a failure has to be asked with is of no use, as they are never met twice.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(now.expect("after 1970").as_nanos() as u64 | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
    }
}

/// What is guarded, and what has become of it so far.
struct Trial {
    shop: Shop,
    dice: Dice,
    /// Processes of the units that must not change.
    pids: HashMap<&'static str, Value>,
    crashes: u64,
}

impl Trial {
    fn begin(lines: u64) -> Self {
        let shop = Shop::new();
        let counter = format!("counter {lines}");
        let mut units: Vec<Unit<'_>> = STEADY.map(|name| (name, "steady", "")).to_vec();
        // Small segments, all of which are kept, so that it is killed over the change from one to the next, too.
        let log = "log = { max_size = \"256K\", keep = 1000 }";
        units.push(("counter", &counter, log));
        units.push(("fragile", "fragile", "backoff = \"none\""));
        shop.configure_listening(&units);
        shop.ask(&["up"]);
        let pids = HashMap::new();
        let mut trial = Self {
            shop,
            dice: Dice::new(),
            pids,
            crashes: 0,
        };
        for name in STEADY.into_iter().chain(["counter"]) {
            let pid = trial.shop.unit(name)["pid"].clone();
            trial.pids.insert(name, pid);
        }
        for name in STEADY.into_iter().chain(["counter", "fragile"]) {
            wait_until("its program", || trial.shop.starts(name).first().copied());
        }
        trial
    }

    /// The daemon that answers, and its keeper.
    fn daemon(&self) -> (u32, u32) {
        let status = wait_until("a daemon", || self.shop.get("/v1/daemon"));
        (number(&status["pid"]), number(&status["keeper_pid"]))
    }

    fn kill_the_daemon(&mut self) {
        let (daemon, _) = self.daemon();
        // Often enough at the very beginning, where it takes over what the one before has left.
        if self.dice.below(4) > 0 {
            pause_for(Duration::from_millis(self.dice.below(400)));
        }
        let crash = self.dice.below(4);
        if crash == 0 {
            self.crash();
            pause_for(Duration::from_millis(self.dice.below(30)));
        }
        kill(daemon);
        if crash == 1 {
            self.crash();
        }
        wait_until("another daemon", || {
            let status = self.shop.get("/v1/daemon")?;
            (number(&status["pid"]) != daemon).then_some(())
        });
        if crash < 2 {
            self.expect_crash();
        }
        self.expect_no_other_process();
    }

    /// With another code each time.
    fn crash(&mut self) {
        self.crashes += 1;
        self.shop.write("crash now", &self.code().to_string());
    }

    fn code(&self) -> u64 {
        10 + self.crashes % 100
    }

    fn expect_crash(&self) {
        let unit = self.shop.wait_for("fragile", |unit| {
            unit["last_exit"]["code"] == self.code() && running(unit)
        });
        self.expect_another_fragile();
        assert_eq!(unit["restarts"], self.crashes, "{unit:#}");
    }

    /// The successor has begun, which takes a while.
    fn expect_another_fragile(&self) {
        wait_until("the successor", || {
            let begun = self.shop.starts("fragile").len() as u64;
            (begun > self.crashes).then_some(())
        });
    }

    fn expect_no_other_process(&self) {
        let units = wait_until("an answer", || self.shop.get("/v1/units"));
        let units = units.as_array().expect("a list");
        for (name, pid) in &self.pids {
            let unit = units.iter().find(|unit| unit["name"] == *name);
            let unit = unit.unwrap_or_else(|| panic!("there is no {name}"));
            assert_eq!(unit["pid"], *pid, "{unit:#}\n{}", self.shop.daemon_log());
            assert_eq!(unit["restarts"], 0, "{unit:#}");
            assert!(lives(number(pid)), "{unit:#}");
        }
    }

    /// Each unit has begun as often as it should, by what its programs have noted themselves.
    fn expect_one_copy_of_each(&self) {
        for name in self.pids.keys() {
            assert_eq!(self.shop.starts(name).len(), 1, "{name} was doubled");
        }
        let begun = self.shop.starts("fragile");
        assert_eq!(begun.len() as u64, self.crashes + 1, "{begun:?}");
        assert_eq!(self.shop.alive("fragile").len(), 1, "{begun:?}");
    }

    fn kill_both(&mut self) {
        let (daemon, keeper) = self.daemon();
        pause_for(Duration::from_millis(self.dice.below(300)));
        let mut victims = [keeper, daemon];
        if self.dice.below(2) == 0 {
            victims.reverse();
        }
        for victim in victims {
            kill(victim);
        }
    }
}

fn number(value: &Value) -> u32 {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.unwrap_or_else(|| panic!("no process: {value}"))
}

#[test]
fn a_daemon_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let mut trial = Trial::begin(of(LINES));
    let kills = of(KILLS);
    for _ in 0..kills {
        trial.kill_the_daemon();
    }
    trial.expect_one_copy_of_each();
    let (lines, lost, doubled) = trial.shop.lines();
    println!(
        "{kills} deaths of the daemon: {lines} lines, {lost} lost, {doubled} doubled; {} exits known",
        trial.crashes
    );
    assert_eq!((lost, doubled), (0, 0));
    trial.shop.ask(&["down"]);
}

#[test]
fn what_runs_on_while_keeper_and_daemon_are_both_gone_is_kept_with_its_output() {
    let mut trial = Trial::begin(LINES.1);
    let deaths = of(BOTH);
    for _ in 0..deaths {
        trial.kill_both();
        // Written while nobody is there.
        pause_for(Duration::from_millis(trial.dice.below(300)));
        trial.shop.ask(&["up"]);
        trial.expect_no_other_process();
    }
    trial.expect_one_copy_of_each();

    // One that ends in the gap: that it did is known, not how; what it wrote last goes with it.
    trial.kill_both();
    trial.crash();
    wait_until("its end", || {
        trial.shop.alive("fragile").is_empty().then_some(())
    });
    trial.shop.ask(&["up"]);
    let unit = trial.shop.wait_for("fragile", |unit| {
        running(unit) && !unit["last_exit"].is_null()
    });
    assert_eq!(unit["last_exit"]["output_may_be_lost"], true, "{unit:#}");
    trial.expect_another_fragile();
    trial.expect_one_copy_of_each();

    let (lines, lost, doubled) = trial.shop.lines();
    println!(
        "{} deaths of both: {lines} lines, {lost} lost, {doubled} doubled",
        deaths + 1
    );
    assert_eq!((lost, doubled), (0, 0));
    trial.shop.ask(&["down"]);
}
