//! A machine that lets abide open few files: what does not fit is refused whole, what fits works.

use std::process::Command;

use abide_e2e::{Home, processes, wait};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::events;

const LIMIT: u32 = 256;

fn units(count: u32) -> String {
    (0..count)
        .map(|n| format!("[service.u{n}]\ncommand = [\"sleep\", \"86400\"]\n"))
        .collect()
}

/// `abide` with that limit, soft and hard.
fn limited(home: &Home, args: &str) -> Command {
    let plain = home.command(&[]);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {LIMIT} && exec \"$0\" {args}"))
        .arg(plain.get_program())
        .current_dir(home.path("."));
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[test]
fn units_that_need_more_open_files_than_there_are_are_refused_together_and_harm_nobody() {
    let home = Home::new("few-descriptors");
    home.write("many.toml", &units(200));
    home.write("few.toml", &units(20));

    let refused = home.finish(limited(&home, "up many.toml"), "abide up many.toml");
    assert_eq!(refused.code, 1, "{refused:?}");
    for word in [
        "200 units",
        "RLIMIT_NOFILE",
        "256",
        "room for",
        "ulimit -n",
        "nothing was changed",
    ] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    assert_eq!(home.units().expect("a daemon answers").len(), 0);

    home.ok(&["up", "few.toml"]);
    let daemon = home.daemon().expect("there is a daemon");
    let limits = std::fs::read_to_string(format!("/proc/{daemon}/limits")).expect("it lives");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    assert!(
        files.is_some_and(|line| line.contains(" 256 ")),
        "{files:?}"
    );
    for args in [&["up", "many.toml"][..], &["plan", "many.toml"]] {
        assert_ne!(home.abide(args).code, 0);
    }
    let pids: Vec<u32> = (0..20)
        .map(|n| home.wait_running(&format!("u{n}")))
        .collect();

    // With so few there is still room for all that happens to units that fit.
    home.kill_daemon();
    assert_eq!(home.wait_running("u19"), pids[19]);
    for pid in pids {
        processes::signal(pid, Signal::KILL);
    }
    for n in 0..20 {
        home.wait_for(&format!("u{n}"), "runs again", |unit| {
            unit["state"] == "running" && unit["restarts"] == 1
        });
    }
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// What a daemon says that did not begin for want of descriptors, wherever it noticed.
fn fell_short(log: &str) -> bool {
    let reasons = ["Too many open files", "RLIMIT_NOFILE, `prlimit"];
    log.lines()
        .filter(|line| line.contains(" ERROR ") && line.contains(" cannot "))
        .any(|line| reasons.iter().any(|reason| line.contains(reason)))
}

#[test]
fn a_daemon_that_may_not_open_what_its_keeper_holds_waits_and_takes_no_program_for_gone() {
    let home = Home::new("short-of-descriptors");
    let answers = "trap 'echo heard' USR1; sleep 86400 & while :; do wait; done";
    let config: String = (0..40)
        .map(|n| format!("[service.u{n}]\ncommand = [\"sh\", \"-c\", \"{answers}\"]\n"))
        .collect();
    home.write("abide.toml", &config);
    home.ok(&["up"]);
    let running = || -> Vec<u32> {
        (0..40)
            .map(|n| home.wait_running(&format!("u{n}")))
            .collect()
    };
    let pids = running();
    let keeper = home.keeper().expect("there is a keeper");
    let before = getrlimit(Resource::Nofile);
    // Only the lower one: anybody may raise it again.
    let limit = |pid, current| {
        let pid = Pid::from_raw(u32::cast_signed(pid));
        prlimit(pid, Resource::Nofile, Rlimit { current, ..before })
    };
    let log = home.home().join("daemon.log");
    let (mut refused, mut rounds) = (0, 0);
    // From what the keeper needs to begin a daemon on, step by step through all that one opens. How much that is
    // differs between machines: with the last ones it may come up.
    for more in (3..30).step_by(3) {
        std::fs::write(&log, "").expect("it is ours");
        let held = std::fs::read_dir(format!("/proc/{keeper}/fd"));
        let held = held.expect("it lives").count() as u64;
        limit(keeper, Some(held + more)).expect("it lives");
        let daemon = home.daemon().expect("there is a daemon");
        processes::signal(daemon, Signal::KILL);
        // Not asked by its API: what connects while there is no daemon waits for one.
        let begun = wait::until(
            "the next one begins or says why not",
            wait::GENEROUS,
            || {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let begun = || said.contains("some will not start or lose").then_some(true);
                fell_short(&said).then_some(false).or_else(begun)
            },
        );
        refused += u32::from(!begun);
        assert!(pids.iter().all(|pid| processes::lives(*pid)), "{more}");

        limit(keeper, before.maximum).expect("it lives");
        let of_keeper = |pid: &u32| processes::parent(*pid) == Some(keeper);
        for child in processes::all().into_iter().filter(of_keeper) {
            // The daemon that came up, or one that just gives up.
            let _ = limit(child, before.maximum);
        }
        wait::until("a daemon serves again", wait::GENEROUS, || home.daemon());
        assert_eq!(running(), pids, "{more}");
        for pid in &pids {
            processes::signal(*pid, Signal::USR1);
        }
        rounds += 1;
        wait::until("what all write is taken", wait::GENEROUS, || {
            let said = home.ok(&["logs", "-n", "all", "--format", "raw"]);
            (said.matches("heard").count() == 40 * rounds).then_some(())
        });
    }
    assert!(refused > 0, "no limit was too low");
    let copies = home.processes();
    let copies = copies.iter().filter(|p| p.command == "sleep 86400");
    assert_eq!(copies.count(), 40, "a program runs twice");
    let all = events(&home);
    assert!(all.iter().all(|event| event["event"] != "exited"));
    let back = all.iter().rfind(|e| e["event"] == "daemon_recovered");
    let back = back.expect("it is told");
    assert_eq!(back["adopted"], 40, "{back}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
