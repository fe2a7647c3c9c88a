//! abide as a service of the Service Control Manager: one unit, or all of them. The services are made by hand, as with
//! `sc create … binPath= …`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_platform::identity::Handle;
use abide_platform::service_control;
use abide_platform::service_manager::{self, Configuration, RunState};

use crate::programs::{ARGUMENTS, PLAY};
use crate::shop::{Shop, abide, kill, wait_or_tell, wait_until};
use crate::upgrading::told;

const STOPPED: u32 = 1;
const STARTING: u32 = 2;
const RUNNING: u32 = 4;

/// `SERVICE_CONTROL_STOP`.
const STOP: u32 = 1;

/// `SERVICE_CONTROL_PAUSE`.
const PAUSE: u32 = 2;

/// `ERROR_INVALID_SERVICE_CONTROL`.
const NOT_TAKEN: i32 = 1052;

/// `ERROR_SERVICE_SPECIFIC_ERROR`.
const OWN: u32 = 1066;

/// Wine's manager mixes up the answers to threads that ask at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Services are made where nobody's are meddled with.
fn may_make_services(test: &str) -> Option<MutexGuard<'static, ()>> {
    if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
        let line = format!(
            "SKIPPED: {test}: services are made only under Wine; verify.ps1 makes them on Windows\n"
        );
        // There is nobody else to tell.
        let _lost = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
        return None;
    }
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A service that does not outlive the test.
struct Made<'a> {
    name: &'static str,
    shop: &'a Shop,
}

impl<'a> Made<'a> {
    /// abide with these arguments, in the shop's home.
    fn new(name: &'static str, shop: &'a Shop, arguments: &str) -> Self {
        let home = shop.path().join("home");
        let made = Configuration {
            kind: 0x10,
            start: 3,
            image_path: format!(
                "\"{}\" --home \"{}\" {arguments}",
                abide().display(),
                home.display()
            ),
            account: "LocalSystem".to_owned(),
            display_name: name.to_owned(),
            ..Configuration::default()
        };
        service_manager::create(name, &made, None).expect("it is made");
        Self { name, shop }
    }

    fn start(&self) {
        service_manager::start(self.name, &[]).expect("it is started");
    }

    fn state(&self) -> RunState {
        service_manager::state(self.name).expect("it is there")
    }

    #[track_caller]
    fn is(&self, state: u32) -> RunState {
        let tell = || {
            let events = self.shop.run(&["events", "-n", "100"]);
            format!(
                "state {state}: {:?}\n{}\n{}{}",
                self.state(),
                self.shop.daemon_log(),
                String::from_utf8_lossy(&events.stdout),
                String::from_utf8_lossy(&events.stderr)
            )
        };
        wait_or_tell(tell, || {
            Some(self.state()).filter(|seen| seen.state == state)
        })
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // It may have stopped, and be gone.
        let _stopped = service_manager::control(self.name, STOP);
        let _gone = service_manager::delete(self.name);
    }
}

#[test]
fn a_hosted_unit_is_a_service_from_its_readiness_to_its_exit_code() {
    let Some(_alone) = may_make_services("a_hosted_unit_is_a_service") else {
        return;
    };
    let shop = Shop::new();
    let more = "ready = { file = \"up\" }\nrestart = \"never\"";
    shop.configure(&[("web", "fragile", more)]);
    let file = shop.path().join("abide.toml");
    let service = Made::new(
        "abide-web",
        &shop,
        &format!("host \"{}:web\"", file.display()),
    );
    service.start();
    wait_until("its program", || shop.starts("web").first().copied());
    let starting = wait_until("progress", || {
        Some(service.state()).filter(|seen| seen.checkpoint >= 2)
    });
    assert_eq!(starting.state, STARTING, "it is not ready");
    shop.write("up", "");
    let running = service.is(RUNNING);

    // A death of the daemon is not seen.
    let program = shop.starts("web")[0];
    let daemon = service_control::parent(program).expect("the daemon made it");
    assert_ne!(daemon, running.pid, "the keeper is the service");
    kill(daemon);
    wait_until("another daemon", || {
        shop.run(&["status"]).status.success().then_some(())
    });
    assert_eq!(service.state(), running);
    assert_eq!(shop.starts("web").len(), 1);

    // It does not rest.
    let paused = service_manager::control(service.name, PAUSE).expect_err("it takes no pause");
    assert_eq!(paused.raw_os_error(), Some(NOT_TAKEN));

    // It fails for good, and so does the service.
    shop.write("crash now", "3");
    let ended = service.is(STOPPED);
    assert_eq!((ended.exit, ended.own_exit), (OWN, 3));

    // Up and down again.
    service.start();
    wait_until("its program again", || shop.starts("web").get(1).copied());
    shop.write("up", "");
    let keeper = Handle::open(service.is(RUNNING).pid).expect("it lives");
    service_manager::control(service.name, STOP).expect("it takes it");
    let ended = service.is(STOPPED);
    assert_eq!((ended.exit, ended.own_exit), (0, 0));
    let left = shop.alive("web");
    assert!(left.is_empty(), "stopped before the service is: {left:?}");
    wait_until("the keeper's end", || (!keeper.alive()).then_some(()));
}

#[test]
fn another_executable_takes_over_from_a_service_and_its_manager_sees_nothing_of_it() {
    let Some(_alone) = may_make_services("another_executable_takes_over_from_a_service") else {
        return;
    };
    let shop = Shop::new();
    shop.configure(&[("web", "idle", "")]);
    let file = shop.path().join("abide.toml");
    let line = format!("host --control 128=restart \"{}:web\"", file.display());
    let service = Made::new("abide-upgraded", &shop, &line);
    service.start();
    let running = service.is(RUNNING);
    let program = wait_until("its program", || shop.starts("web").first().copied());
    let other = shop.bring(&abide(), "other");
    let other = other.to_str().expect("text");
    shop.ask(&["upgrade", other]);
    assert_eq!(service.state(), running);
    let upgraded = told(&shop, "upgraded");
    assert_eq!(upgraded.len(), 1, "{upgraded:?}");
    assert_eq!(upgraded[0]["executable"], other);
    assert_eq!(upgraded[0]["kept"], 1);
    assert_eq!(shop.starts("web"), [program]);
    assert_eq!(shop.alive("web"), [program]);

    // The new one hears what is asked of the service, and the manager hears it.
    shop.ask(&["control", "128", service.name]);
    wait_until("a restart", || shop.starts("web").get(1).copied());
    service_manager::control(service.name, STOP).expect("it takes it");
    let ended = service.is(STOPPED);
    assert_eq!((ended.exit, ended.own_exit), (0, 0));
    let left = shop.alive("web");
    assert!(left.is_empty(), "stopped before the service is: {left:?}");
}

#[test]
fn a_service_that_cannot_begin_says_why() {
    let Some(_alone) = may_make_services("a_service_that_cannot_begin") else {
        return;
    };
    let shop = Shop::new();
    shop.configure(&[("web", "idle", "")]);
    let file = shop.path().join("abide.toml");
    let line = format!("host \"{}:web\"", file.display());
    let service = Made::new("abide-cannot", &shop, &line);
    let why = || std::fs::read_to_string(shop.path().join("home").join("why-not.txt"));
    let ended = || {
        service.start();
        wait_until("its end", || {
            Some(service.state()).filter(|seen| seen.state == STOPPED && seen.exit == OWN)
        })
    };

    // It begins, which makes its home.
    service.start();
    service.is(RUNNING);
    service_manager::control(service.name, STOP).expect("it takes it");
    service.is(STOPPED);
    assert!(why().is_err(), "there is nothing to say");

    // Its file has a mistake.
    let sound = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, sound.replace("command", "comand")).expect("it is written");
    assert_eq!(ended().own_exit, 2);
    let text = why().expect("it is said");
    assert!(text.contains("comand"), "{text}");
    std::fs::write(&file, sound).expect("it is written");

    // Somebody else has its home.
    shop.ask(&["up"]);
    assert_ne!(ended().own_exit, 0);
    let text = why().expect("it is said");
    assert!(
        text.starts_with("cannot ") && !text.contains("comand"),
        "{text}"
    );
    shop.ask(&["down"]);

    // What was said is forgotten when it begins, as soon as the home is free.
    wait_until(&format!("its begin: {:?}", why()), || {
        let seen = service.state();
        if seen.state == STOPPED {
            service.start();
        }
        (seen.state == RUNNING).then_some(())
    });
    assert!(why().is_err());
}

#[test]
fn the_daemon_is_a_service_that_takes_its_units_down() {
    let Some(_alone) = may_make_services("the_daemon_is_a_service") else {
        return;
    };
    let shop = Shop::new();
    shop.configure(&[("a", "idle", ""), ("b", "idle", "")]);
    let file = shop.path().join("abide.toml");
    let line = format!("daemon --control 200=restart \"{}\"", file.display());
    let service = Made::new("abide-all", &shop, &line);
    service.start();
    service.is(RUNNING);
    for unit in ["a", "b"] {
        wait_until("it to be up", || shop.starts(unit).first().copied());
    }
    // A control that has a meaning.
    shop.ask(&["control", "200", service.name]);
    for unit in ["a", "b"] {
        wait_until("a restart", || shop.starts(unit).get(1).copied());
    }
    service_manager::delete(service.name).expect("it is marked");
    service_manager::control(service.name, STOP).expect("it takes it");
    wait_until("its end", || service_manager::state(service.name).err());
    for unit in ["a", "b"] {
        let left = shop.alive(unit);
        assert!(left.is_empty(), "stopped with it: {left:?} of {unit}");
    }
}

#[test]
fn an_installed_program_lives_from_its_installation_to_its_removal() {
    let Some(_alone) = may_make_services("an_installed_program_lives") else {
        return;
    };
    const NAME: &str = "abide-lives";
    let shop = Shop::new();
    let program = std::env::current_exe().expect("this test has a file");
    let program = program.to_str().expect("text");
    let folder = shop.path().to_str().expect("text");
    let plays = format!("{PLAY}=polite");
    let install = [
        "install", "--name", NAME, "-C", folder, "-e", &plays, "--", program,
    ];
    shop.ask(&[&install[..], &ARGUMENTS].concat());
    let counts = || (shop.starts(NAME).len(), shop.noted("ends", NAME).len());
    shop.ask(&["start", NAME]);
    wait_until("its program", || (counts() == (1, 0)).then_some(()));
    shop.ask(&["restart", NAME]);
    wait_until("its program again", || (counts() == (2, 1)).then_some(()));
    // Its file is read again, which is waited for.
    shop.ask(&["reload", NAME]);
    shop.ask(&["stop", NAME]);
    assert_eq!(counts(), (2, 2));
    shop.ask(&["uninstall", NAME]);
    let gone = service_manager::state(NAME).expect_err("it is gone");
    assert_eq!(gone.raw_os_error(), Some(1060));
}

#[test]
fn a_unit_that_a_service_hosts_is_not_kept_by_a_daemon_that_cannot_read_of_it() {
    let Some(_alone) = may_make_services("a_unit_that_a_service_hosts") else {
        return;
    };
    const NAME: &str = "abide-theirs";
    let shop = Shop::new();
    shop.configure(&[
        ("theirs", "idle", ""),
        ("ours", "idle", "requires = [\"theirs\"]"),
    ]);
    let file = shop.path().join("abide.toml");
    let target = format!("{}:theirs", file.display());
    shop.ask(&["install", "--name", NAME, "--start", "manual", &target]);
    // As it is to a daemon of another account, for which the notes are closed.
    let data = std::env::var_os("ProgramData").expect("Windows has it");
    let notes = std::path::Path::new(&data).join("abide").join("services");
    std::fs::remove_dir_all(notes.join(NAME)).expect("it is noted");
    shop.ask(&["up"]);
    wait_until("what is ours", || shop.starts("ours").first().copied());
    let units = shop.ask(&["status", "--json"]);
    let units: serde_json::Value = serde_json::from_str(&units).expect("JSON");
    let names = units.as_array().expect("an array").iter();
    let names: Vec<_> = names.map(|unit| unit["name"].clone()).collect();
    assert_eq!(names, ["ours"]);
    assert!(shop.starts("theirs").is_empty());
    shop.ask(&["down"]);
    service_manager::delete(NAME).expect("it goes");
}
