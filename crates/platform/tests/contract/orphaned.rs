//! Daemons whose keeper dies before they are what they were to become.

use abide_model::{ExitStatus, Signal};
use abide_platform::{keeper, lock};
use rustix::process::Signal as Kill;

use crate::daemon::{Ask, PATIENCE, Tell};
use crate::linux::{Linux, kill, me, to_launch, wait_for};
use crate::platform::{Platform, Program};
use crate::runner::Outcome;

type Test = fn() -> Outcome;

pub const ALL: &[(&str, &dyn Fn() -> Outcome)] = &[
    (
        "a_daemon_whose_keeper_dies_before_they_met_makes_another_one",
        &(unmet as Test),
    ),
    (
        "a_daemon_that_was_brought_back_and_lost_its_keeper_goes_on_with_what_runs",
        &(brought_back as Test),
    ),
    (
        "a_successor_whose_keeper_dies_with_the_old_daemon_gone_makes_another_one",
        &(succeeding as Test),
    ),
    (
        "a_successor_whose_keeper_dies_while_the_old_daemon_lets_go_waits_for_its_end",
        &(waiting as Test),
    ),
];

fn unmet() -> Outcome {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("pause"), "").expect("a file");
    let starting = keeper::start_detached(&to_launch(home.path()), &home.path().join("log"))
        .expect("it starts");
    let first = starting.keeper();
    wait_for("a daemon", || {
        home.path().join("pause-there").exists().then_some(())
    });
    kill(first, Kill::KILL);
    wait_for("its end", || {
        lock::keeper(home.path()).is_none().then_some(())
    });
    std::fs::remove_file(home.path().join("pause")).expect("the file");
    // Whoever waits for the first one hears of the second.
    starting.wait(PATIENCE).expect("another one is ready");
    assert_ne!(lock::keeper(home.path()), Some(first));
    let mut linux = Linux::find(home);
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    kill(pid, Kill::TERM);
    assert!(matches!(
        linux.exit(1),
        ExitStatus::Signal {
            signal: Signal::TERM,
            ..
        }
    ));
    linux.daemon_dies();
    assert_eq!(linux.table(), [1]);
    linux.leave_detached();
    Ok(())
}

/// Waits until a daemon has done as the file of this name in the home says, and stands still.
fn stands_still(linux: &Linux, name: &str) {
    let there = linux.home().join(format!("{name}-there"));
    wait_for("it stands still", || there.exists().then_some(()));
}

fn ask_for(linux: &Linux, name: &str) {
    std::fs::write(linux.home().join(name), "").expect("a file");
}

fn let_go_on(linux: &Linux, name: &str) {
    std::fs::remove_file(linux.home().join(name)).expect("the file");
}

/// Finds the daemon of the next keeper, and tries whether it works.
fn works(mut linux: Linux, runs: u32) -> Outcome {
    linux.reconnect();
    kill(runs, Kill::TERM); // It is still there.
    linux.spawn(2, Program::Exit(7)).expect("it starts");
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    linux.daemon_dies();
    assert_eq!(linux.exit(2), ExitStatus::Code(7));
    linux.leave_detached();
    Ok(())
}

fn brought_back() -> Outcome {
    let mut linux = Linux::start(false).expect("no group is needed");
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    ask_for(&linux, "pause");
    linux.forget_daemon();
    kill(linux.daemon_pid(), Kill::KILL);
    stands_still(&linux, "pause");
    linux.keeper_dies();
    let_go_on(&linux, "pause");
    works(linux, pid)
}

/// Asks for an upgrade, and has the old daemon stand still when it only has to end.
fn yielding(linux: &mut Linux) -> u32 {
    let pid = linux.spawn(1, Program::Idle).expect("it starts");
    ask_for(linux, "linger");
    linux.forget_daemon();
    let (file, renew) = (me(), false);
    assert_eq!(linux.ask(&Ask::Upgrade { file, renew }), Tell::Done);
    stands_still(linux, "linger");
    pid
}

fn succeeding() -> Outcome {
    let mut linux = Linux::start(false).expect("no group is needed");
    let pid = yielding(&mut linux);
    // It never says whose turn it is.
    kill(linux.keeper_pid(), Kill::STOP);
    let_go_on(&linux, "linger");
    wait_for("the old daemon's end", || {
        lock::holder(linux.home()).is_none().then_some(())
    });
    linux.keeper_dies();
    works(linux, pid)
}

fn waiting() -> Outcome {
    let mut linux = Linux::start(false).expect("no group is needed");
    let pid = yielding(&mut linux);
    linux.keeper_dies();
    assert!(lock::holder(linux.home()).is_some());
    assert_eq!(lock::keeper(linux.home()), None, "the old one has the home");
    let_go_on(&linux, "linger");
    works(linux, pid)
}
