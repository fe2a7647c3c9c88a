//! `abide doctor` on a real systemd: faults that are planted one at a time in a service that is sound.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::machine::{Init, Machine};

const UNIT: &str = "/etc/systemd/system/shop.service";

const SOUND: &str = "[Unit]
Description=the shop
Requires=systemd-journald.service
[Service]
Type=exec
ExecStart=/opt/shop/web /counts/shop
User=daemon
WorkingDirectory=/srv
EnvironmentFile=/etc/shop.env
StandardOutput=append:/var/log/shop.log
[Install]
WantedBy=multi-user.target
";

/// Puts everything as it should be.
fn repair(machine: &Machine) {
    for folder in ["/opt/shop", "/opt/my shop"] {
        let folder = machine.path(folder);
        fs::create_dir_all(&folder).expect("mkdir");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("chmod");
        let program = folder.join("web");
        fs::copy(machine.path("/usr/bin/counter"), &program).expect("copy");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    fs::write(machine.path("/etc/shop.env"), "A=1\n").expect("write");
    write_unit(machine, SOUND);
}

fn write_unit(machine: &Machine, text: &str) {
    fs::write(machine.path(UNIT), text).expect("write");
    machine.must(&["systemctl", "daemon-reload"]);
}

/// What the doctor finds of a service: the exit code, and check and text of each finding.
fn found(machine: &Machine, service: &str) -> (Option<i32>, Vec<(String, String)>) {
    let said = machine.run(&["abide", "doctor", service, "--json"]);
    let document: Value = serde_json::from_str(&said.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err));
    let findings = document["findings"].as_array().expect("an array");
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let findings = findings
        .iter()
        .filter(|finding| finding["subject"] == service)
        .inspect(|finding| assert_ne!(text(finding, "fix"), "", "{finding}"))
        .map(|finding| (text(finding, "check"), text(finding, "what")));
    (said.code, findings.collect())
}

#[test]
fn each_of_twelve_planted_faults_is_found_and_nothing_in_a_sound_service() {
    let Some(machine) = Machine::boot("doctor", Init::Systemd) else {
        return;
    };
    repair(&machine);
    assert_eq!(found(&machine, "shop"), (Some(0), vec![]));
    let chmod = |mode: &str, path: &str| {
        machine.must(&["chmod", mode, path]);
    };
    type Plant<'a> = &'a dyn Fn(&Machine);
    let set = |old: &'static str, new: &'static str| {
        move |machine: &Machine| write_unit(machine, &SOUND.replace(old, new))
    };
    let plants: [(&str, Plant<'_>); 12] = [
        ("quoting", &set("/opt/shop/web", "/opt/my shop/web")),
        ("writable", &|_| chmod("o+w", "/opt/shop")),
        ("program", &|machine| {
            fs::remove_file(machine.path("/opt/shop/web")).expect("rm");
        }),
        ("executable", &|_| chmod("a-x", "/opt/shop/web")),
        ("executable", &|_| chmod("0700", "/opt/shop")),
        ("account", &set("User=daemon", "User=nobody-here")),
        (
            "dependency",
            &set("systemd-journald.service", "no-such.service"),
        ),
        ("log", &set("/var/log/shop.log", "/var/log/none/shop.log")),
        ("boot", &set("WantedBy=multi-user.target\n", "")),
        ("definition", &set("Type=exec", "Type=exce")),
        ("directory", &set("=/srv", "=/srv/none")),
        ("environment", &set("/etc/shop.env", "/etc/none.env")),
    ];
    for (check, plant) in plants {
        plant(&machine);
        let (code, findings) = found(&machine, "shop");
        assert_eq!(code, Some(1), "{check}: {findings:?}");
        // systemd itself may have a word about the same line.
        let first = findings.first().map(|(check, _)| check.as_str());
        assert_eq!(first, Some(check), "{findings:?}");
        repair(&machine);
    }
    assert_eq!(found(&machine, "shop"), (Some(0), vec![]));

    // One of ours, with what it hosts.
    let place = "/counts/hosted";
    machine.must(&[
        "abide",
        "install",
        "--name",
        "hosted",
        "--",
        "/opt/shop/web",
        place,
    ]);
    assert_eq!(found(&machine, "hosted"), (Some(0), vec![]));
    fs::remove_file(machine.path("/opt/shop/web")).expect("rm");
    let (code, findings) = found(&machine, "hosted");
    assert_eq!(code, Some(1));
    assert!(findings[0].1.contains("the unit hosted"), "{findings:?}");
    // A start that comes to nothing asks by itself.
    let start = ["abide", "start", "hosted", "--timeout", "5s"];
    let said = machine.run(&start);
    said.expect_code(1, &start);
    assert!(
        said.err
            .contains("/opt/shop/web, which the unit hosted executes, is not there")
            && said.err.contains("help: put it there"),
        "{}",
        said.err
    );
    repair(&machine);
    machine.must(&["abide", "start", "hosted", "--timeout", "30s"]);
    machine.until_counts(place, (1, 0));
    // Without a word about its home.
    let said = machine.must(&["abide", "why", "hosted"]);
    assert!(said.contains("hosted"), "{said}");
    machine.must(&["abide", "logs", "hosted"]);
    machine.must(&["abide", "uninstall", "hosted", "--timeout", "30s"]);
    let (code, findings) = found(&machine, "hosted");
    assert_eq!((code, findings[0].0.as_str()), (Some(1), "registered"));
}
