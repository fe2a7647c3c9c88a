//! What outlives whom, and what is known of it.

#![allow(unsafe_code)] // one handle that is put into a process

use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use abide_model::{ExitStatus, RunId, UnitId};
use abide_platform::identity::{Handle, Probe, Record, probe};
use abide_platform::spawn::spawn;
use abide_platform::tree::{JobMessage, RunTree, TERMINATED, Trees};
use abide_platform::usage::{Figures, sample};
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::Threading::{CREATE_SUSPENDED, GetCurrentProcess};

use super::kept::eventually;
use super::programs::say;
use super::{LONG, Test, launch, name, order, start, wait_for};

pub const ALL: &[Test] = &[
    (
        "a_run_lives_on_and_is_found_again_when_who_started_it_is_killed",
        outlives,
    ),
    (
        "what_never_ran_dies_with_the_job_that_nobody_holds",
        unreleased,
    ),
    (
        "a_process_that_nobody_set_going_is_set_going_by_who_adopts_it",
        never_begun,
    ),
    (
        "a_job_says_who_came_who_went_and_that_none_is_left",
        messages,
    ),
    (
        "an_exit_is_seen_while_a_grandchild_holds_the_output",
        grandchild,
    ),
    ("a_run_is_measured", measured),
];

/// Plays a daemon: starts a run and waits to be killed.
pub fn guard(record: &Path, file: &Path) -> ! {
    let trees = Trees::reporting().expect("a port");
    let mut order = order(&trees, 7, launch(&["idle"]));
    order.record = Some(record.to_owned());
    let spawned = spawn(&order).expect("it starts");
    say(file, &spawned.pid.to_string());
    loop {
        std::thread::park();
    }
}

/// Waits until a run is these processes. The host of a console that was made just now counts, until it is known as one.
fn settles(tree: &RunTree, pids: &[u32]) {
    eventually("that nobody else is in it", || {
        (tree.processes().expect("counted") == pids).then_some(())
    });
}

fn outlives() {
    let place = tempfile::tempdir().expect("a directory");
    let (path, file) = (place.path().join("record"), place.path().join("pid"));
    let mut guard = Command::new(std::env::current_exe().expect("our file"))
        .args(["act", "guard"])
        .args([&path, &file])
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    let pid: u32 = wait_for(&file).parse().expect("a number");
    guard.kill().expect("killed");
    guard.wait().expect("it ended");
    let record = Record::read(&path).expect("read").expect("whole");
    assert_eq!((record.unit, record.run), (UnitId(1), RunId(7)));
    assert_eq!(record.process.pid, pid);
    let Probe::Alive(main) = probe(&record) else {
        panic!("it did not live on");
    };
    let trees = Trees::reporting().expect("a port");
    assert!(record.job.is_some());
    let tree = trees.adopt(&name(), &record);
    settles(&tree, &[pid]);
    assert!(tree.kill(LONG).expect("ended"));
    let ended = main.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(TERMINATED.cast_signed())));
    assert!(matches!(probe(&record), Probe::Gone(_)));
}

fn unreleased() {
    let trees = Trees::reporting().expect("a port");
    let order = order(&trees, 1, launch(&["idle"]));
    // Without `spawn`, which releases: a process that is in the job as it was made.
    let mut child = Command::new(std::env::current_exe().expect("our file"))
        .args(["act", "idle"])
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    order.tree.enter(&child).expect("it is in");
    drop(order);
    drop(trees);
    child.wait().expect("it ended with its job");
}

fn never_begun() {
    let trees = Trees::reporting().expect("a port");
    let order = order(&trees, 1, launch(&["exit", "5"]));
    let child = Command::new(std::env::current_exe().expect("our file"))
        .args(["act", "exit", "5"])
        .stdin(Stdio::null())
        .creation_flags(CREATE_SUSPENDED)
        .spawn()
        .expect("it starts");
    order.tree.enter(&child).expect("it is in");
    let main = Handle::open(child.id()).expect("it lives");
    let job = put(&order.tree, &child);
    let record = Record {
        unit: order.unit,
        run: order.run,
        process: main.identity(),
        leader: None,
        tagged: false,
        group: None,
        job: Some(job),
        outputs: Vec::new(),
    };
    let tree = trees.adopt(&name(), &record);
    let ended = main.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(5)));
    assert!(tree.wait_empty(LONG).expect("asked"));
}

/// Puts a handle to its job into a process.
fn put(job: &RunTree, process: &impl AsRawHandle) -> u64 {
    let mut there = std::ptr::null_mut();
    // SAFETY: all are held for the call, and the number goes to a local.
    let put = unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            job.handle().expect("its job").as_raw_handle(),
            process.as_raw_handle(),
            &mut there,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    };
    assert_ne!(put, 0);
    there as usize as u64
}

fn messages() {
    let trees = Trees::reporting().expect("a port");
    let (spawned, tree) = start(&trees, 1, launch(&["exit", "3"]));
    spawned.handle.exit(Some(LONG)).expect("asked");
    let mut seen = Vec::new();
    while !seen.contains(&JobMessage::Empty) {
        let (key, message) = trees.next(Some(LONG)).expect("asked").expect("it comes");
        assert_eq!(key, tree.key());
        seen.push(message);
    }
    assert!(seen.contains(&JobMessage::New(spawned.pid)), "{seen:?}");
    assert!(seen.contains(&JobMessage::Exited(spawned.pid)), "{seen:?}");
    assert!(tree.wait_empty(LONG).expect("asked"));
    assert_eq!(trees.next(Some(Duration::ZERO)).expect("asked"), None);
}

fn grandchild() {
    let place = tempfile::tempdir().expect("a directory");
    let ready = place.path().join("ready");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let trees = Trees::reporting().expect("a port");
    let file = ready.to_str().expect("a text");
    let mut order = order(&trees, 1, launch(&["leave", file]));
    order.stdout = Some(OwnedHandle::from(writer));
    let spawned = spawn(&order).expect("it starts");
    wait_for(&ready);
    let ended = spawned.handle.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(9)));
    eventually("that only the grandchild is left", || {
        (order.tree.processes().expect("counted").len() == 1).then_some(())
    });
    assert!(!order.tree.wait_empty(Duration::ZERO).expect("asked"));
    assert!(order.tree.kill(LONG).expect("ended"));
    drop(order);
    // Now that nobody has its other end, it is at its end.
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut { reader }, &mut rest).expect("read");
    assert_eq!(rest, b"");
}

fn measured() {
    let trees = Trees::reporting().expect("a port");
    let (_spawned, tree) = start(&trees, 1, launch(&["idle"]));
    let usage = eventually("one process", || {
        let usage = sample(std::slice::from_ref(&tree), Figures::ALL);
        (usage[0].processes == 1).then_some(usage)
    });
    assert_eq!(usage.len(), 1);
    assert!(tree.kill(LONG).expect("ended"));
    assert_eq!(sample(&[tree], Figures::default())[0].processes, 0);
}
