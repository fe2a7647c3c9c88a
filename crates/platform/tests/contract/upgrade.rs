//! Daemons that crash again and again, and other executables that become daemon and keeper.

use std::path::{Path, PathBuf};

use abide_model::{ExitStatus, Signal};
use abide_platform::lock;
use rustix::process::Signal as Kill;

use crate::daemon::{Ask, Tell};
use crate::linux::{Linux, kill, me, wait_for};
use crate::platform::{Platform, Program};
use crate::runner::Both;

pub const ALL: &[Both] = &[
    (
        "a_daemon_that_keeps_crashing_gets_into_safe_mode_and_out_of_it",
        crashing,
    ),
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
        "the_keeper_executes_the_new_file_and_forgets_nothing",
        renewed,
    ),
    (
        "a_daemon_that_is_killed_in_an_upgrade_is_brought_back",
        interrupted,
    ),
    ("the_keepers_protection_is_not_inherited", protection),
];

const TERM: ExitStatus = ExitStatus::Signal {
    signal: Signal::TERM,
    core: false,
};

/// Another file with the same content.
fn other(linux: &Linux) -> PathBuf {
    let file = linux.home().join("other");
    std::fs::copy(me(), &file).expect("a copy");
    file
}

fn exe(pid: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).expect("it lives")
}

fn upgrade(linux: &mut Linux, file: &Path, renew: bool) -> Result<(), String> {
    let file = file.to_owned();
    match linux.ask(&Ask::Upgrade { file, renew }) {
        Tell::Done => Ok(()),
        Tell::Refused(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

/// Upgrades, and finds the next daemon.
fn upgraded(linux: &mut Linux, file: &Path, renew: bool) {
    linux.forget_daemon();
    upgrade(linux, file, renew).expect("it is prepared");
    assert!(linux.connect());
}

fn start_of(linux: &mut Linux) -> (bool, Option<String>) {
    match linux.ask(&Ask::Start) {
        Tell::Start {
            safe_mode,
            rolled_back,
        } => (safe_mode, rolled_back),
        other => panic!("{other:?}"),
    }
}

fn crashing(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    for crash in 0..5 {
        assert!(!start_of(linux).0, "after {crash} crashes");
        linux.forget_daemon();
        assert_eq!(linux.say(&Ask::Crash), None);
        assert!(linux.connect());
    }
    assert!(start_of(linux).0, "safe mode");
    assert_eq!(linux.table(), [1]);
    // Somebody gives it another chance.
    linux.daemon_dies();
    assert!(!start_of(linux).0, "as always");
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn taken_over(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    linux.spawn(2, Program::Exit(7)).expect("it starts");
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    linux.hold(5, "held");
    let (before, keeper) = (linux.daemon_pid(), exe(linux.keeper_pid()));
    let file = other(linux);
    upgraded(linux, &file, false);
    let daemon = linux.daemon_pid();
    assert_ne!(daemon, before);
    assert_eq!(
        (exe(daemon), exe(linux.keeper_pid())),
        (file.clone(), keeper)
    );
    assert_eq!(linux.table(), [1, 2]);
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    assert_eq!(linux.held(5).as_deref(), Some("held"));
    assert_eq!(start_of(linux), (false, None));
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
    // From now on it is the one that is brought back.
    linux.daemon_dies();
    assert_eq!(exe(linux.daemon_pid()), file);
    // And again, with the file of before.
    upgraded(linux, &me(), false);
    assert_eq!(exe(linux.daemon_pid()), me());
    assert_eq!(linux.table(), [1, 2]);
}

fn failed(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    let daemon = linux.daemon_pid();
    let early = linux.home().join("fail-early");
    std::fs::write(&early, "").expect("a file");
    let why = upgrade(linux, &me(), false).expect_err("it ends");
    assert_eq!(
        why,
        "the new daemon ended with code 3 before it was prepared"
    );
    std::fs::rename(&early, linux.home().join("abort-early")).expect("a file");
    let why = upgrade(linux, &me(), false).expect_err("it ends");
    assert!(why.contains("killed by SIGABRT"), "{why}");
    let plain = linux.home().join("plain");
    std::fs::write(&plain, "no program").expect("a file");
    let why = upgrade(linux, &plain, false).expect_err("it cannot be executed");
    assert!(why.contains("could not be started"), "{why}");
    assert_eq!(linux.daemon_pid(), daemon);
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn rolled_back(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    std::fs::write(linux.home().join("fail-late"), "").expect("a file");
    let file = other(linux);
    upgraded(linux, &file, true);
    assert_eq!(exe(linux.daemon_pid()), me());
    let (safe_mode, why) = start_of(linux);
    let why = why.expect("a reason");
    assert_eq!(why, "the new daemon ended with code 4 before it was ready");
    assert!(!safe_mode);
    assert_eq!(linux.table(), [1]);
    // It is told once to a daemon that becomes ready.
    linux.daemon_dies();
    assert_eq!(start_of(linux), (false, None));
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn renewed(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    linux.spawn(2, Program::Exit(7)).expect("it starts");
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    linux.hold(5, "held");
    let (keeper, file) = (linux.keeper_pid(), other(linux));
    upgraded(linux, &file, true);
    assert_eq!(linux.ask(&Ask::Renewed), Tell::Done);
    assert_eq!(exe(keeper), file);
    assert_eq!(lock::keeper(linux.home()), Some(keeper));
    // It is still the parent of the run, and hears of it.
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
    linux.spawn(3, Program::Exit(3)).expect("it starts");
    assert_eq!(linux.exit(3), ExitStatus::Code(3));
    linux.daemon_dies();
    assert_eq!(linux.table(), [1, 2, 3]);
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    assert_eq!(linux.held(5).as_deref(), Some("held"));
    assert_eq!(exe(linux.daemon_pid()), file);
    // Nothing is left over: its streams, its signals, its lock, the daemon's socket, what it holds.
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{keeper}/fd"))
        .expect("proc")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|link| link.display().to_string())
        .collect();
    assert!(
        !open.iter().any(|link| link.contains("memfd")),
        "the table is closed: {open:?}"
    );
    let counted = open.iter().filter(|link| link.contains("socket")).count();
    assert!(counted <= 3, "{open:?}");
}

fn interrupted(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    linux.forget_daemon();
    // Told to yield, it dies as if by accident: that is a turn as well.
    let file = other(linux);
    let daemon = linux.daemon_pid();
    let _ = linux.say(&Ask::Upgrade { file, renew: false });
    // It may be gone by itself.
    let daemon = rustix::process::Pid::from_raw(i32::try_from(daemon).expect("a pid"));
    let _ = rustix::process::kill_process(daemon.expect("a pid"), Kill::KILL);
    assert!(linux.connect());
    assert_eq!(linux.table(), [1]);
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn protection(linux: &mut Linux) {
    let score = |pid: u32| -> i32 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj"));
        text.expect("proc").trim().parse().expect("a number")
    };
    let ours = score(std::process::id());
    let run = linux.spawn(1, Program::Idle).expect("it starts");
    let (keeper, daemon) = (score(linux.keeper_pid()), score(linux.daemon_pid()));
    if rustix::process::geteuid().is_root() && keeper != ours {
        assert_eq!((keeper, daemon), (-1000, -900));
    }
    assert!(keeper <= daemon && daemon <= ours);
    wait_for("the program", || (score(run) == ours).then_some(()));
}
