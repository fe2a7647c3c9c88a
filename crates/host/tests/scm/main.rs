//! The Service Control Manager itself: installed, asked, started, stopped, removed. Wine's knows no failure actions, no
//! delay and no service's own identifier; what is told of those is shown by the tests with a stand-in.

#![cfg(windows)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_host::{Change, Error, Kind, Manager, Restart, Scope, Service, Start, State};

const WITHIN: Duration = Duration::from_secs(120);

/// A program that is a service, and does nothing where there is no printer.
const SPOOLER: &str = r"C:\windows\system32\spoolsv.exe";

/// Wine's manager mixes up the answers to threads that ask at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Only where nobody's services are meddled with.
fn manager() -> Option<(Manager, MutexGuard<'static, ()>)> {
    if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
        // Past the runner's capture; there is nobody else to tell.
        let line =
            b"SKIPPED scm: services are made only under Wine; verify.ps1 does it on Windows\n";
        let _lost = std::io::Write::write_all(&mut std::io::stderr().lock(), line);
        return None;
    }
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let manager = Manager::of(Kind::Scm, Scope::System).expect("Windows has it");
    Some((manager, alone))
}

fn service(name: &str) -> Service {
    let mut service = Service::new(name, SPOOLER);
    service.restart = Restart::Never;
    service.start = Start::Manual;
    service
}

#[test]
fn a_service_lives_from_its_installation_to_its_removal() {
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let mut service = service("abide-life");
    service.display_name = Some("A life".to_owned());
    service.description = Some("is there for a while".to_owned());
    service.dependencies = vec!["RpcSs".to_owned()];
    service.environment = [("PORT".to_owned(), "80".to_owned())].into();
    service.scm.event_messages = Some(r"%SystemRoot%\System32\EventCreate.exe".to_owned());
    let state = || manager.status("abide-life").expect("it says").state;
    assert_eq!(state(), State::NotInstalled);
    let done = manager.install(&service).expect("it is installed");
    assert_eq!(done.change, Change::New);
    assert_eq!(state(), State::Stopped);
    assert!(
        manager
            .installed()
            .expect("a list")
            .contains(&"abide-life".to_owned())
    );

    // As it was written, so it is read back; then there is nothing to change.
    let again = manager.install(&service).expect("it is there");
    assert_eq!(again.change, Change::None);
    let text = manager.definition("abide-life").expect("ours");
    for line in [
        r#"ImagePath = "C:\windows\system32\spoolsv.exe""#,
        "DisplayName = A life",
        "Description = is there for a while",
        "Start = 3 (by hand)",
        "DependOnService = RpcSs",
        "Environment = PORT=80",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }

    manager.start("abide-life", WITHIN).expect("it comes up");
    let status = manager.status("abide-life").expect("it says");
    assert_eq!(status.state, State::Running);
    assert!(status.pid.is_some());
    manager
        .restart("abide-life", WITHIN)
        .expect("it is up again");
    manager.stop("abide-life", WITHIN).expect("it goes down");
    assert_eq!(state(), State::Stopped);

    service.start = Start::Auto;
    service.arguments = vec!["--all".to_owned()];
    let changed = manager.install(&service).expect("it is changed in place");
    let Change::Changed(changes) = changed.change else {
        panic!("{:?}", changed.change);
    };
    assert_eq!(
        changes[0].1,
        "- ImagePath = \"C:\\windows\\system32\\spoolsv.exe\"\n\
         + ImagePath = \"C:\\windows\\system32\\spoolsv.exe\" --all\n\
         - Start = 3 (by hand)\n+ Start = 2 (at boot)\n"
    );
    let commands = manager.commands().expect("they are told");
    let words = [SPOOLER, "--all"].map(str::to_owned).to_vec();
    assert!(
        commands.contains(&("abide-life".to_owned(), words)),
        "{commands:?}"
    );
    assert!(manager.status("abide-life").expect("it says").enabled);
    manager.disable("abide-life").expect("it is disabled");
    assert!(!manager.status("abide-life").expect("it says").enabled);

    // Also while it runs.
    manager.start("abide-life", WITHIN).expect("it comes up");
    manager.uninstall("abide-life", WITHIN).expect("it goes");
    assert_eq!(state(), State::NotInstalled);
    let error = manager
        .uninstall("abide-life", WITHIN)
        .expect_err("it is gone");
    assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    let source = r"SYSTEM\CurrentControlSet\Services\EventLog\Application\abide-life";
    let left = abide_platform::registry::value(source, "EventMessageFile");
    assert_eq!(left.expect("it can be asked for"), None);
}

#[test]
fn a_service_of_somebody_elses_is_left_alone() {
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let configuration = abide_platform::service_manager::Configuration {
        kind: 0x10,
        start: 3,
        image_path: SPOOLER.to_owned(),
        dependencies: vec!["RpcSs".to_owned()],
        account: "LocalSystem".to_owned(),
        display_name: "Somebody's".to_owned(),
    };
    abide_platform::service_manager::create("abide-foreign", &configuration, None)
        .expect("it is made");
    let mine = service("abide-foreign");
    for error in [
        manager.install(&mine).expect_err("it is not ours"),
        manager
            .uninstall("abide-foreign", WITHIN)
            .expect_err("it is not ours"),
    ] {
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
    let found =
        abide_platform::service_manager::configuration("abide-foreign").expect("it is there");
    assert_eq!(found.image_path, SPOOLER);
    assert_eq!(found.display_name, "Somebody's");
    // It can be started and stopped all the same.
    manager.start("abide-foreign", WITHIN).expect("it comes up");
    manager.stop("abide-foreign", WITHIN).expect("it goes down");
    abide_platform::service_manager::delete("abide-foreign").expect("it is removed");
}

#[test]
fn a_program_that_is_no_service_is_told_apart() {
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let mut service = service("abide-no-service");
    service.program = r"C:\windows\system32\hostname.exe".into();
    manager.install(&service).expect("it is installed");
    let error = manager
        .start("abide-no-service", WITHIN)
        .expect_err("it is none");
    let text = error.to_string();
    assert!(text.contains("it may be no service (error 1053)"), "{text}");
    manager
        .uninstall("abide-no-service", WITHIN)
        .expect("it goes");
}

#[test]
fn what_is_not_there_is_said_before_anything_is_written() {
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let mut missing = service("abide-missing");
    missing.program = r"C:\nowhere\web.exe".into();
    let error = manager.install(&missing).expect_err("it is not there");
    assert!(error.to_string().contains("is not there"), "{error}");
    let mut relative = service("abide-missing");
    relative.program = "web.exe".into();
    let error = manager.install(&relative).expect_err("it is relative");
    assert!(
        error.to_string().contains("not an absolute path"),
        "{error}"
    );
    let mut nobody = service("abide-missing");
    nobody.user = Some("nobody-at-all".to_owned());
    let error = manager
        .install(&nobody)
        .expect_err("there is no such account");
    assert!(error.to_string().contains("there is no account"), "{error}");
    let status = manager.status("abide-missing").expect("it says");
    assert_eq!(status.state, State::NotInstalled);
}

#[cfg(feature = "doctor")]
#[test]
fn the_doctor_finds_what_was_planted_and_nothing_in_a_sound_service() {
    use abide_host::doctor::{Check, of_service};
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let mut sound = service("abide-sound");
    sound.scm.event_messages = Some(
        std::env::current_exe()
            .expect("it is known")
            .display()
            .to_string(),
    );
    manager.install(&sound).expect("it is installed");
    let report = of_service(&manager, "abide-sound", None).expect("it is examined");
    // This test program has no message table.
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert_eq!(checks, [Check::Log], "{:?}", report.findings);
    manager.uninstall("abide-sound", WITHIN).expect("it goes");

    let configuration = abide_platform::service_manager::Configuration {
        kind: 0x10,
        start: 3,
        image_path: r"C:\no where\web.exe --port 80".to_owned(),
        dependencies: vec!["nothing-like-it".to_owned()],
        account: "LocalSystem".to_owned(),
        display_name: "Faults".to_owned(),
    };
    abide_platform::service_manager::create("abide-faults", &configuration, None)
        .expect("it is made");
    let report = of_service(&manager, "abide-faults", None).expect("it is examined");
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert_eq!(
        checks,
        [Check::Quoting, Check::Dependency, Check::Program],
        "{:?}",
        report.findings
    );
    abide_platform::service_manager::delete("abide-faults").expect("it is removed");
    let report = of_service(&manager, "abide-faults", None).expect("it is examined");
    assert_eq!(report.findings[0].check, Check::Registered);
}

/// What is planted in a service that is sound, in its values and around them.
#[cfg(feature = "doctor")]
#[test]
fn each_fault_that_is_planted_in_a_service_of_wines_is_found_and_nothing_in_a_sound_one() {
    use abide_host::doctor::{Check, Command, Port, Unit, of_service};
    use abide_platform::registry::{self, Value};
    use abide_platform::service_manager::{Configuration, create, delete};
    use std::path::Path;

    const NAME: &str = "abide-planted";
    const KEY: &str = r"SYSTEM\CurrentControlSet\Services\abide-planted";
    const SOURCE: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application\abide-planted";
    let Some((manager, _alone)) = manager() else {
        return;
    };
    let place = tempfile::tempdir().expect("a directory");
    let file = |name: &str| {
        let file = place.path().join(name);
        std::fs::write(&file, "no program").expect("written");
        format!("\"{}\"", file.display())
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let sound = || Configuration {
        kind: 0x10,
        start: 3,
        image_path: format!("\"{SPOOLER}\""),
        dependencies: vec!["RpcSs".to_owned()],
        account: "LocalSystem".to_owned(),
        display_name: "Planted".to_owned(),
    };
    let hosted = || Unit {
        files: vec![Path::new(r"C:\windows\win.ini").to_owned()],
        commands: vec![Command {
            by: "the unit shop".to_owned(),
            words: vec!["hostname".to_owned()],
            directory: Some(r"C:\windows".into()),
            path: vec![r"C:\windows\system32".into()],
            ..Command::default()
        }],
        ..Unit::default()
    };
    let found = |unit: &Unit| -> Vec<(Check, String)> {
        let report = of_service(&manager, NAME, Some(unit)).expect("it is examined");
        let findings = report.findings.into_iter();
        findings
            .inspect(|finding| assert!(!finding.fix.is_empty(), "{finding:?}"))
            .map(|finding| (finding.check, finding.what))
            .collect()
    };
    let checks = |change: &dyn Fn(&mut Configuration)| {
        let mut service = sound();
        change(&mut service);
        create(NAME, &service, None).expect("it is made");
        let found = found(&hosted());
        delete(NAME).expect("it is removed");
        found
    };
    assert_eq!(checks(&|_| ()), []);

    let (text, batch) = (file("a.txt"), file("a.cmd"));
    type Plant<'a> = &'a dyn Fn(&mut Configuration);
    let values: [(Check, Plant<'_>); 11] = [
        (Check::Quoting, &|s| {
            s.image_path = r"C:\windows\my shop\web.exe".into()
        }),
        (Check::Program, &|s| {
            s.image_path = r"C:\windows\none.exe".into()
        }),
        (Check::Program, &|s| s.image_path = r"C:\windows".into()),
        (Check::Program, &|s| {
            s.image_path = r"C:\windows\system32\kernel32.dll".into()
        }),
        (Check::Program, &|s| s.image_path.clone_from(&text)),
        (Check::Program, &|s| s.image_path.clone_from(&batch)),
        (Check::Dependency, &|s| {
            s.dependencies = vec!["no-such".into()]
        }),
        (Check::Dependency, &|s| s.dependencies = vec![NAME.into()]),
        (Check::Dependency, &|s| {
            s.dependencies = vec!["abide-off".into()]
        }),
        (Check::Definition, &|s| s.kind = 0x110),
        (Check::Boot, &|s| s.start = 4),
    ];
    let off = Configuration {
        start: 4,
        display_name: "Off".to_owned(),
        ..sound()
    };
    create("abide-off", &off, None).expect("it is made");
    for (check, plant) in values {
        let found = checks(plant);
        let first = found.first().map(|(check, _)| *check);
        assert_eq!(first, Some(check), "{found:?}");
        assert!(found.len() == 1 || check == Check::Quoting, "{found:?}");
    }
    delete("abide-off").expect("it is removed");

    create(NAME, &sound(), None).expect("it is made");
    let only = |check: Check, unit: &Unit| {
        let found = found(unit);
        assert!(
            matches!(&found[..], [(is, _)] if *is == check),
            "{check}: {found:?}"
        );
    };
    let values = [
        (Check::Registered, KEY, "DeleteFlag", Value::Number(1)),
        (
            Check::Environment,
            KEY,
            "Environment",
            Value::Texts(vec!["PORT=80".into(), "DEBUG".into()]),
        ),
        (
            Check::Log,
            SOURCE,
            "EventMessageFile",
            Value::Text(r"C:\windows\none.dll".into()),
        ),
    ];
    for (check, key, name, value) in values {
        registry::set(key, name, &value).expect("it is planted");
        only(check, &hosted());
        registry::delete_value(key, name).expect("it is taken out");
    }
    registry::delete_tree(SOURCE).expect("it is taken out");
    type Break<'a> = &'a dyn Fn(&mut Unit);
    let plants: [(Check, Break<'_>); 5] = [
        (Check::Unit, &|unit| {
            unit.invalid = Some(("it is no TOML".into(), "write some".into()));
        }),
        (Check::Program, &|unit| {
            unit.commands[0].words[0] = "no-such".into()
        }),
        (Check::Program, &|unit| {
            unit.commands[0].words[0] = r"..\none.exe".into();
        }),
        (Check::Directory, &|unit| {
            unit.commands[0].directory = Some(r"C:\none".into());
        }),
        (Check::Ports, &|unit| {
            unit.ports = vec![Port {
                address: listener.local_addr().expect("it has one"),
                by: "ready".into(),
            }];
        }),
    ];
    for (check, plant) in plants {
        let mut unit = hosted();
        plant(&mut unit);
        only(check, &unit);
    }
    assert_eq!(found(&hosted()), []);
    delete(NAME).expect("it is removed");
}
