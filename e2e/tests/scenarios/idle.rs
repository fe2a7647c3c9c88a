//! With nothing to do, keeper and daemon sleep, and are small.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use abide_e2e::{Home, wait};

const UNITS: usize = 10;

/// Never more than this many KiB for keeper and daemon together: half as much again as they take, so that
/// a thread, a table or a leak too many is seen, and the mood of the allocator is not. The benchmark has
/// the figures of what is shipped. Without optimisation the tables that are relocated are three times as large.
const MEMORY_KIB: u64 = if cfg!(debug_assertions) { 6 } else { 3 } * 1024 + 256;

/// How often the threads of a process have gone to sleep or were put aside.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .flat_map(|status| {
            status
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                .collect::<Vec<_>>()
        })
        .sum()
}

/// A process's own memory, in KiB: without the program's text, which is much larger in the profile
/// that tests use than in the one that is shipped.
fn memory(pid: u32) -> u64 {
    let text =
        fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process is there");
    text.lines()
        .find_map(|line| {
            line.strip_prefix("Pss_Anon:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .expect("the kernel says the share")
}

#[test]
fn with_nothing_to_do_abide_sleeps_and_is_small() {
    let home = Home::new("idle");
    let mut text = String::new();
    for n in 0..UNITS {
        let _ = writeln!(text, "[service.idle-{n}]\ncommand = \"sleep 86400\"\n");
    }
    home.write("abide.toml", &text);
    home.ok(&["up"]);
    let (keeper, daemon) = (
        home.keeper().expect("a keeper"),
        home.daemon().expect("a daemon"),
    );
    // Runs become stable after ten seconds: the last thing there is to do. A second later memory is given
    // back, but not sooner than ten seconds after the last time.
    wait::let_pass(Duration::from_secs(14));
    // A machine that is busy with other tests may have put that off.
    let mut woken = 0;
    for _ in 0..4 {
        let before = switches(keeper) + switches(daemon);
        wait::let_pass(Duration::from_secs(5));
        woken = switches(keeper) + switches(daemon) - before;
        if woken <= 2 {
            break;
        }
    }
    let used = memory(keeper) + memory(daemon);
    eprintln!(
        "woken {woken} times in 5 s; keeper {} KiB, daemon {} KiB",
        memory(keeper),
        memory(daemon)
    );
    assert!(
        woken <= 2,
        "keeper and daemon were woken {woken} times in 5 s with nothing to do"
    );
    assert!(used <= MEMORY_KIB, "keeper and daemon use {used} KiB");
}
