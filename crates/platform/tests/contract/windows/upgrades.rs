//! Other executables that become the daemon, under a keeper that stays.

use std::path::{Path, PathBuf};

use abide_model::ExitStatus;
use abide_platform::identity::Handle;
use abide_platform::lock;

use super::daemon::{Ask, Tell};
use super::kept::{Kept, eventually, kill};
use super::{LONG, Test, wait_for};
use crate::clauses::settles;
use crate::platform::{Platform, Program};

pub const ALL: &[Test] = &[
    (
        "another_executable_takes_over_and_nothing_is_forgotten",
        taken_over,
    ),
    (
        "an_executable_that_fails_leaves_the_daemon_as_it_was",
        failed,
    ),
    (
        "an_executable_that_fails_at_its_turn_is_rolled_back",
        rolled_back,
    ),
    (
        "a_daemon_that_is_killed_while_its_successor_prepares_is_brought_back",
        killed_beside,
    ),
    (
        "a_daemon_that_is_killed_when_it_lets_go_is_followed_by_the_new_one",
        killed_yielding,
    ),
    (
        "a_keeper_that_is_killed_in_an_upgrade_is_replaced_by_the_old_daemon",
        keeper_killed,
    ),
    (
        "when_keeper_and_old_daemon_are_killed_in_an_upgrade_the_new_one_makes_a_keeper",
        both_killed,
    ),
];

fn me() -> PathBuf {
    std::env::current_exe().expect("our file")
}

/// Another file with the same content.
fn other(kept: &Kept) -> PathBuf {
    let file = kept.home.path().join("the other one.exe");
    std::fs::copy(me(), &file).expect("a copy");
    file
}

fn upgrade(kept: &mut Kept, file: &Path) -> Result<(), String> {
    let file = file.to_owned();
    match kept.ask(&Ask::Upgrade { file }) {
        Tell::Done => Ok(()),
        Tell::Refused(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

/// Upgrades, and finds the next daemon.
pub fn upgraded(kept: &mut Kept, file: &Path) {
    kept.forget_daemon();
    upgrade(kept, file).expect("it is prepared");
    kept.connect();
}

fn content(kept: &mut Kept, ask: &Ask) -> Option<String> {
    match kept.ask(ask) {
        Tell::Content(content) => content,
        other => panic!("{other:?}"),
    }
}

/// The file that the daemon runs.
pub fn file(kept: &mut Kept) -> PathBuf {
    let file = content(kept, &Ask::File).expect("it has one");
    std::fs::canonicalize(file).expect("it is there")
}

pub fn same(one: &Path, other: &Path) {
    assert_eq!(one, std::fs::canonicalize(other).expect("it is there"));
}

fn mark(kept: &Kept, name: &str) -> PathBuf {
    let mark = kept.home.path().join(name);
    std::fs::write(&mark, "").expect("a file");
    mark
}

fn process_in(kept: &Kept, name: &str) -> Handle {
    let pid = wait_for(&kept.home.path().join(name));
    Handle::open(pid.parse().expect("a number")).expect("it lives")
}

fn ends(process: &Handle) {
    process.exit(Some(LONG)).expect("asked").expect("it ends");
}

fn taken_over() {
    let mut kept = Kept::start();
    let pid = kept.spawn(1, Program::Idle).expect("it starts");
    kept.spawn(2, Program::Exit(7)).expect("it starts");
    assert_eq!(kept.exit(2), ExitStatus::Code(7));
    kept.hold(5, "held");
    let (before, keeper) = (kept.daemon_pid(), kept.keeper_pid());
    let copy = other(&kept);
    upgraded(&mut kept, &copy);
    assert_ne!(kept.daemon_pid(), before);
    assert_eq!(kept.keeper_pid(), keeper);
    same(&file(&mut kept), &copy);
    assert_eq!(kept.table(), [1, 2]);
    assert_eq!(kept.exit(2), ExitStatus::Code(7));
    assert_eq!(kept.held(5).as_deref(), Some("held"));
    assert_eq!(content(&mut kept, &Ask::RolledBack), None);
    // From now on it is the one that is brought back.
    kept.daemon_dies();
    same(&file(&mut kept), &copy);
    // And again, with the file of before.
    upgraded(&mut kept, &me());
    same(&file(&mut kept), &me());
    assert_eq!(kept.table(), [1, 2]);
    let run = Handle::open(pid).expect("it is the same process");
    kept.kill_tree(1);
    assert!(!run.alive());
    assert_eq!(kept.exit(1), kept.killed());
}

fn failed() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    let daemon = kept.daemon_pid();
    let early = mark(&kept, "fail-early");
    for _ in 0..2 {
        let why = upgrade(&mut kept, &me()).expect_err("it ends");
        assert_eq!(
            why,
            "the new daemon ended with code 3 before it was prepared"
        );
    }
    std::fs::remove_file(early).expect("it is there");
    let plain = kept.home.path().join("plain.exe");
    std::fs::write(&plain, "no program").expect("a file");
    let why = upgrade(&mut kept, &plain).expect_err("it cannot be executed");
    assert!(why.contains("could not be started"), "{why}");
    assert_eq!(kept.daemon_pid(), daemon);
    // It is no worse for it.
    upgraded(&mut kept, &me());
    assert_eq!(kept.table(), [1]);
    settles(&mut kept, 1, 1);
}

fn rolled_back() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    let late = mark(&kept, "fail-late");
    let copy = other(&kept);
    upgraded(&mut kept, &copy);
    same(&file(&mut kept), &me());
    let why = content(&mut kept, &Ask::RolledBack).expect("a reason");
    assert_eq!(why, "the new daemon ended with code 4 before it was ready");
    assert_eq!(kept.table(), [1]);
    // It is told once to a daemon that becomes ready.
    kept.daemon_dies();
    assert_eq!(content(&mut kept, &Ask::RolledBack), None);
    std::fs::remove_file(late).expect("it is there");
    upgraded(&mut kept, &copy);
    same(&file(&mut kept), &copy);
    settles(&mut kept, 1, 1);
}

/// Asks for the other executable and does not wait for an answer.
fn begin(kept: &mut Kept) {
    use std::io::Write;

    let file = other(kept);
    let line = serde_json::to_string(&Ask::Upgrade { file }).expect("json") + "\n";
    let stream = kept.stream.as_mut().expect("connected").get_mut();
    stream.write_all(line.as_bytes()).expect("written");
}

fn killed_beside() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    let hesitate = mark(&kept, "hesitate");
    begin(&mut kept);
    let successor = process_in(&kept, "hesitate-there");
    kept.daemon_dies();
    ends(&successor);
    same(&file(&mut kept), &me());
    let why = content(&mut kept, &Ask::RolledBack).expect("a reason");
    assert_eq!(why, "the old daemon died in the middle of it");
    assert_eq!(kept.table(), [1]);
    settles(&mut kept, 1, 1);
    std::fs::remove_file(hesitate).expect("it is there");
}

fn killed_yielding() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    mark(&kept, "linger");
    begin(&mut kept);
    let old = process_in(&kept, "linger-there");
    let successor = process_in(&kept, "prepared").identity().pid;
    // Told to let go, it dies as if by accident: that is a turn as well.
    kept.daemon_dies();
    ends(&old);
    assert_eq!(kept.daemon_pid(), successor);
    assert_eq!(kept.table(), [1]);
    settles(&mut kept, 1, 1);
}

fn keeper_killed() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    mark(&kept, "linger");
    begin(&mut kept);
    let old = process_in(&kept, "linger-there");
    let successor = process_in(&kept, "prepared");
    let keeper = kept.keeper_pid();
    kept.keeper = None;
    kept.forget_daemon();
    kill(keeper);
    ends(&old);
    ends(&successor);
    eventually("another keeper", || {
        lock::keeper(kept.home.path()).filter(|pid| *pid != keeper)
    });
    kept.connect();
    assert_eq!(kept.table(), [1]);
    settles(&mut kept, 1, 1);
}

fn both_killed() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Idle).expect("it starts");
    let hesitate = mark(&kept, "hesitate");
    begin(&mut kept);
    let successor = process_in(&kept, "hesitate-there");
    let (keeper, daemon) = (kept.keeper_pid(), kept.daemon_pid());
    kept.keeper = None;
    kept.forget_daemon();
    // The daemon waits for the keeper's answer, and ends with it; it may be through with that already.
    let old = Handle::open(daemon).expect("it lives");
    kill(keeper);
    let _ = old.terminate(1);
    ends(&old);
    std::fs::remove_file(hesitate).expect("it is there");
    ends(&successor);
    kept.connect();
    assert_ne!(kept.keeper_pid(), keeper);
    settles(&mut kept, 1, 1);
}
