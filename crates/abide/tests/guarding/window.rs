//! A program that has a window, and nothing else by which it could be asked to end.

use crate::shop::{Shop, wait_until};
use crate::stopping::{none_is_left, steps};

#[test]
fn a_program_with_a_window_only_is_asked_to_close_it() {
    let shop = Shop::new();
    // Windows has no USR1.
    let stop = "stop = { within = \"60s\", steps = [{ signal = \"USR1\", within = \"10s\" }, { signal = \"HUP\" }] }";
    shop.configure(&[("window", "window", stop)]);
    shop.ask(&["up"]);
    // Nobody tells when the window is there; before, there is none to close, and that is said.
    let report = wait_until("a window that is closed", || {
        shop.ask(&["start", "window"]);
        shop.ask(&["stop", "window"]);
        let report = shop.unit("window")["last_stop"].clone();
        (report["ended_by"] == "SIGHUP").then_some(report)
    });
    assert_eq!(
        steps(&report),
        [("SIGUSR1", false), ("SIGHUP", true)],
        "{report:#}"
    );
    none_is_left(&shop, "window");
    shop.ask(&["down"]);
}
