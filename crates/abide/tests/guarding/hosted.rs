//! abide as a service of the Service Control Manager: one unit, or all of them. The services are made by hand, as with
//! `sc create … binPath= …`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_platform::service_manager::{self, Configuration, RunState};

use crate::shop::{Shop, abide, kill, lives, wait_until};

const STOPPED: u32 = 1;
const STARTING: u32 = 2;
const RUNNING: u32 = 4;

/// `SERVICE_CONTROL_STOP`.
const STOP: u32 = 1;

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
        let what = format!(
            "state {state}: {:?}\n{}",
            self.state(),
            self.shop.daemon_log()
        );
        wait_until(&what, || {
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

fn daemon(shop: &Shop) -> Option<u32> {
    let pid = shop.get("/v1/daemon")?["pid"].as_u64()?;
    u32::try_from(pid).ok()
}

#[test]
fn a_hosted_unit_is_a_service_from_its_readiness_to_its_exit_code() {
    let Some(_alone) = may_make_services("a_hosted_unit_is_a_service") else {
        return;
    };
    let shop = Shop::new();
    let more = "ready = { file = \"up\" }\nrestart = \"never\"";
    shop.configure_listening(&[("web", "fragile", more)]);
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
    let first = wait_until("a daemon", || daemon(&shop));
    assert_ne!(first, running.pid, "the keeper is the service");
    kill(first);
    wait_until("another daemon", || {
        daemon(&shop).filter(|pid| *pid != first)
    });
    assert_eq!(service.state(), running);
    assert_eq!(shop.starts("web").len(), 1);

    // It fails for good, and so does the service.
    shop.write("crash now", "3");
    let ended = service.is(STOPPED);
    assert_eq!((ended.exit, ended.own_exit), (OWN, 3));

    // Up and down again.
    service.start();
    let program = wait_until("its program again", || shop.starts("web").get(1).copied());
    shop.write("up", "");
    let keeper = service.is(RUNNING).pid;
    service_manager::control(service.name, STOP).expect("it takes it");
    let ended = service.is(STOPPED);
    assert_eq!((ended.exit, ended.own_exit), (0, 0));
    assert!(!lives(program), "it is stopped before the service is");
    wait_until("the keeper's end", || (!lives(keeper)).then_some(()));
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
        assert_eq!(shop.starts(unit).len(), 1, "it is up when the service is");
    }
    // A control that has a meaning.
    service_manager::control(service.name, 200).expect("it knows it");
    let programs: Vec<u32> = ["a", "b"]
        .map(|unit| wait_until("a restart", || shop.starts(unit).get(1).copied()))
        .into();
    service_manager::delete(service.name).expect("it is marked");
    service_manager::control(service.name, STOP).expect("it takes it");
    wait_until("its end", || service_manager::state(service.name).err());
    assert!(!programs.into_iter().any(lives), "they are stopped with it");
}
