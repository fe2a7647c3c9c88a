//! A home with ten units from `up` to `down`: a crash, commands, an edit.

use crate::shop::{Shop, Unit, running, wait_until};

const NAMES: [&str; 10] = ["fragile", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[test]
fn ten_units_are_guarded_from_up_to_down() {
    let shop = Shop::new();
    shop.configure(&NAMES.map(|name| (name, name, "")));
    shop.ask(&["up"]);
    let units = shop.status();
    assert_eq!(units.len(), 10);
    assert!(units.iter().all(running), "{units:#?}");

    // A crash, and back.
    let before = shop.unit("fragile");
    shop.write("crash now", "3");
    let after = shop.wait_for("fragile", |unit| {
        running(unit) && unit["pid"] != before["pid"]
    });
    assert_eq!(after["restarts"], 1);
    assert_eq!(after["last_exit"]["code"], 3, "{after:#}");
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("exit 3"), "{after:#}");
    // Its successor runs, and says so in its own time.
    let logs = wait_until("both to have spoken", || {
        let logs = shop.ask(&["logs", "fragile", "--format", "raw"]);
        (logs.matches("here is fragile").count() >= 2).then_some(logs)
    });
    assert_eq!(logs.matches("here is fragile").count(), 2, "{logs}");
    assert!(logs.contains("ouch"), "{logs}");

    // Commands.
    let b = shop.unit("b");
    shop.ask(&["restart", "b"]);
    assert_ne!(shop.unit("b")["pid"], b["pid"]);
    shop.ask(&["stop", "c"]);
    assert_eq!(shop.unit("c")["state"], "stopped");
    shop.ask(&["start", "c"]);
    assert!(running(&shop.unit("c")));

    // An edit.
    let d = shop.unit("d");
    let edited: Vec<Unit<'_>> = NAMES
        .into_iter()
        .filter(|name| *name != "j")
        .map(|name| {
            (
                name,
                name,
                if name == "e" {
                    "description = \"other\"\nenvironment_file = []"
                } else {
                    ""
                },
            )
        })
        .chain([("k", "k", "")])
        .collect();
    shop.configure(&edited);
    let plan = shop.ask(&["plan"]);
    for name in ["j", "k"] {
        assert!(plan.contains(name), "{plan}");
    }
    shop.ask(&["up"]);
    let names: Vec<String> = shop
        .status()
        .iter()
        .filter_map(|unit| unit["name"].as_str().map(str::to_owned))
        .collect();
    assert!(
        names.contains(&"k".to_owned()) && !names.contains(&"j".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        shop.unit("d")["pid"],
        d["pid"],
        "what is as it was is not touched"
    );

    let events = shop.ask(&["events", "--json"]);
    assert!(events.contains("exit 3"), "{events}");
    shop.ask(&["down"]);
    let gone = shop.run(&["status"]);
    assert_eq!(
        gone.status.code(),
        Some(4),
        "{gone:?}\n{}",
        shop.daemon_log()
    );
}
