//! Reloads by what Windows has for signals. What stands for them elsewhere is sent to the main process of a unit.

use abide_model::Signal;
use abide_platform::stop::can_reload;

use crate::shop::{Shop, wait_until};

#[test]
fn a_program_reloads_at_ctrl_c_and_is_not_ended_by_what_no_program_can_hear() {
    let shop = Shop::new();
    shop.configure(&[
        ("hears", "reloads", "reload = { signal = \"SIGINT\" }"),
        ("idle", "idle", "reload = { signal = \"SIGHUP\" }"),
    ]);
    shop.ask(&["up"]);
    // Before that Ctrl-C would end it.
    wait_until("its ears", || shop.noted("ears", "hears").pop());
    let before = shop.unit("hears");
    for times in 1..=2 {
        shop.ask(&["reload", "hears"]);
        wait_until("its reload", || {
            (shop.noted("reloads", "hears").len() == times).then_some(())
        });
    }
    assert_eq!(shop.unit("hears")["pid"], before["pid"]);
    let absent = can_reload(Signal::HUP).expect_err("it closes windows");
    let refused = shop.run(&["reload", "idle"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains(absent.reason),
        "{said}"
    );
    for unit in ["hears", "idle"] {
        assert_eq!(shop.unit(unit)["restarts"], 0);
    }
    shop.ask(&["down"]);
}
