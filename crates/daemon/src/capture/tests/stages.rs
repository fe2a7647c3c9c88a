//! What is in a stage when keeper and daemon die at once is not lost with them: the program holds it too.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use abide_log::Stream;
use abide_model::UnitId;
use abide_platform::pipe;
use abide_platform::spawn::STAGE_END;

use super::super::Holder;
use super::super::linux::{Keeper, Stage};
use super::{Capture, Rig, StreamSpec, flush, spec, start, stream};

/// Says to a child that it is the program.
const HOLDER: &str = "ABIDE_TEST_HOLDER";

/// No test by itself: a program that has its stage where it is looked for.
#[test]
fn holder_process() {
    if std::env::var_os(HOLDER).is_none() {
        return;
    }
    let held = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), STAGE_END);
    let held = held.expect("there is room");
    println!("\nholds {held:?}");
    loop {
        std::thread::park();
    }
}

/// A program that has a stage, and lives until it is dropped.
struct Program(Child);

impl Program {
    fn with(stage: OwnedFd) -> Self {
        let mut program = Command::new(std::env::current_exe().expect("a path"))
            .args([
                "--exact",
                "capture::tests::stages::holder_process",
                "--nocapture",
            ])
            .env(HOLDER, "1")
            .stdin(Stdio::from(stage))
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let said = BufReader::new(program.stdout.take().expect("its output"));
        let mut said = said.lines().map(|line| line.expect("text"));
        assert!(said.any(|line| line.starts_with("holds")), "it has begun");
        Self(program)
    }

    fn stage(&self, place: u8) -> Option<OwnedFd> {
        pipe::stage_of(self.0.id(), place).expect("asked")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

/// Tells the number of each stage that it is to hold.
struct Told(Sender<u64>);

impl Holder for Told {
    fn hold(&self, _: UnitId, _: Stream, stage: BorrowedFd<'_>) -> io::Result<()> {
        let _ = self.0.send(pipe::number(stage)?);
        Ok(())
    }

    fn release(&self, _: UnitId, _: Stream) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_stage_held_when_its_daemon_died_is_found_with_the_program_that_lives_on() {
    let rig = Rig::new();
    let fifo = pipe::hold(&rig.root.join("fifo")).expect("held");
    let stage = pipe::stage().expect("made");
    writeln!(rig.program(), "on its way").expect("written");
    let filled = pipe::fill(fifo.as_fd(), stage.as_fd()).expect("filled");
    assert!(filled > 0, "the daemon died with this in the stage");
    let program = Program::with(stage);

    assert!(
        program.stage(1).is_none(),
        "its standard input is none of them"
    );
    let stage = program.stage(0).expect("it has it");
    let (capture, _events) = start();
    let again = stream(1, spec(), &rig.logs, fifo, Some(stage));
    capture.add(again).expect("added");
    writeln!(rig.program(), "afterwards").expect("written");
    flush(&capture, 1);
    assert_eq!(rig.lines(), ["on its way", "afterwards"]);
}

#[test]
fn the_first_output_after_a_daemon_s_death_goes_through_the_stage_of_the_program_that_lives_on() {
    let rig = Rig::new();
    let stage = pipe::stage().expect("made");
    let number = pipe::number(stage.as_fd()).expect("asked");
    let program = Program::with(stage);
    // It waits already when the stream is taken, before anything else can be said of it.
    let fifo = pipe::hold(&rig.root.join("fifo")).expect("held");
    writeln!(rig.program(), "in the gap").expect("written");
    let (send, told) = channel();
    let capture = Capture::start(Told(send), |_| {}).expect("started");
    let again = StreamSpec {
        program: Some(program.0.id()),
        ..stream(1, spec(), &rig.logs, fifo, None)
    };
    capture.add(again).expect("added");
    flush(&capture, 1);
    assert_eq!(rig.lines(), ["in the gap"]);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [number]);
}

#[test]
fn a_stage_that_its_program_has_not_gives_way_to_the_one_that_it_has() {
    let own = pipe::stage().expect("made");
    let number = pipe::number(own.as_fd()).expect("asked");
    let program = Program::with(own);
    let pid = Some(program.0.id());
    let keeper = Keeper::new(Box::new(()));
    let stage = Stage::new(UnitId(1), Stream::Out, None);
    let lease = |program| {
        let stage = stage.lease(program, false, &keeper).expect("leased");
        pipe::number(stage.as_fd()).expect("asked")
    };
    assert_ne!(lease(None), number, "nobody was known to have one");
    assert_ne!(lease(pid), number, "something may be in it");
    stage.let_go(pid, &keeper);
    assert_eq!(lease(pid), number);
    stage.let_go(pid, &keeper);
    assert_eq!(lease(pid), number);
}
