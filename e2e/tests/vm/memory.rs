//! That ten services fit into a small machine, with abide in a corner of it.

use std::time::{Duration, Instant};

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

/// What takes the same for so long rests: after its last work it gives back step by step.
const RESTS: Duration = Duration::from_secs(20);

/// In KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Taken {
    /// What processes share counts for each in its part: of two, for both together it counts once.
    proportional: u64,
    /// Of these, what nobody else has.
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

/// Says what abide takes when it rests, and insists that it is no more than it may. Only the kernel is asked: a question
/// to the daemon would wake it.
fn at_rest(what: &str, home: &Home) {
    let daemon = home.daemon().expect("there is a daemon");
    let pids = [processes::parent(daemon).expect("a keeper"), daemon];
    let look = || pids.map(|pid| taken(pid).expect("it runs"));
    let (mut last, mut since) = (look(), Instant::now());
    let rests = wait::try_until("abide rests", wait::GENEROUS, || {
        let now = look();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > RESTS).then_some(())
    });
    if let Err(why) = rests {
        println!("{what}: {why}");
    }
    for (name, taken) in ["keeper", "daemon"].iter().zip(last) {
        let Taken {
            proportional,
            private,
        } = taken;
        println!("{what}: {name} {proportional} KiB, of these {private} its own");
    }
    let both: u64 = last.iter().map(|taken| taken.proportional).sum();
    println!("{what}: both {both} KiB");
    assert!(both <= BAR, "{both} KiB, and the bar is {BAR}");
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
    at_rest("ten services", &home);
    let (_, after) = machine();
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
    at_rest("after a crash and a killed daemon", &home);
    home.ok(&["down"]);
    assert!(pids.iter().all(|pid| !processes::lives(*pid)));
}
