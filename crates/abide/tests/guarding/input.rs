//! Standard input that is a pipe: it ends when a step of a stop says so, and not before.

use crate::shop::{Shop, kill, running, wait_until};
use crate::stopping::steps;

/// The end of its input, then what it heeds if it does not read.
const CLOSE: &str = "stdin = \"pipe\"\nstop = { within = \"100s\", steps = [{ stdin = \"close\", within = \"WITHIN\" }, { signal = \"INT\" }] }";

fn within(time: &str) -> String {
    CLOSE.replace("WITHIN", time)
}

#[test]
fn the_end_of_its_input_is_a_step_of_a_stop_and_a_program_that_never_reads_gets_the_next_one() {
    let shop = Shop::new();
    let (long, short) = (within("90s"), within("500ms"));
    shop.configure(&[("reads", "reader", &long), ("idles", "idle", &short)]);
    shop.ask(&["up"]);

    // Each run has an input of its own.
    shop.ask(&["restart", "reads"]);
    let unit = shop.wait_for("reads", running);
    assert_eq!(unit["last_stop"]["ended_by"], "end of input", "{unit:#}");
    let begun = wait_until("the second one", || {
        Some(shop.starts("reads")).filter(|starts| starts.len() == 2)
    });
    assert_eq!(shop.noted("ends", "reads"), begun[..1]);

    wait_until("the other one", || {
        (shop.starts("idles").len() == 1).then_some(())
    });
    shop.ask(&["stop", "all"]);
    assert_eq!(shop.noted("ends", "reads"), begun);
    let reads = shop.unit("reads");
    assert_eq!(reads["last_exit"]["code"], 0, "{reads:#}");
    assert_eq!(steps(&reads["last_stop"]), [("end of input", true)]);
    let idles = shop.unit("idles")["last_stop"].clone();
    assert_eq!(idles["ended_by"], "SIGINT", "{idles:#}");
    let all = [("end of input", true), ("SIGINT", true)];
    assert_eq!(steps(&idles), all, "{idles:#}");
    let shown = shop.ask(&["show", "reads"]);
    assert!(shown.contains("ended by end of input"), "{shown}");
    shop.ask(&["down"]);
}

#[test]
fn an_input_goes_on_when_the_daemon_dies_and_when_the_keeper_does() {
    let shop = Shop::new();
    let close = within("90s");
    shop.configure_listening(&[("reads", "reader", &close)]);
    shop.ask(&["up"]);
    let pid = shop.wait_for("reads", running)["pid"].clone();
    for victim in ["pid", "keeper_pid", "pid"] {
        let now = || shop.get("/v1/daemon")?[victim].as_u64();
        let process = wait_until("an answer", now);
        kill(u32::try_from(process).expect("a process"));
        wait_until("another one in its place", || {
            now().filter(|now| *now != process)
        });
    }
    let unit = shop.wait_for("reads", running);
    assert_eq!((&unit["pid"], &unit["restarts"]), (&pid, &0.into()));
    assert_eq!(shop.noted("ends", "reads").len(), 0);
    shop.ask(&["stop", "reads"]);
    let report = shop.unit("reads")["last_stop"].clone();
    assert_eq!(report["ended_by"], "end of input", "{report:#}");
    // It had not ended before.
    assert!(report["steps"][0]["how"].is_null(), "{report:#}");
    shop.ask(&["down"]);
}
