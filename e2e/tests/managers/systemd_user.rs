//! systemd of a user.

use crate::machine::{Init, Machine};
use abide_e2e::wait::{GENEROUS, until};

#[test]
fn a_user_has_services_of_their_own() {
    let Some(mut machine) = Machine::boot("user", Init::Systemd) else {
        return;
    };
    machine.must(&["useradd", "--create-home", "ada"]);
    let id: u32 = machine
        .must(&["id", "-u", "ada"])
        .trim()
        .parse()
        .expect("a number");
    let words = [
        "abide",
        "install",
        "--user",
        "--name",
        "notes",
        "--",
        "counter",
        "/counts/notes",
    ];
    let said = machine.run_as("ada", id, &words);
    assert!(
        said.err.contains("enable-linger"),
        "there is no session: {}{}",
        said.out,
        said.err
    );
    machine.must(&["loginctl", "enable-linger", "ada"]);
    let runs = |machine: &Machine| {
        until("the user's own systemd", GENEROUS, || {
            let said = machine.run_as("ada", id, &["systemctl", "--user", "is-system-running"]);
            ["running", "degraded"]
                .contains(&said.out.trim())
                .then_some(())
        });
    };
    runs(&machine);
    let before = machine.files();
    let ada =
        |machine: &Machine, words: &[&str]| machine.run_as("ada", id, words).expect_code(0, words);
    ada(&machine, &words);
    ada(&machine, &["abide", "start", "notes", "--timeout", "30s"]);
    machine.until_counts("/counts/notes", (1, 0));
    ada(&machine, &["abide", "restart", "notes", "--timeout", "30s"]);
    machine.until_counts("/counts/notes", (2, 1));
    machine.reboot();
    runs(&machine);
    machine.until_counts("/counts/notes", (3, 2));
    ada(&machine, &["systemctl", "--user", "stop", "notes"]);
    machine.until_counts("/counts/notes", (3, 3));
    ada(&machine, &["abide", "uninstall", "notes"]);
    let left: Vec<String> = machine
        .files()
        .into_iter()
        .filter(|file| !before.contains(file))
        .collect();
    let folders = |file: &String| !machine.path(file).is_dir();
    assert!(!left.iter().any(folders), "{left:?}");
}
