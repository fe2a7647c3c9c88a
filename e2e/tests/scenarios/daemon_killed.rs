//! `kill -9` of the daemon, at random, a hundred times, under a hundred units.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_e2e::{Home, home, processes, wait};

use crate::{assert_none_missing, events, guest, numbers};

const KILLS: u32 = 100;
const STEADY: usize = 89;
const CRASHING: usize = 10;

/// Small, repeatable randomness: where to look when a run fails.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn configuration(home: &Home) -> String {
    let guest = home.bring(guest());
    let guest = guest.display();
    let mut text = format!("[service.counter]\ncommand = [\"{guest}\", \"count\", \"5000\"]\n\n");
    for n in 0..STEADY {
        let _ = writeln!(
            text,
            "[service.steady-{n}]\ncommand = [\"sleep\", \"86400\"]\n"
        );
    }
    for n in 0..CRASHING {
        let after = 150 + 90 * n;
        let _ = writeln!(
            text,
            "[service.crashing-{n}]\ncommand = [\"{guest}\", \"die\", \"{after}\"]\nbackoff = {{ initial = \"20ms\", max = \"100ms\" }}\n"
        );
    }
    text
}

fn steady_pids(home: &Home) -> BTreeMap<String, u32> {
    let units = wait::until("the daemon answers", wait::GENEROUS, || home.units());
    units
        .iter()
        .filter_map(|unit| Some((unit["name"].as_str()?.to_owned(), unit)))
        .filter(|(name, _)| !name.starts_with("crashing"))
        .map(|(name, unit)| {
            assert_eq!(unit["state"], "running", "{name}");
            (name, home::pid(unit))
        })
        .collect()
}

/// How many processes of each kind there are: never more than units.
fn assert_no_doubles(home: &Home, pids: &BTreeMap<String, u32>) {
    let commands: Vec<String> = home
        .processes()
        .into_iter()
        .map(|process| process.command)
        .collect();
    let count = |wanted: &str| {
        commands
            .iter()
            .filter(|command| command.contains(wanted))
            .count()
    };
    assert_eq!(count("sleep 86400"), STEADY, "processes of steady units");
    assert_eq!(count("guest count"), 1, "processes of the counter");
    for n in 0..CRASHING {
        assert!(
            count(&format!("guest die {}", 150 + 90 * n)) <= 1,
            "crashing-{n} runs twice"
        );
    }
    assert!(pids.values().all(|pid| processes::lives(*pid)));
}

#[test]
fn a_daemon_that_is_killed_a_hundred_times_loses_nothing() {
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs();
    eprintln!("seed {seed}");
    let mut dice = Dice(seed);
    let home = Home::new("killed");
    home.write("abide.toml", &configuration(&home));
    // It says that some crash, and is not pleased.
    let _ = home.abide(&["up"]);
    let pids = steady_pids(&home);
    assert_eq!(pids.len(), STEADY + 1);
    let keeper = home.keeper();

    for kill in 0..KILLS {
        wait::let_pass(Duration::from_millis(dice.below(200)));
        home.kill_daemon();
        if kill % 10 == 9 {
            assert_eq!(steady_pids(&home), pids, "after {} kills", kill + 1);
            assert_no_doubles(&home, &pids);
        }
    }
    assert_eq!(steady_pids(&home), pids);
    assert_no_doubles(&home, &pids);
    assert_eq!(home.keeper(), keeper, "the keeper is another one");

    assert_exit_codes_known(&home);
    let before = numbers(&home, "counter").len();
    let all = wait::until("the counter goes on", wait::GENEROUS, || {
        Some(numbers(&home, "counter")).filter(|all| all.len() > before + 20)
    });
    assert_none_missing(&all);
    assert_eq!(
        home.unit("counter").expect("it is there")["log"]["bytes_lost"],
        0
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// A crashing program's exit code follows from its pid, so each one can be checked. A daemon that is
/// killed may have written an event already that its successor writes again, or have come to write
/// only the end of a run: what the events say must be right, and no end may be missing.
fn assert_exit_codes_known(home: &Home) {
    let mut pids: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut exits: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for event in events(home) {
        let (Some(unit), Some(run)) = (event["unit"].as_str(), event["run"].as_u64()) else {
            continue;
        };
        if !unit.starts_with("crashing") {
            continue;
        }
        let key = (unit.to_owned(), run);
        if event["event"] == "started" || event["event"] == "adopted" {
            let pid = event["pid"].as_u64().expect("a start has a pid");
            let before = pids.insert(key, pid);
            assert!(
                before.is_none_or(|before| before == pid),
                "{unit} run {run} was started twice"
            );
        } else if event["event"] == "exited" {
            let code = event["status"]["code"].as_u64();
            let code = code
                .unwrap_or_else(|| panic!("{unit} run {run}: nobody knows its exit code: {event}"));
            let before = exits.insert(key, code);
            assert!(
                before.is_none_or(|before| before == code),
                "{unit} run {run} ended in two ways"
            );
        }
    }
    for (run, code) in &exits {
        if let Some(pid) = pids.remove(run) {
            assert_eq!(*code, 1 + pid % 100, "{run:?} was pid {pid}");
        }
    }
    assert!(exits.len() > 100, "only {} exits were seen", exits.len());
    // Those that still run.
    assert!(
        pids.len() <= CRASHING,
        "how these runs ended is unknown: {pids:?}"
    );
}
