//! The same programs, started by a person and by abide.

use std::process::{Command, Stdio};

use abide_platform::notify::NotifySocket;

use crate::harness::{example, lines, until};

fn command(name: &str) -> Command {
    let mut command = Command::new(example(name));
    for variable in ["NOTIFY_PIPE", "WATCHDOG_USEC", "ABIDE_UNIT"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

#[test]
fn a_person_gets_the_foreground_or_the_usage() {
    let told = command("by_hand").output().expect("it runs");
    assert_eq!(told.status.code(), Some(2));
    let text = String::from_utf8_lossy(&told.stderr);
    assert!(text.contains("Usage: by_hand"), "{text}");

    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes");
    let ran = command("controls")
        .arg("run")
        .arg(&notes)
        .arg("once")
        .output()
        .expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(
        lines(&notes),
        ["begin [\"once\"] for a person", "end Some(Itself)"]
    );
}

#[test]
fn abide_hears_of_it_by_its_pipe() {
    let name = format!("abide-service-test-{}", std::process::id());
    let socket = NotifySocket::bind(None, &name, None).expect("bound");
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = command("controls")
        .arg("run")
        .arg(folder.path().join("notes"))
        .arg("once")
        .env("NOTIFY_PIPE", socket.address())
        .env("ABIDE_UNIT", "controls")
        .spawn()
        .expect("it can be started");
    let next = || {
        let message = until(
            || socket.recv().expect("it works").map(|message| message.text),
            Option::is_some,
        );
        String::from_utf8(message.unwrap_or_default()).expect("text")
    };
    assert_eq!(next(), "READY=1\n");
    assert_eq!(next(), "STOPPING=1\n");
    assert!(program.wait().expect("it is our child").success());
}
