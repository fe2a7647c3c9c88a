//! What cannot take over from a daemon leaves it as it was, and the message says why. On Linux this is shown end to end.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::shop::{Shop, Unit, abide, kill, lives, wait_until};
use crate::upgrading::{daemon, pids, told};

const UNITS: [Unit<'static>; 2] = [("steady", "steady", ""), ("counter", "counter 1000", "")];

/// The example that plays what its file is called, where cargo puts it; on a machine without cargo it lies beside this
/// test. A real `abide` lies beside the copy.
fn impostor(shop: &Shop, name: &str) -> String {
    let test = std::env::current_exe().expect("this test has a file");
    let folder = test.parent().expect("it lies in a folder");
    let built = folder.parent().map(|target| target.join("examples"));
    let file = "impostor.exe";
    let built = built.map(|folder| folder.join(file));
    let program = built
        .filter(|path| path.exists())
        .unwrap_or_else(|| folder.join(file));
    shop.bring(&program, name).display().to_string()
}

fn begun() -> Shop {
    let shop = Shop::with_its_own_abide();
    shop.configure_listening(&UNITS);
    shop.ask(&["up"]);
    shop
}

/// What is said when it is refused.
fn refused(shop: &Shop, binary: &str, more: &[&str]) -> String {
    let words = [&["upgrade", binary], more].concat();
    let said = shop.run(&words);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{binary}: {text}");
    text
}

/// Each is refused with these words, and nothing is another process afterwards.
fn expect_refused(shop: &Shop, cases: &[(String, &str)]) {
    let (before, pid) = (pids(shop), daemon(shop)["pid"].clone());
    for (binary, words) in cases {
        let said = refused(shop, binary, &[]);
        assert!(said.contains(words), "{binary}: {said}");
        assert_eq!(
            (&daemon(shop)["pid"], pids(shop)),
            (&pid, before.clone()),
            "{binary}"
        );
    }
}

fn expect_all_lines(shop: &Shop) {
    let (last, lost, doubled) = shop.lines();
    assert_eq!((lost, doubled), (0, 0), "of {last} lines");
    shop.ask(&["down"]);
}

#[test]
fn what_cannot_take_over_is_refused_and_the_daemon_goes_on() {
    let shop = begun();
    let inside = |name: &str| shop.path().join(name).display().to_string();
    std::fs::write(inside("plain.exe"), "hello").expect("written");
    std::fs::write(inside("script.cmd"), "@exit /b 0").expect("written");
    // Begins as a program does, and is none.
    std::fs::write(inside("broken.exe"), "MZ and nothing more").expect("written");
    let test: PathBuf = std::env::current_exe().expect("this test has a file");
    let cases = [
        (
            shop.bring(&test, "stranger").display().to_string(),
            "and exited with 0: not an abide binary",
        ),
        (
            impostor(&shop, "mute"),
            "said nothing and exited with 1: not an abide binary",
        ),
        (impostor(&shop, "older"), "it is too old"),
        (impostor(&shop, "newer"), "take a release in between first"),
        (
            impostor(&shop, "unable"),
            "cannot read the state here: it is in verse",
        ),
        (
            impostor(&shop, "stillborn"),
            "ended with code 3 before it was prepared",
        ),
        (inside("none.exe"), "is not there"),
        (inside("bin"), "is a directory"),
        (inside("plain.exe"), "is neither a program of this system"),
        (inside("script.cmd"), "is neither a program of this system"),
        (inside("broken.exe"), "failed: cannot execute"),
    ];
    expect_refused(&shop, &cases);
    let pid = daemon(&shop)["pid"].clone();
    let said = refused(&shop, &abide().display().to_string(), &["--keeper"]);
    assert!(
        said.contains("the keeper is renewed when it is started next"),
        "{said}"
    );
    assert_eq!(daemon(&shop)["pid"], pid);
    expect_all_lines(&shop);
}

/// Apart from the others, for the time it takes.
#[test]
fn what_is_not_ready_in_time_is_given_up_and_the_daemon_goes_on() {
    let shop = begun();
    expect_refused(
        &shop,
        &[
            (impostor(&shop, "hangs"), "did not answer within 10 s"),
            (impostor(&shop, "sleeper"), "was not prepared within 30 s"),
        ],
    );
    expect_all_lines(&shop);
}

#[test]
fn one_that_dies_after_taking_over_is_followed_by_the_one_before() {
    let shop = begun();
    let (before, keeper) = (pids(&shop), daemon(&shop)["keeper_pid"].clone());
    let binary = impostor(&shop, "short-lived");
    let said = refused(&shop, &binary, &[]);
    assert!(said.contains("is back"), "{said}");
    assert!(
        said.contains("ended with code 3 before it was ready"),
        "{said}"
    );
    assert_eq!(
        (&daemon(&shop)["keeper_pid"], pids(&shop)),
        (&keeper, before.clone())
    );
    let failed = told(&shop, "upgrade_failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["executable"], *binary);
    // And it is no worse for it.
    shop.ask(&["upgrade"]);
    assert_eq!(pids(&shop), before);
    assert_eq!(told(&shop, "upgraded").len(), 1);
    expect_all_lines(&shop);
}

#[test]
fn a_daemon_that_is_killed_in_the_midst_is_brought_back_and_so_is_one_with_its_keeper() {
    let shop = begun();
    let before = pids(&shop);
    let binary = impostor(&shop, "sleeper");
    for with_keeper in [false, true] {
        let mut upgrade = shop
            .command(&["upgrade", &binary])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it begins");
        let sleeper = wait_until("the new daemon", || {
            if let Some(status) = upgrade.try_wait().expect("it can be asked") {
                let mut said = String::new();
                let heard = upgrade
                    .stderr
                    .take()
                    .map(|mut text| text.read_to_string(&mut said));
                panic!(
                    "no upgrade was begun: {status}, {heard:?}: {said}; with the keeper: {with_keeper}"
                );
            }
            shop.read("bin/sleeper.pid")?.parse::<u32>().ok()
        });
        std::fs::remove_file(shop.path().join("bin/sleeper.pid")).expect("it is there");
        let running = daemon(&shop);
        let pid = |name: &str| {
            let pid = running[name].as_u64().and_then(|pid| pid.try_into().ok());
            pid.unwrap_or_else(|| panic!("{running}"))
        };
        if with_keeper {
            kill(pid("keeper_pid"));
        }
        kill(pid("pid"));
        let status = upgrade.wait().expect("it ends");
        assert!(!status.success());
        if with_keeper {
            // Nobody is left to end it: that is what it plays.
            kill(sleeper);
            shop.ask(&["up"]);
        }
        wait_until("another daemon", || {
            let now = shop.get("/v1/daemon")?;
            (now["pid"] != running["pid"]).then_some(())
        });
        wait_until("the end of the new daemon", || {
            (!lives(sleeper)).then_some(())
        });
        assert_eq!(pids(&shop), before);
    }
    shop.ask(&["upgrade"]);
    assert_eq!(pids(&shop), before);
    expect_all_lines(&shop);
}
