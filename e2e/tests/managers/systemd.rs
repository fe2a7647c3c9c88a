//! systemd of the machine.

use std::fs;

use abide_e2e::wait::{GENEROUS, until};

use crate::machine::{Init, Machine, assert_same};

fn show(machine: &Machine, unit: &str, property: &str) -> String {
    let said = machine.must(&["systemctl", "show", "--value", "--property", property, unit]);
    said.trim().to_owned()
}

fn wait_for(machine: &Machine, unit: &str, property: &str, value: &str) {
    let what = format!("{property} of {unit} to be {value}");
    let found = abide_e2e::wait::try_until(&what, GENEROUS, || {
        (show(machine, unit, property) == value).then_some(())
    });
    assert!(
        found.is_ok(),
        "{what}: {}",
        machine
            .run(&["systemctl", "status", "--no-pager", "--full", unit])
            .out
    );
}

#[test]
fn a_hosted_program_lives_as_its_manager_wants() {
    let Some(machine) = Machine::boot("hosted", Init::Systemd) else {
        return;
    };
    let before = machine.files();
    let place = "/counts/hosted";
    let install = [
        "abide",
        "install",
        "--name",
        "hosted",
        "--description",
        "100% of it, $HOME and all",
        "--",
        "counter",
        place,
    ];
    machine.must(&install);
    assert_eq!(machine.counts(place), (0, 0), "nobody has started it");
    assert_eq!(show(&machine, "hosted", "UnitFileState"), "enabled");
    assert_eq!(
        show(&machine, "hosted", "Description"),
        "100% of it, $HOME and all"
    );
    let verified = machine.run(&["systemd-analyze", "verify", "hosted.service"]);
    assert_eq!((verified.code, verified.err.as_str()), (Some(0), ""));

    machine.must(&["abide", "start", "hosted", "--timeout", "30s"]);
    machine.until_counts(place, (1, 0));
    assert_eq!(show(&machine, "hosted", "ActiveState"), "active");
    let status = machine.must(&["abide", "status", "hosted", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        (&status[0]["state"], &status[0]["mode"]),
        (&"running".into(), &"service".into())
    );

    machine.must(&["abide", "restart", "hosted", "--timeout", "30s"]);
    machine.until_counts(place, (2, 1));
    // The machine's own tool does the same.
    machine.must(&["systemctl", "stop", "hosted"]);
    machine.until_counts(place, (2, 2));
    assert_eq!(
        show(&machine, "hosted", "ActiveState"),
        "inactive",
        "a stop, and no crash"
    );
    assert_eq!(show(&machine, "hosted", "Result"), "success");
    machine.must(&["systemctl", "start", "hosted"]);
    machine.until_counts(place, (3, 2));

    let again = machine.run(&install);
    again.expect_code(0, &install);
    assert!(again.out.contains("just so"), "{}", again.out);
    let other = machine.must(&[
        "abide", "install", "--name", "hosted", "--start", "manual", "--", "counter", place,
    ]);
    assert!(
        other.contains("- Description=") && other.contains("multi-user.target.wants"),
        "{other}"
    );
    assert_eq!(show(&machine, "hosted", "UnitFileState"), "disabled");

    machine.must(&["abide", "uninstall", "hosted", "--timeout", "30s"]);
    machine.until_counts(place, (3, 3));
    assert_eq!(show(&machine, "hosted", "LoadState"), "not-found");
    assert_same(&before, &machine.files());
}

#[test]
fn the_daemon_comes_up_at_boot_and_its_death_is_nobody_s_business() {
    let Some(mut machine) = Machine::boot("daemon", Init::Systemd) else {
        return;
    };
    let (one, two, hosted) = ("/counts/one", "/counts/two", "/counts/hosted");
    fs::write(
        machine.path("/etc/shop.toml"),
        format!(
            "[service.one]\ncommand = \"counter {one}\"\ninherit = [\"PATH\"]\n\n\
                 [service.two]\ncommand = \"counter {two}\"\ninherit = [\"PATH\"]\n"
        ),
    )
    .expect("write");
    machine.must(&["abide", "install", "--now"]);
    machine.must(&["abide", "up", "/etc/shop.toml"]);
    machine.must(&[
        "abide", "install", "--now", "--name", "hosted", "--", "counter", hosted,
    ]);
    machine.until_counts(one, (1, 0));
    machine.until_counts(two, (1, 0));

    // The daemon dies: systemd sees nothing of it, nor does any program.
    let main = show(&machine, "abide", "MainPID");
    let daemon = || {
        let said = machine.run(&["pgrep", "-P", &main, "-f", "be-the-daemon"]);
        said.out.trim().to_owned()
    };
    let first = until("the daemon", GENEROUS, || {
        Some(daemon()).filter(|pid| !pid.is_empty())
    });
    machine.must(&["kill", "-9", &first]);
    until("another daemon", GENEROUS, || {
        Some(daemon()).filter(|pid| !pid.is_empty() && *pid != first)
    });
    machine.must(&["abide", "status"]);
    assert_eq!(show(&machine, "abide", "MainPID"), main);
    assert_eq!(show(&machine, "abide", "NRestarts"), "0");
    assert_eq!((machine.counts(one), machine.alive(one)), ((1, 0), true));

    // The keeper dies: systemd ends what is left and begins anew; nothing is there twice.
    machine.must(&["kill", "-9", &main]);
    wait_for(&machine, "abide", "NRestarts", "1");
    wait_for(&machine, "abide", "ActiveState", "active");
    until("both programs to be there again", GENEROUS, || {
        (machine.counts(one).0 == 2 && machine.counts(two).0 == 2).then_some(())
    });
    let running = machine.must(&["pgrep", "-c", "-f", "counter /counts/(one|two)"]);
    assert_eq!(running.trim(), "2");

    // A stop by systemd is no stop by hand: they come back with the next start.
    machine.must(&["systemctl", "stop", "abide"]);
    assert!(machine.counts(one).1 == 1 && !machine.alive(one) && !machine.alive(two));
    machine.must(&["systemctl", "start", "abide"]);
    until("both programs", GENEROUS, || {
        (machine.alive(one) && machine.alive(two)).then_some(())
    });
    let status = show(&machine, "abide", "StatusText");
    assert_eq!(status, "2 units, 2 up");

    // By hand: that one stays down, over a boot, too.
    machine.must(&["abide", "stop", "two"]);
    let finished = machine.counts(one).1;
    let begun = (
        machine.counts(one).0,
        machine.counts(two).0,
        machine.counts(hosted).0,
    );
    machine.reboot();
    wait_for(&machine, "abide", "ActiveState", "active");
    wait_for(&machine, "hosted", "ActiveState", "active");
    machine.until_counts(one, (begun.0 + 1, finished + 1));
    assert_eq!(machine.counts(two).0, begun.1, "it was stopped by hand");
    assert_eq!(machine.counts(hosted).0, begun.2 + 1);

    // Its configuration is read again.
    fs::write(
        machine.path("/etc/shop.toml"),
        format!("[service.one]\ncommand = \"counter {one}\"\ninherit = [\"PATH\"]\n"),
    )
    .expect("write");
    machine.must(&["systemctl", "reload", "abide"]);
    until("two to be gone", GENEROUS, || {
        let said = machine.run(&["abide", "status", "--json"]);
        (!said.out.contains("\"two\"")).then_some(())
    });
    machine.must(&["abide", "uninstall"]);
    machine.must(&["abide", "uninstall", "hosted"]);
    assert!(!machine.alive(one) && !machine.alive(hosted));
}

#[test]
fn a_hosted_unit_is_ready_when_it_is_and_fails_when_it_does() {
    let Some(machine) = Machine::boot("ready", Init::Systemd) else {
        return;
    };
    let place = "/counts/slow";
    fs::write(
        machine.path("/etc/slow.toml"),
        format!(
            "[service.slow]\ncommand = \"counter {place}\"\ninherit = [\"PATH\"]\n\
             ready = {{ file = \"/run/slow-is-ready\", within = \"60s\" }}\n\
             reload = {{ command = \"touch /counts/reloaded\" }}\n\n\
             [service.never]\ncommand = \"sh -c 'exit 7'\"\ninherit = [\"PATH\"]\n\
             ready = {{ file = \"/run/never-is-ready\", within = \"60s\" }}\n\
             backoff = \"none\"\ngive_up = {{ restarts = 2, within = \"1m\" }}\n\n\
             [service.needy]\ncommand = \"sleep 1000\"\nrequires = [\"slow\"]\n"
        ),
    )
    .expect("write");
    machine.must(&["abide", "install", "/etc/slow.toml:slow"]);
    machine.must(&["systemctl", "start", "--no-block", "slow"]);
    machine.until_counts(place, (1, 0));
    assert_eq!(show(&machine, "slow", "ActiveState"), "activating");
    machine.must(&["touch", "/run/slow-is-ready"]);
    wait_for(&machine, "slow", "ActiveState", "active");

    // Its manager has it reload: its file is read again, and its program does what `reload` says.
    let reloaded = machine.path("/counts/reloaded");
    for reload in [
        &["abide", "reload", "slow"],
        &["systemctl", "reload", "slow"],
    ] {
        machine.must(reload);
        until("the program to be told", GENEROUS, || {
            fs::remove_file(&reloaded).ok()
        });
    }
    let file = machine.path("/etc/slow.toml");
    let sound = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, sound.replace("inherit", "inhreit")).expect("write");
    let said = machine.run(&["abide", "reload", "slow"]);
    said.expect_code(1, &["abide", "reload", "slow"]);
    assert!(said.err.contains("inhreit"), "{}", said.err);
    fs::write(&file, sound).expect("write");
    for (refused, why) in [
        (
            vec!["abide", "control", "128", "slow"],
            "only the Service Control Manager",
        ),
        (
            vec!["abide", "reload", "systemd-journald", "--service"],
            "no ExecReload=",
        ),
        (vec!["abide", "reload", "nobody", "--service"], "nobody"),
    ] {
        let said = machine.run(&refused);
        said.expect_code(1, &refused);
        assert!(said.err.contains(why), "{}", said.err);
    }

    machine.must(&["abide", "install", "/etc/slow.toml:never"]);
    let said = machine.run(&["abide", "start", "never", "--timeout", "60s"]);
    said.expect_code(1, &["abide", "start", "never"]);
    assert!(
        said.err.contains("cannot start never") && said.err.contains("exit code 7"),
        "{}",
        said.err
    );
    assert_eq!(show(&machine, "never", "ActiveState"), "failed");
    assert_eq!(show(&machine, "never", "ExecMainStatus"), "7");
    assert_eq!(
        show(&machine, "never", "NRestarts"),
        "0",
        "abide has tried; systemd does not try again"
    );

    let said = machine.run(&["abide", "install", "/etc/slow.toml:needy"]);
    said.expect_code(2, &["abide", "install", "needy"]);
    assert!(said.err.contains("requires slow"), "{}", said.err);
}

#[test]
fn a_unit_that_a_service_hosts_is_not_kept_twice() {
    let Some(machine) = Machine::boot("twice", Init::Systemd) else {
        return;
    };
    let (web, mail) = ("/counts/web", "/counts/mail");
    fs::write(
        machine.path("/etc/shop.toml"),
        format!(
            "[service.web]\ncommand = \"counter {web}\"\ninherit = [\"PATH\"]\n\n\
             [service.mail]\ncommand = \"counter {mail}\"\ninherit = [\"PATH\"]\nrequires = [\"web\"]\n"
        ),
    )
    .expect("write");
    machine.must(&["abide", "up", "/etc/shop.toml"]);
    machine.until_counts(web, (1, 0));
    let running = || {
        machine
            .run(&["pgrep", "-c", "-f", "counter /counts/web"])
            .out
            .trim()
            .to_owned()
    };
    machine.must(&["abide", "install", "/etc/shop.toml:web", "--now"]);
    machine.until_counts(web, (2, 1));
    assert_eq!(running(), "1", "the daemon has given it up");
    machine.must(&["abide", "start", "web", "--timeout", "30s"]);
    machine.must(&["abide", "up", "/etc/shop.toml"]);
    assert_eq!((machine.counts(web), running().as_str()), ((2, 1), "1"));
    let status = machine.must(&["abide", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let modes: Vec<_> = status
        .as_array()
        .expect("an array")
        .iter()
        .map(|unit| (&unit["name"], &unit["mode"]))
        .collect();
    assert_eq!(
        modes,
        [
            (&"mail".into(), &"guard".into()),
            (&"web".into(), &"service".into())
        ]
    );
    machine.must(&["abide", "uninstall", "web"]);
    machine.until_counts(web, (2, 2));
    machine.must(&["abide", "up", "/etc/shop.toml"]);
    machine.until_counts(web, (3, 2));
    machine.must(&["abide", "down"]);
}

#[test]
fn what_is_not_ours_is_left_alone_and_mistakes_write_nothing() {
    let Some(machine) = Machine::boot("foreign", Init::Systemd) else {
        return;
    };
    let foreign = "[Service]\nExecStart=/bin/sleep 1000\n";
    fs::write(machine.path("/etc/systemd/system/theirs.service"), foreign).expect("write");
    machine.must(&["systemctl", "daemon-reload"]);
    let before = machine.files();
    for (words, why) in [
        (
            &["--name", "theirs", "--", "counter", "/counts/x"][..],
            "not one of ours",
        ),
        (
            &["--name", "dbus", "--", "counter", "/counts/x"],
            "from elsewhere",
        ),
        (&["--name", "a b", "--", "counter", "/counts/x"], "a b"),
        (&["--name", "x", "--", "no-such-program"], "no-such-program"),
        (
            &[
                "--name",
                "x",
                "--account",
                "nobody-at-all",
                "--",
                "counter",
                "/counts/x",
            ],
            "nobody-at-all",
        ),
        (
            &[
                "--name",
                "x",
                "--manager",
                "runit",
                "--",
                "counter",
                "/counts/x",
            ],
            "leave out `--manager`",
        ),
        (&["/etc/no-such.toml:web"], "FILE:UNIT"),
    ] {
        let said = machine.run(&[&["abide", "install"], words].concat());
        assert!(matches!(said.code, Some(1 | 2)), "{words:?}: {}", said.out);
        assert!(said.err.contains(why), "{words:?}: {}", said.err);
    }
    let said = machine.run(&["abide", "uninstall", "theirs"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    let said = machine.run(&["abide", "uninstall", "no-such"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_same(&before, &machine.files());
    // An ordinary user is told which right is missing.
    machine.must(&["useradd", "--create-home", "bob"]);
    let bob = machine
        .must(&["id", "-u", "bob"])
        .trim()
        .parse()
        .expect("a number");
    let said = machine.run_as(
        "bob",
        bob,
        &["abide", "install", "--name", "x", "--", "sleep", "1000"],
    );
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(
        said.err.contains("right to write") && said.err.contains("--user"),
        "{}",
        said.err
    );
    // What is asked of a service that is not there is said at once.
    let said = machine.run(&["abide", "start", "no-such", "--service"]);
    assert!(said.err.contains("knows none"), "{}", said.err);
}
