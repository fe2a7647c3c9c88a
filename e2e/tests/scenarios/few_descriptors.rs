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

#[test]
fn a_daemon_that_may_not_open_what_its_keeper_holds_waits_and_takes_no_program_for_gone() {
    let home = Home::new("short-of-descriptors");
    home.write("abide.toml", &units(40));
    home.ok(&["up"]);
    let running = || -> Vec<u32> {
        (0..40)
            .map(|n| home.wait_running(&format!("u{n}")))
            .collect()
    };
    let pids = running();
    let keeper = home.keeper().expect("there is a keeper");
    let keeper = Pid::from_raw(keeper.cast_signed()).expect("a process");
    let limit = |limit: Rlimit| prlimit(Some(keeper), Resource::Nofile, limit).expect("limited");
    // Enough for itself, and not for what belongs to the units. Only the lower one: anybody may raise it again.
    let before = getrlimit(Resource::Nofile);
    limit(Rlimit {
        current: Some(60),
        ..before
    });
    let daemon = home.daemon().expect("there is a daemon");
    processes::signal(daemon, Signal::KILL);
    let log = home.home().join("daemon.log");
    let said = || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let waits = ["cannot take over", "so as not to start it twice"];
        waits.iter().any(|words| said.contains(words)).then_some(())
    };
    wait::until(
        "the next one says why it does not begin",
        wait::GENEROUS,
        said,
    );
    assert!(pids.iter().all(|pid| processes::lives(*pid)));

    limit(Rlimit {
        current: before.maximum,
        ..before
    });
    wait::until("a daemon serves again", wait::GENEROUS, || home.daemon());
    assert_eq!(running(), pids);
    let copies = home.processes();
    let copies = copies.iter().filter(|p| p.command.contains("sleep 86400"));
    assert_eq!(copies.count(), 40, "a program runs twice");
    let all = events(&home);
    assert!(all.iter().all(|event| event["event"] != "exited"));
    let back = all.iter().rfind(|e| e["event"] == "daemon_recovered");
    let back = back.expect("it is told");
    assert_eq!(back["adopted"], 40, "{back}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
