//! What is given to people: the tarball and the Debian package, on a machine that has nothing else.

use std::fs;
use std::path::PathBuf;

use abide_e2e::skip::skip;

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
    fs::copy(&archive, machine.path("/var/tmp/abide.tar.gz")).expect("copy");
    machine.must(&["tar", "-C", "/var/tmp", "-xf", "/var/tmp/abide.tar.gz"]);
    let shown = machine.must(&["sh", "-c", "exec sh /var/tmp/abide-*/quickstart.sh"]);
    assert!(shown.contains("all of it held"), "{shown}");
    machine.must(&["sh", "-c", "rm -r /var/tmp/abide*"]);
    assert_same(&before, &files(&machine));

    let place = machine.path("/var/tmp/abide.deb");
    fs::copy(&package, &place).expect("copy");
    // A machine without lists of packages: what it depends on must be there.
    let apt = |words: &[&str]| {
        let mut all = vec![
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-qq",
            "--yes",
        ];
        all.extend(words);
        machine.must(&all)
    };
    apt(&["install", "/var/tmp/abide.deb"]);
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
    let purged = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "--yes",
        "purge",
        "abide",
    ];
    machine.must(&purged);
    machine.until_counts(counted, (2, 2));
    machine.until_counts("/counts/hosted", (1, 1));
    assert_same(&before, &files(&machine));
    assert_ne!(machine.run(&["systemctl", "cat", "abide"]).code, Some(0));
}
