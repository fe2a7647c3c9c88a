//! Units that say nothing cost a descriptor each and no more, and what they say after all is kept whoever
//! is killed meanwhile.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use abide_e2e::{Home, wait};

use crate::both_killed::can_take_descriptors;

const UNITS: usize = 30;
/// What a unit has in the daemon: its FIFO, and the pidfd of its run.
const EACH: usize = 2;

/// Answers each line of its FIFO with one on its standard output.
const ECHO: &str = "while :; do read -r line < ask && echo \"$line\"; done";

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[test]
fn quiet_units_cost_a_descriptor_each_and_what_they_say_later_outlives_everybody() {
    let home = Home::new("quiet");
    home.write(
        "abide.toml",
        &format!("[service.echo]\ncommand = ['sh', '-c', '{ECHO}']\n"),
    );
    home.ok(&["run", "--name", "first", "--", "sleep", "86400"]);
    let daemon = home.daemon().expect("there is a daemon");
    let keeper = home.keeper().expect("there is a keeper");
    home.ok(&["stop", "first"]);
    wait::let_pass(Duration::from_secs(4));
    let before = [daemon, keeper].map(descriptors);
    let units = (0..UNITS).map(|n| {
        format!("[service.u{n}]\ncommand = ['sh', '-c', 'echo hello; exec sleep 86400']\n")
    });
    home.write("many.toml", &units.collect::<String>());
    home.ok(&["up", "many.toml"]);
    if can_take_descriptors() {
        wait::until("what they said is in their logs", wait::GENEROUS, || {
            let more = |pid, before| descriptors(pid).saturating_sub(before);
            // A few for whatever else it does just now.
            (more(daemon, before[0]) <= UNITS * EACH + 5 && more(keeper, before[1]) <= UNITS + 2)
                .then_some(())
        });
    }

    let ask = home.path("ask");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &ask,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a FIFO");
    home.ok(&["up"]);
    let echo = home.wait_running("echo");
    let mut said = Vec::new();
    let mut say = |text: &str| {
        let mut ask = fs::OpenOptions::new()
            .write(true)
            .open(&ask)
            .expect("it asks");
        writeln!(ask, "{text}").expect("asked");
        said.push(text.to_owned());
        said.clone()
    };
    let log = || home.ok(&["logs", "echo", "-n", "100", "--format", "raw"]);
    let all = |said: Vec<String>| {
        wait::until("its log has all of it", wait::GENEROUS, || {
            (log().lines().collect::<Vec<_>>() == said).then_some(())
        });
    };
    all(say("at first"));
    wait::let_pass(Duration::from_secs(4));
    all(say("after a pause"));
    home.kill_daemon();
    all(say("after the daemon's death"));
    wait::let_pass(Duration::from_secs(4));
    home.kill_both();
    let said = say("while nobody is there");
    home.ok(&["up"]);
    all(said);
    assert_eq!(home.wait_running("echo"), echo);
    all(say("and again"));
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
