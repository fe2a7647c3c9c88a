//! Start, restart and stop, counted; and how a body's end becomes the process's.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::{Driven, Manager, command, entries_and_finishes, until};

#[test]
fn each_start_is_an_entry_and_each_stop_a_clean_finish() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = folder.path().join("queue");
    let manager = Manager::in_folder(folder.path());
    let start = || {
        let worker = Driven::start(
            command("worker")
                .args(["run".as_ref(), queue.as_os_str()])
                .env("NOTIFY_SOCKET", manager.address()),
        );
        manager.hears("READY=1");
        worker
    };
    let stop = |mut worker: Driven| {
        worker.signal(Signal::TERM);
        manager.hears("STOPPING=1");
        worker.ended_well();
    };
    let worker = start();
    assert_eq!(entries_and_finishes(&queue), (1, 0));
    stop(worker);
    let worker = start();
    assert_eq!(entries_and_finishes(&queue), (2, 1));
    stop(worker);
    assert_eq!(entries_and_finishes(&queue), (2, 2));
}

#[test]
fn jobs_are_done_and_the_status_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("jobs")).expect("a folder");
    fs::write(folder.path().join("jobs/one"), "four words to count").expect("a job");
    let manager = Manager::abstract_named("jobs");
    let mut worker = Driven::start(
        command("worker")
            .args(["run".as_ref(), folder.path().as_os_str()])
            .env("NOTIFY_SOCKET", manager.address()),
    );
    manager.hears("STATUS=1 jobs done");
    let done = fs::read_to_string(folder.path().join("done/one")).expect("it is done");
    assert_eq!(done, "4\n");
    worker.signal(Signal::TERM);
    worker.ended_well();
}

#[test]
fn an_error_of_the_body_is_a_failure_with_its_own_code_and_is_told() {
    let manager = Manager::abstract_named("error");
    let worker = command("worker")
        .arg("run")
        .env("NOTIFY_SOCKET", manager.address())
        .output()
        .expect("it runs");
    assert_eq!(worker.status.code(), Some(64));
    let text = String::from_utf8_lossy(&worker.stderr);
    assert_eq!(
        text,
        "abide-example-worker: which folder has the queue? worker run QUEUE\n"
    );
    let said = manager.next();
    assert!(said.contains("STATUS=failed: which folder"), "{said}");

    // Where no person reads it, it is logged.
    let worker = command("worker")
        .args(["run", "/proc/nowhere"])
        .env("ABIDE_UNIT", "worker")
        .output()
        .expect("it runs");
    assert_eq!(worker.status.code(), Some(1));
    let text = String::from_utf8_lossy(&worker.stderr);
    let wanted = "level=error msg=\"failed: cannot open the queue in /proc/nowhere";
    assert!(text.starts_with(wanted), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_second_ctrl_c_ends_a_program_that_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("jobs")).expect("a folder");
    let job = folder.path().join("jobs/hangs");
    fs::write(&job, "hang").expect("a job");
    let manager = Manager::in_folder(folder.path());
    let mut worker = Driven::start(
        command("worker")
            .args(["run".as_ref(), folder.path().as_os_str()])
            .env("NOTIFY_SOCKET", manager.address())
            .stdout(Stdio::null()),
    );
    until("the job is taken", || !job.exists());
    worker.signal(Signal::INT);
    manager.hears("STOPPING=1");
    worker.signal(Signal::INT);
    assert_eq!(worker.ended().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_manager_that_is_not_there_stops_nobody_and_is_told_of_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut worker = Driven::start(
        command("worker")
            .args(["run".as_ref(), folder.path().as_os_str()])
            .env("NOTIFY_SOCKET", folder.path().join("nobody"))
            .env("ABIDE_UNIT", "worker")
            .stderr(Stdio::piped()),
    );
    until("it has begun", || {
        entries_and_finishes(folder.path()) == (1, 0)
    });
    worker.signal(Signal::TERM);
    worker.ended_well();
    let text = std::io::read_to_string(worker.0.stderr.take().expect("a pipe")).expect("text");
    let warnings = text
        .lines()
        .filter(|l| l.contains("cannot tell the manager"));
    assert_eq!(warnings.count(), 1, "{text}");
    assert_eq!(entries_and_finishes(folder.path()), (1, 1));
}
