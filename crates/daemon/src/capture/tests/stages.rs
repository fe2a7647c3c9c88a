//! What is in a stage when keeper and daemon die at once is not lost with them: the program holds it too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use abide_platform::pipe;
use abide_platform::spawn::STAGE_END;

use super::{Rig, flush, spec, start, stream};

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

#[test]
fn what_a_stage_held_when_its_daemon_died_is_found_with_the_program_that_lives_on() {
    let rig = Rig::new();
    let fifo = pipe::hold(&rig.root.join("fifo")).expect("held");
    let stage = pipe::stage().expect("made");
    writeln!(rig.program(), "on its way").expect("written");
    let filled = pipe::fill(fifo.as_fd(), stage.as_fd()).expect("filled");
    assert!(filled > 0, "the daemon died with this in the stage");
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

    let ask = |place| pipe::stage_of(program.id(), place).expect("asked");
    assert!(ask(1).is_none(), "its standard input is none of them");
    let stage = ask(0).expect("it has it");
    let (capture, _events) = start();
    let again = stream(1, spec(), &rig.logs, fifo, Some(stage));
    capture.add(again).expect("added");
    writeln!(rig.program(), "afterwards").expect("written");
    flush(&capture, 1);
    assert_eq!(rig.lines(), ["on its way", "afterwards"]);
    program.kill().expect("killed");
    program.wait().expect("gone");
}
