//! Who started it, and the subcommands.

use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::{Driven, Manager, command};

#[test]
fn a_person_without_arguments_is_told_how_it_is_used() {
    let told = command("by_hand").output().expect("it runs");
    assert_eq!(told.status.code(), Some(2));
    let text = String::from_utf8_lossy(&told.stderr);
    assert!(
        text.starts_with("waits until it is stopped\n\nUsage: by_hand COMMAND\n"),
        "{text}"
    );
    let help = command("by_hand").arg("--help").output().expect("it runs");
    assert_eq!(help.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&help.stdout), text);
}

#[test]
fn a_manager_without_arguments_gets_the_service() {
    let manager = Manager::abstract_named("service");
    let mut waiting = Driven::start(
        command("by_hand")
            .env("NOTIFY_SOCKET", manager.address())
            .env("ABIDE_UNIT", "waits")
            .stderr(Stdio::piped()),
    );
    manager.hears("READY=1");
    waiting.signal(Signal::TERM);
    waiting.ended_well();
    let text = said(&mut waiting);
    assert_eq!(
        text,
        "level=info msg=\"started by abide\"\nlevel=info msg=\"stopped: Some(Requested)\"\n"
    );
}

fn said(program: &mut Driven) -> String {
    std::io::read_to_string(program.0.stderr.take().expect("a pipe")).expect("text")
}

#[test]
fn a_hangup_ends_what_a_person_started_and_not_what_a_manager_did() {
    let manager = Manager::abstract_named("hangup");
    let mut by_person = Driven::start(
        command("by_hand")
            .arg("run")
            .env("NOTIFY_SOCKET", manager.address()),
    );
    manager.hears("READY=1");
    by_person.signal(Signal::HUP);
    by_person.ended_well();
    let mut by_manager = Driven::start(
        command("by_hand")
            .arg("run")
            .env("NOTIFY_SOCKET", manager.address())
            .env("ABIDE_UNIT", "waits")
            .stderr(Stdio::piped()),
    );
    manager.hears("READY=1");
    by_manager.signal(Signal::HUP);
    by_manager.signal(Signal::TERM);
    by_manager.ended_well();
    let text = said(&mut by_manager);
    assert!(text.contains("stopped: Some(Requested)"), "{text}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_before_anything_is_done() {
    for (words, why) in [
        (
            vec!["stop", "--manager", "upstart"],
            "is no service manager",
        ),
        (vec!["status", "--timeout", "soon"], "no number of seconds"),
        (vec!["start", "now"], "now is not understood here"),
    ] {
        let told = command("by_hand").args(&words).output().expect("it runs");
        assert_eq!(told.status.code(), Some(2), "{words:?}");
        let text = String::from_utf8_lossy(&told.stderr);
        assert!(text.contains(why), "{text}");
    }
}
