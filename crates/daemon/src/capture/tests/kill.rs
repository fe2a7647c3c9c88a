//! A pump that is killed at any instant loses and doubles nothing.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use abide_model::LogSpec;
use abide_platform::pipe;

use super::super::state::HANG;
use super::{Rig, lines, skipped, spec, start, until};

/// The directory of the rig that a child pumps.
const RIG: &str = "ABIDE_TEST_PUMP";
/// The child's RLIMIT_FSIZE.
const LIMIT: &str = "ABIDE_TEST_FSIZE";
const LINES: usize = 1_000_000;
const KILLS: usize = 150;

fn small_segments() -> LogSpec {
    LogSpec {
        max_size: 128 << 10,
        ..spec()
    }
}

/// No test by itself: the program that is killed.
#[test]
fn pump_process() {
    let Some(root) = std::env::var_os(RIG).map(std::path::PathBuf::from) else {
        return;
    };
    if let Ok(limit) = std::env::var(LIMIT) {
        let limit = Some(limit.parse().expect("a number"));
        let limit = rustix::process::Rlimit {
            current: limit,
            maximum: limit,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("limited");
    }
    let (capture, _events) = start();
    let hold = |name: &str| pipe::hold(&root.join(name)).expect("held");
    capture
        .add(super::stream(
            1,
            small_segments(),
            &root.join("logs"),
            hold("fifo"),
            hold("stage"),
        ))
        .expect("added");
    // Until our parent ends us, or ends itself.
    let _ = std::io::read_to_string(std::io::stdin());
}

fn pump(rig: &Rig, limit: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args([
        "--exact",
        "capture::tests::kill::pump_process",
        "--nocapture",
    ]);
    command
        .env(RIG, &rig.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command.envs(limit.map(|limit| (LIMIT, limit.to_string())));
    command.spawn().expect("started")
}

fn check(lines: &[String]) {
    for (n, line) in lines.iter().enumerate() {
        assert!(
            *line == format!("{n:08} and some more text"),
            "line {n} is {line:?}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kills at a random instant")]
fn no_line_is_lost_or_doubled_by_killing_the_pump_at_random() {
    let rig = Rig::new();
    // As the keeper does: holds both pipes over every death.
    let held = ["fifo", "stage"].map(|name| pipe::hold(&rig.root.join(name)).expect("held"));
    let mut program = rig.program();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(program, "{n:08} and some more text").expect("written");
        }
    });
    let mut midway = 0;
    let mut random = 88_172_645_463_325_252u64;
    for _ in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = pump(&rig, None);
        midway += usize::from(!writer.is_finished());
        std::thread::sleep(Duration::from_micros(500 + random % 12_000));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    assert!(
        midway > KILLS / 2,
        "only {midway} kills while there was something to lose"
    );
    let mut child = pump(&rig, None);
    until("everything was taken", || {
        writer.is_finished()
            && held
                .iter()
                .all(|fd| pipe::available(std::os::fd::AsFd::as_fd(fd)).expect("asked") == 0)
    });
    writer.join().expect("wrote");
    until("everything is there", || lines(&rig.logs).len() >= LINES);
    child.kill().expect("killed");
    child.wait().expect("gone");
    let lines = rig.lines();
    assert_eq!(lines.len(), LINES);
    check(&lines);
    assert!(
        rig.logs.join("out.00000010.log.zst").exists()
            || rig.logs.join("out.00000010.log").exists()
    );
}

/// A pass in which it stood still for longer than a disk may take looks like one on a disk that hangs.
#[test]
#[expect(clippy::disallowed_methods, reason = "its standstill is the test")]
fn a_pump_that_stood_still_does_not_take_itself_for_a_hung_disk() {
    if std::env::var_os(RIG).is_some() {
        return skipped("inside the pump");
    }
    let rig = Rig::new();
    let held = ["fifo", "stage"].map(|name| pipe::hold(&rig.root.join(name)).expect("held"));
    let mut program = rig.program();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(program, "{n:08} and some more text").expect("written");
        }
    });
    let mut child = pump(&rig, None);
    let pid = rustix::process::Pid::from_child(&child);
    let send = |signal| rustix::process::kill_process(pid, signal).expect("it is there");
    for number in 1..=3 {
        until("it is at work", || {
            rig.logs.join(format!("out.{number:08}.log")).exists()
        });
        send(rustix::process::Signal::STOP);
        std::thread::sleep(2 * HANG);
        send(rustix::process::Signal::CONT);
    }
    writer.join().expect("wrote");
    until("everything was taken", || lines(&rig.logs).len() >= LINES);
    child.kill().expect("killed");
    child.wait().expect("gone");
    drop(held);
    check(&rig.lines());
}

#[test]
fn a_limit_on_file_sizes_makes_smaller_segments_and_kills_nobody() {
    if std::env::var_os(RIG).is_some() {
        return skipped("inside the pump");
    }
    let rig = Rig::new();
    let held = pipe::hold(&rig.root.join("fifo")).expect("held");
    let mut child = pump(&rig, Some(50_000));
    let mut program = rig.program();
    for n in 0..10_000 {
        writeln!(program, "{n:08} and some more text").expect("written");
    }
    until("everything is there", || rig.lines().len() == 10_000);
    assert!(child.try_wait().expect("asked").is_none(), "the pump ended");
    child.kill().expect("killed");
    child.wait().expect("gone");
    drop(held);
    check(&rig.lines());
}
