//! That ten services fit into a small machine, with abide in a corner of it.

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

use crate::Test;
use crate::machine::{ANY, command};

pub const ALL: &[Test] = &[(
    "ten_services_cost_at_most_five_mebibytes",
    ANY,
    ten_services,
)];

/// What keeper and daemon may take together, in KiB.
const BAR: u64 = 5 << 10;

/// In KiB.
#[derive(Clone, Copy, Debug)]
struct Taken {
    proportional: u64,
    private: u64,
}

/// What a process takes: proc_pid_smaps_rollup(5). `None`: it is gone.
fn taken(pid: u32) -> Option<Taken> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let field = |name| value(&text, name);
    Some(Taken {
        proportional: field("Pss:")?,
        private: field("Private_Clean:")? + field("Private_Dirty:")?,
    })
}

fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What the machine has, and what of it is left, in KiB.
fn machine() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let field = |name| value(&text, name).expect("a field");
    (field("MemTotal:"), field("MemAvailable:"))
}

fn show(what: &str, home: &Home) {
    let both = [("keeper", home.keeper()), ("daemon", home.daemon())];
    for (name, pid) in both {
        let Taken {
            proportional,
            private,
        } = pid.and_then(taken).expect("it is there");
        println!("{what}: {name} {proportional} KiB, of these {private} its own");
    }
}

/// Waits until abide takes no more than it may: it gives back after a while what its last work needed.
fn settled(home: &Home) {
    let both = || {
        let keeper = taken(home.keeper()?)?.proportional;
        Some(keeper + taken(home.daemon()?)?.proportional)
    };
    let within = wait::try_until("it to settle", wait::GENEROUS, || {
        both().filter(|kib| *kib <= BAR)
    });
    assert!(within.is_ok(), "{:?} KiB, and the bar is {BAR}", both());
}

fn ten_services() {
    let (total, before) = machine();
    let home = Home::new("ten");
    let units: Vec<String> = (0..10).map(|n| format!("unit-{n}")).collect();
    let config: Vec<String> = units
        .iter()
        .map(|unit| format!("[service.{unit}]\ncommand = {:?}\n", command(&["idle"])))
        .collect();
    home.write("abide.toml", &config.join("\n"));
    home.ok(&["up"]);
    let pids: Vec<u32> = units.iter().map(|unit| home.wait_running(unit)).collect();
    settled(&home);
    let (_, after) = machine();
    show("ten services", &home);
    println!(
        "the machine: {total} KiB, {before} available before, {after} with abide and ten programs"
    );

    processes::signal(pids[0], Signal::ABORT);
    home.wait_for(&units[0], "runs again", |unit| {
        unit["state"] == "running" && unit["restarts"] == 1
    });
    home.kill_daemon();
    for (unit, pid) in units.iter().zip(&pids).skip(1) {
        assert_eq!(home.wait_running(unit), *pid, "{unit} was adopted");
    }
    settled(&home);
    show("after a crash and a killed daemon", &home);
    home.ok(&["down"]);
    assert!(pids.iter().all(|pid| !processes::lives(*pid)));
}
