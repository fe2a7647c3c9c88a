//! A run whose main process becomes another one, is stopped, goes on.

use abide_model::{ExitStatus, Signal};
use rustix::process::Signal as Kill;

use crate::clauses::settles;
use crate::daemon::{Ask, Tell};
use crate::linux::{Linux, kill, launch, wait_for};
use crate::platform::{Platform, Program};
use crate::runner::Both;

pub const ALL: &[Both] = &[
    (
        "the_exit_that_counts_is_that_of_the_new_main_process",
        changed,
    ),
    (
        "a_main_process_that_ended_gives_way_to_the_one_it_left",
        ended_before,
    ),
    (
        "a_new_main_process_is_remembered_though_the_daemon_dies",
        remembered,
    ),
    (
        "a_new_main_process_that_is_gone_is_an_end_that_nobody_saw",
        vanished,
    ),
    (
        "a_signal_to_a_run_reaches_a_main_process_that_left_its_session",
        signalled,
    ),
    ("stops_and_continuations_are_told", stopped),
    (
        "a_process_that_is_stopped_again_and_again_hides_no_exit",
        flickering,
    ),
    ("a_process_is_known_by_its_run", contains),
];

const TERM: ExitStatus = ExitStatus::Signal {
    signal: Signal::TERM,
    core: false,
};

/// Starts a run that has a second process, in a session of its own. Its pid and the main one's.
fn background(linux: &mut Linux, run: u64) -> (u32, u32) {
    let file = linux.home().join(format!("pid-{run}"));
    let words = ["background", &file.display().to_string()];
    let main = linux.start_run(run, launch(&words)).expect("it starts");
    let second = wait_for("the second process", || {
        std::fs::read_to_string(&file).ok()?.parse().ok()
    });
    (main, second)
}

fn changed(linux: &mut Linux) {
    let (main, second) = background(linux, 1);
    let pid = second;
    assert_eq!(linux.ask(&Ask::Main { run: 1, pid }), Tell::Done);
    kill(main, Kill::KILL);
    // The keeper has reaped it before it tells of this one.
    linux.spawn(2, Program::Exit(3)).expect("it starts");
    assert_eq!(linux.exit(2), ExitStatus::Code(3));
    kill(second, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn ended_before(linux: &mut Linux) {
    let (main, pid) = background(linux, 1);
    kill(main, Kill::KILL);
    assert!(matches!(linux.exit(1), ExitStatus::Signal { .. }));
    assert_eq!(linux.ask(&Ask::Main { run: 1, pid }), Tell::Done);
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn remembered(linux: &mut Linux) {
    let (main, pid) = background(linux, 1);
    assert_eq!(linux.ask(&Ask::Main { run: 1, pid }), Tell::Done);
    linux.daemon_dies();
    kill(main, Kill::KILL);
    linux.daemon_dies();
    assert_eq!(linux.table(), [1]);
    // The new one; the other may not have been reaped yet.
    settles(linux, 1, 1);
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn vanished(linux: &mut Linux) {
    linux.spawn(1, Program::Idle).expect("it starts");
    let pid = linux.spawn(2, Program::Exit(0)).expect("it starts");
    assert_eq!(linux.exit(2), ExitStatus::Code(0));
    linux.take(2);
    assert_eq!(linux.ask(&Ask::Main { run: 1, pid }), Tell::Done);
    assert_eq!(linux.exit(1), ExitStatus::Unknown);
}

fn signalled(linux: &mut Linux) {
    let (main, pid) = background(linux, 1);
    assert_eq!(linux.ask(&Ask::Main { run: 1, pid }), Tell::Done);
    kill(main, Kill::KILL);
    let signal = Signal::TERM.0;
    assert_eq!(linux.ask(&Ask::Signal { run: 1, signal }), Tell::Done);
    assert_eq!(linux.exit(1), TERM);
}

fn stopped(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    kill(pid, Kill::STOP);
    assert_eq!(linux.ask(&Ask::Change { run: 1 }), Tell::Stopped(19));
    kill(pid, Kill::CONT);
    assert_eq!(linux.ask(&Ask::Change { run: 1 }), Tell::Continued);
    // Ended while it is stopped.
    kill(pid, Kill::STOP);
    assert_eq!(linux.ask(&Ask::Change { run: 1 }), Tell::Stopped(19));
    kill(pid, Kill::TERM);
    kill(pid, Kill::CONT);
    assert_eq!(linux.exit(1), TERM);
    // What happens while there is no daemon is told to none.
    let pid = linux.spawn(2, Program::Idle).expect("it starts");
    kill(pid, Kill::STOP);
    assert_eq!(linux.ask(&Ask::Change { run: 2 }), Tell::Stopped(19));
    linux.daemon_dies();
    kill(pid, Kill::CONT);
    assert_eq!(linux.ask(&Ask::Change { run: 2 }), Tell::Continued);
}

fn flickering(linux: &mut Linux) {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    for run in 2..=9 {
        for _ in 0..200 {
            kill(pid, Kill::STOP);
            kill(pid, Kill::CONT);
        }
        let code = i32::try_from(run).expect("small");
        linux.spawn(run, Program::Exit(code)).expect("it starts");
        assert_eq!(linux.exit(run), ExitStatus::Code(code));
    }
    kill(pid, Kill::TERM);
    assert_eq!(linux.exit(1), TERM);
}

fn contains(linux: &mut Linux) {
    let (main, second) = background(linux, 1);
    let other = linux.spawn(2, Program::Idle).expect("it starts");
    let gone = linux.spawn(3, Program::Exit(0)).expect("it starts");
    linux.exit(3);
    linux.take(3);
    for (pid, expected) in [
        (main, Some(true)),
        (second, Some(true)),
        (other, Some(false)),
        (std::process::id(), Some(false)),
        (gone, None),
    ] {
        let told = linux.ask(&Ask::Contains { run: 1, pid });
        assert_eq!(told, Tell::Member(expected), "process {pid}");
    }
}
