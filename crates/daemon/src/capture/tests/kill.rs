//! A pump that is killed at any instant loses and doubles nothing.

use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use abide_log::Stream;
use abide_model::{LogSpec, UnitId};
use abide_platform::pipe;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::super::Holder;
use super::super::state::HANG;
use super::{Capture, Rig, lines, skipped, spec, until};

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

/// The child's RLIMIT_NOFILE: with few, a stage is had for one pass at a time.
const FILES: &str = "ABIDE_TEST_NOFILE";

/// The child's end of the line to what holds its stage: its standard input.
struct Line;

/// One message: a stage to hold, or that it is to be let go of.
fn tell(socket: BorrowedFd<'_>, stage: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = stage.as_slice();
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let bytes = [IoSlice::new(&[0])];
    sendmsg(socket, &bytes, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message; `None`: nobody will send any more.
fn heard(socket: BorrowedFd<'_>) -> Option<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let bytes = &mut [IoSliceMut::new(&mut byte)];
    let got = loop {
        match recvmsg(socket, bytes, &mut control, RecvFlags::CMSG_CLOEXEC) {
            // It was killed before it read what was held: said once, before what it wrote last can be read.
            Err(rustix::io::Errno::CONNRESET) => {}
            other => break other.expect("received"),
        }
    };
    let fds = control.drain().filter_map(|part| match part {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let stage = fds.flatten().next();
    (got.bytes > 0).then_some(stage)
}

impl Holder for Line {
    fn hold(&self, _: UnitId, _: Stream, stage: BorrowedFd<'_>) -> io::Result<()> {
        tell(io::stdin().as_fd(), Some(stage))
    }

    fn release(&self, _: UnitId, _: Stream) -> io::Result<()> {
        tell(io::stdin().as_fd(), None)
    }
}

/// No test by itself: the program that is killed.
#[test]
fn pump_process() {
    let Some(root) = std::env::var_os(RIG).map(std::path::PathBuf::from) else {
        return;
    };
    for (name, what) in [(LIMIT, Resource::Fsize), (FILES, Resource::Nofile)] {
        if let Ok(limit) = std::env::var(name) {
            let limit = Some(limit.parse().expect("a number"));
            let (current, maximum) = (limit, limit);
            setrlimit(what, Rlimit { current, maximum }).expect("limited");
        }
    }
    let line = io::stdin();
    let stage = heard(line.as_fd()).expect("what is held");
    let capture = Capture::start(Line, |_| {}).expect("started");
    let fifo = pipe::hold(&root.join("fifo")).expect("held");
    let stream = super::stream(1, small_segments(), &root.join("logs"), fifo, stage);
    capture.add(stream).expect("added");
    // Until our parent ends us, or ends itself.
    while heard(line.as_fd()).is_some() {}
}

/// A pump and, as the keeper does it, who holds its stage over its death.
struct Pump {
    child: Child,
    holder: JoinHandle<Option<OwnedFd>>,
}

impl Pump {
    fn start(rig: &Rig, limit: Option<(&str, u64)>, held: Option<OwnedFd>) -> Self {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .expect("a pair");
        tell(ours.as_fd(), held.as_ref().map(AsFd::as_fd)).expect("told");
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args([
            "--exact",
            "capture::tests::kill::pump_process",
            "--nocapture",
        ]);
        command
            .env(RIG, &rig.root)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null());
        command.envs(limit.map(|(name, limit)| (name, limit.to_string())));
        let child = command.spawn().expect("started");
        let holder = std::thread::spawn(move || {
            let mut held = held;
            while let Some(stage) = heard(ours.as_fd()) {
                held = stage;
            }
            held
        });
        Self { child, holder }
    }

    /// Kills it; returns the stage that was held for it.
    fn kill(mut self) -> Option<OwnedFd> {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
        self.holder.join().expect("held")
    }
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
fn no_line_is_lost_or_doubled_by_killing_the_pump_at_random() {
    kill_at_random(None);
}

#[test]
fn no_line_is_lost_or_doubled_where_a_stage_is_had_for_one_pass_only() {
    kill_at_random(Some((FILES, 64)));
}

#[expect(clippy::disallowed_methods, reason = "kills at a random instant")]
fn kill_at_random(limit: Option<(&str, u64)>) {
    let rig = Rig::new();
    // As the keeper does: holds the FIFO over every death.
    let fifo = pipe::hold(&rig.root.join("fifo")).expect("held");
    let mut program = rig.program();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(program, "{n:08} and some more text").expect("written");
        }
    });
    let (mut midway, mut filled, mut stage) = (0, 0, None);
    let mut random = 88_172_645_463_325_252u64;
    for _ in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let pump = Pump::start(&rig, limit, stage.take());
        midway += usize::from(!writer.is_finished());
        std::thread::sleep(Duration::from_micros(500 + random % 12_000));
        stage = pump.kill();
        let left = |stage: &OwnedFd| pipe::available(stage.as_fd()).expect("asked") > 0;
        filled += usize::from(stage.as_ref().is_some_and(left));
    }
    assert!(
        midway > KILLS / 2,
        "only {midway} kills while there was something to lose"
    );
    println!("{filled} of {KILLS} kills left something in a stage");
    let pump = Pump::start(&rig, limit, stage);
    until("everything was taken", || {
        writer.is_finished() && pipe::available(fifo.as_fd()).expect("asked") == 0
    });
    writer.join().expect("wrote");
    until("everything is there", || lines(&rig.logs).len() >= LINES);
    drop(pump.kill());
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
    let held = pipe::hold(&rig.root.join("fifo")).expect("held");
    let mut program = rig.program();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(program, "{n:08} and some more text").expect("written");
        }
    });
    let pump = Pump::start(&rig, None, None);
    let pid = rustix::process::Pid::from_child(&pump.child);
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
    drop(pump.kill());
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
    let mut pump = Pump::start(&rig, Some((LIMIT, 50_000)), None);
    let mut program = rig.program();
    for n in 0..10_000 {
        writeln!(program, "{n:08} and some more text").expect("written");
    }
    until("everything is there", || rig.lines().len() == 10_000);
    let ended = pump.child.try_wait().expect("asked");
    assert!(ended.is_none(), "the pump ended");
    drop(pump.kill());
    drop(held);
    check(&rig.lines());
}
