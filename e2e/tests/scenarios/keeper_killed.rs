//! The keeper dies, alone or together with the daemon.

use abide_e2e::{Home, home, processes, wait};
use rustix::process::Signal;

use crate::{assert_none_missing, guest, numbers};

fn home_with_counter(name: &str) -> (Home, u32) {
    let home = Home::new(name);
    let guest = home.bring(guest());
    home.write(
        "abide.toml",
        &format!(
            "[service.counter]\ncommand = [\"{}\", \"count\", \"5000\"]\n[service.other]\ncommand = \"sleep 1000\"\n",
            guest.display()
        ),
    );
    home.ok(&["up"]);
    let pid = home.wait_running("counter");
    (home, pid)
}

#[test]
fn a_keeper_that_is_killed_alone_is_replaced_and_no_program_notices() {
    let (home, pid) = home_with_counter("keeper");
    let keeper = home.keeper().expect("there is a keeper");
    processes::signal(keeper, Signal::KILL);
    wait::until("there is a new keeper", wait::GENEROUS, || {
        home.keeper().filter(|new| *new != keeper && *new != 1)
    });
    assert_eq!(home.wait_running("counter"), pid);
    let before = numbers(&home, "counter").len();
    let all = wait::until("the counter goes on", wait::GENEROUS, || {
        Some(numbers(&home, "counter")).filter(|all| all.len() > before + 20)
    });
    assert_none_missing(&all);
    home.kill_daemon();
    assert_eq!(
        home.wait_running("counter"),
        pid,
        "the new keeper brings the daemon back"
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn when_keeper_and_daemon_die_the_next_up_adopts_what_still_runs() {
    let (home, pid) = home_with_counter("both");
    let other = home.wait_running("other");
    home.kill_both();
    assert!(processes::lives(pid), "the program goes on without them");
    processes::signal(other, Signal::KILL);
    home.ok(&["up"]);
    assert_eq!(
        home.wait_running("counter"),
        pid,
        "it was adopted, not started again"
    );
    let back = home.wait_for("other", "was started again", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != other
    });
    assert_ne!(home::pid(&back), other);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
