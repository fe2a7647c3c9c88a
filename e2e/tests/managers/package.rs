//! What is given to people: the tarball and the Debian package, on a machine that has nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use abide_e2e::skip::skip;
use abide_e2e::wait::{GENEROUS, until};

use crate::machine::{Init, Machine, assert_same};

/// What `cargo xtask systemd` has made.
fn made(what: &str) -> Option<PathBuf> {
    std::env::var_os(what).map(PathBuf::from)
}

/// Without what the package manager keeps for itself.
fn files(machine: &Machine) -> Vec<String> {
    let own = ["/var/lib/dpkg/", "/var/lib/apt/", "/var/lib/systemd/"];
    let mut files = machine.files();
    files.retain(|file| !own.iter().any(|place| file.starts_with(place)));
    files
}

/// A machine without lists of packages: what ours depends on must be there.
fn apt(machine: &Machine, words: &[&str]) {
    let mut all = vec![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "--yes",
    ];
    all.extend(words);
    machine.must(&all);
}

/// Puts a file where the machine finds it.
fn bring(machine: &Machine, file: &Path, name: &str) {
    fs::copy(file, machine.path(name)).expect("copy");
}

#[test]
fn the_tarball_and_the_package_work_on_a_machine_that_has_nothing_else() {
    const TEST: &str = "the_tarball_and_the_package_work_on_a_machine_that_has_nothing_else";
    let (Some(package), Some(archive)) = (made("ABIDE_DEB"), made("ABIDE_ARCHIVE")) else {
        skip(TEST, "`cargo xtask systemd` makes the packages");
        return;
    };
    let Some(mut machine) = Machine::boot_with("package", Init::Systemd, false) else {
        return;
    };
    for program in ["abide", "cargo", "rustc", "cc", "python3"] {
        let words = ["sh", "-c", &format!("command -v {program}")];
        assert_ne!(machine.run(&words).code, Some(0), "{program} is there");
    }
    let before = files(&machine);
    bring(&machine, &archive, "/var/tmp/abide.tar.gz");
    machine.must(&["tar", "-C", "/var/tmp", "-xf", "/var/tmp/abide.tar.gz"]);
    let shown = machine.must(&["sh", "-c", "exec sh /var/tmp/abide-*/quickstart.sh"]);
    assert!(shown.contains("all of it held"), "{shown}");
    machine.must(&["sh", "-c", "rm -r /var/tmp/abide*"]);
    assert_same(&before, &files(&machine));

    bring(&machine, &package, "/var/tmp/abide.deb");
    apt(&machine, &["install", "/var/tmp/abide.deb"]);
    let active = ["systemctl", "is-active", "abide"];
    assert_eq!(machine.must(&active).trim(), "active");
    let counted = "/counts/package";
    machine.must(&[
        "abide", "run", "--name", "counted", "--", "counter", counted,
    ]);
    machine.until_counts(counted, (1, 0));
    for file in [
        "/usr/share/man/man1/abide.1.gz",
        "/usr/share/man/man1/abide-doctor.1.gz",
        "/usr/share/bash-completion/completions/abide",
    ] {
        assert!(machine.path(file).is_file(), "{file}");
    }
    let verified = machine.run(&["systemd-analyze", "verify", "abide.service"]);
    assert_eq!((verified.code, verified.err.as_str()), (Some(0), ""));
    let said = machine.must(&["abide", "doctor", "abide"]);
    assert!(said.contains("nothing is wrong with abide"), "{said}");

    machine.reboot();
    assert_eq!(
        machine.must(&active).trim(),
        "active",
        "it comes up at boot"
    );
    machine.until_counts(counted, (2, 1));

    // What it is made to host goes with it.
    machine.must(&[
        "abide",
        "install",
        "--name",
        "hosted",
        "--now",
        "--",
        "counter",
        "/counts/hosted",
    ]);
    machine.until_counts("/counts/hosted", (1, 0));
    apt(&machine, &["purge", "abide"]);
    machine.until_counts(counted, (2, 2));
    machine.until_counts("/counts/hosted", (1, 1));
    assert_same(&before, &files(&machine));
    assert_ne!(machine.run(&["systemctl", "cat", "abide"]).code, Some(0));
}

#[test]
fn an_upgrade_of_the_package_is_not_noticed_by_what_it_keeps() {
    const TEST: &str = "an_upgrade_of_the_package_is_not_noticed_by_what_it_keeps";
    const KEPT: &str = "/counts/kept";
    const HOSTED: &str = "/counts/hosted";
    let (Some(package), Some(next)) = (made("ABIDE_DEB"), made("ABIDE_DEB_NEXT")) else {
        skip(TEST, "`cargo xtask systemd` makes the packages");
        return;
    };
    let Some(machine) = Machine::boot_with("upgrade", Init::Systemd, false) else {
        return;
    };
    let before = files(&machine);
    bring(&machine, &package, "/var/tmp/abide.deb");
    bring(&machine, &next, "/var/tmp/next.deb");
    let install = |words: &[&str]| {
        let mut all = vec!["install"];
        all.extend(words);
        apt(&machine, &all);
    };
    install(&["/var/tmp/abide.deb"]);
    let first = build(&machine);
    machine.must(&["abide", "run", "--name", "kept", "--", "counter", KEPT]);
    let host = ["abide", "install", "--name", "hosted", "--now", "--"];
    machine.must(&[&host[..], &["counter", HOSTED]].concat());
    let programs = || {
        machine.until_counts(KEPT, (1, 0));
        machine.until_counts(HOSTED, (1, 0));
        assert!(machine.alive(KEPT) && machine.alive(HOSTED));
        let unit = machine.api().get("/v1/units/kept").expect("an answer");
        let pid = unit.json().expect("JSON")["pid"].to_string();
        assert_eq!(Some(pid), machine.process(KEPT));
        let active = ["systemctl", "is-active", "abide", "hosted"];
        assert_eq!(machine.must(&active), "active\nactive\n");
    };
    programs();
    let service = || {
        machine.must(&[
            "systemctl",
            "show",
            "abide",
            "-p",
            "ExecMainStartTimestampMonotonic,NRestarts",
        ])
    };
    let begun = service();

    install(&["/var/tmp/next.deb"]);
    let second = build(&machine);
    assert_ne!(first, second, "the daemon is of the new package");
    programs();
    assert_eq!(service(), begun, "the service was not started again");
    let killed = daemon(&machine)["pid"].to_string();
    machine.must(&["kill", "-9", &killed]);
    until("another daemon", GENEROUS, || {
        (daemon(&machine)["pid"].to_string() != killed).then_some(())
    });
    assert_eq!(build(&machine), second, "what comes after it is, too");
    programs();

    install(&["--allow-downgrades", "/var/tmp/abide.deb"]);
    assert_eq!(build(&machine), first, "and back");
    programs();
    install(&["--reinstall", "/var/tmp/abide.deb"]);
    assert_eq!(
        daemon(&machine)["executable_replaced"],
        false,
        "it runs the file that is there"
    );
    programs();

    // Removed, everything ends as it was asked to; back again, it goes on.
    apt(&machine, &["remove", "abide"]);
    machine.until_counts(KEPT, (1, 1));
    machine.until_counts(HOSTED, (1, 1));
    install(&["/var/tmp/next.deb"]);
    machine.until_counts(KEPT, (2, 1));
    machine.until_counts(HOSTED, (2, 1));
    assert_eq!(build(&machine), second);
    apt(&machine, &["purge", "abide"]);
    machine.until_counts(KEPT, (2, 2));
    machine.until_counts(HOSTED, (2, 2));
    assert_same(&before, &files(&machine));
}

/// What `GET /v1/daemon` says, once one answers.
fn daemon(machine: &Machine) -> serde_json::Value {
    until("the daemon answers", GENEROUS, || {
        let answer = machine.api().get("/v1/daemon").ok()?;
        answer.json().ok().filter(|_| answer.status == 200)
    })
}

/// Which build keeps what is kept.
fn build(machine: &Machine) -> serde_json::Value {
    daemon(machine)["build"].clone()
}
