//! A small test runner: names that are sentences, one after the other, a count at the end.

use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, exit};

use crate::platform::Platform;
pub use crate::platform::{Outcome, Skipped};
use crate::{clauses, fake::Fake, linux, linux::Linux, main_process, orphaned, passing, upgrade};

/// A test that needs the real thing, with and without control groups.
pub type Both = (&'static str, fn(&mut Linux));

/// Set in the second run, as an ordinary user.
const AGAIN: &str = "CONTRACT_AS_USER";

/// The user and group that has the least rights on every Linux.
const NOBODY: u32 = 65534;

pub fn main() {
    let filter = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with('-'))
        .unwrap_or_default();
    let me = if rustix::process::geteuid().is_root() {
        "root"
    } else {
        "user"
    };
    let again = std::env::var_os(AGAIN).is_some();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut run = |name: String, test: &dyn Fn() -> Outcome| {
        if !name.contains(&filter) {
            return;
        }
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ok(())) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Ok(Err(Skipped(why))) => {
                skipped += 1;
                println!("test {name} ... ignored, {why}");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
        }
    };
    for (name, _, clause) in clauses::ALL {
        if !again {
            run(format!("fake::{name}"), &|| clause(&mut Fake::default()));
        }
        let on = |groups: bool| {
            move || {
                let Some(mut linux) = Linux::start(groups) else {
                    return Err(Skipped("no control group can be made here"));
                };
                clause(&mut linux as &mut dyn Platform)
            }
        };
        run(format!("linux::{me}::{name}"), &on(false));
        run(
            format!("linux::{me}::in_a_control_group::{name}"),
            &on(true),
        );
    }
    for (name, test) in passing::ALL
        .iter()
        .chain(main_process::ALL)
        .chain(upgrade::ALL)
    {
        let on = |groups: bool| {
            move || {
                let Some(mut linux) = Linux::start(groups) else {
                    return Err(Skipped("no control group can be made here"));
                };
                test(&mut linux);
                Ok(())
            }
        };
        run(format!("linux::{me}::{name}"), &on(false));
        run(
            format!("linux::{me}::in_a_control_group::{name}"),
            &on(true),
        );
    }
    for (name, test) in linux::ALL.iter().chain(orphaned::ALL) {
        run(format!("linux::{me}::{name}"), test);
    }
    let ok = if me == "root" {
        as_ordinary_user(&filter)
    } else {
        true
    };
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    );
    exit(i32::from(failed > 0 || !ok));
}

/// The same again with fewer rights, from a copy that such a user can execute.
fn as_ordinary_user(filter: &str) -> bool {
    let place = tempfile::Builder::new()
        .prefix("contract")
        .tempdir()
        .expect("a directory");
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path(), all).expect("its mode");
    let copy = place.path().join("contract");
    std::fs::copy(std::env::current_exe().expect("our file"), &copy).expect("a copy");
    let status = Command::new(&copy)
        .arg(filter)
        .env(AGAIN, "1")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .status()
        .expect("the copy runs");
    status.success()
}
