//! Other executables take over, while units run and write and somebody follows what they write.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::shop::{Shop, abide, wait_until};

/// How many times in a row.
const TIMES: usize = 4;

/// The units that these tests configure. `status` lists more: services that a test beside this one has installed.
const GUARDED: [&str; 2] = ["steady", "counter"];

/// The process of each of them.
pub fn pids(shop: &Shop) -> Vec<(Value, Value)> {
    let mut pids: Vec<_> = shop
        .status()
        .iter()
        .filter(|unit| GUARDED.iter().any(|name| unit["name"] == *name))
        .map(|unit| (unit["name"].clone(), unit["pid"].clone()))
        .collect();
    pids.sort_by_key(|(name, _)| name.to_string());
    assert!(!pids.is_empty(), "none of {GUARDED:?} is there");
    pids
}

/// What `GET /v1/daemon` says.
pub fn daemon(shop: &Shop) -> Value {
    wait_until("a daemon that answers", || shop.get("/v1/daemon"))
}

/// All events of this kind.
pub fn told(shop: &Shop, kind: &str) -> Vec<Value> {
    let lines = shop.ask(&["events", "--json"]);
    let events = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["event"] == kind).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a text")
}

#[test]
fn executables_follow_each_other_and_no_program_or_reader_notices() {
    let shop = Shop::new();
    shop.configure_listening(&[("steady", "steady", ""), ("counter", "counter 1000", "")]);
    shop.ask(&["up"]);
    let (before, keeper) = (pids(&shop), daemon(&shop)["keeper_pid"].clone());
    let copies = ["one", "two"].map(|name| shop.bring(&abide(), name));
    let mut follower = shop
        .command(&["logs", "counter", "-f", "-n", "all", "--format", "raw"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a follower");
    let output = follower.stdout.take().expect("its output");

    for time in 0..TIMES {
        let copy = &copies[time % 2];
        let report = shop.ask(&["upgrade", text(copy), "--json"]);
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["upgraded"], true, "{report}");
        assert_eq!(report["kept"], 2, "{report}");
        let daemon = daemon(&shop);
        assert_eq!(daemon["executable"], text(copy), "{daemon}");
        assert_eq!(daemon["keeper_pid"], keeper, "{daemon}");
        assert_eq!(pids(&shop), before);
    }
    // The very file that runs already: a way to recover.
    let report = shop.ask(&["upgrade", text(&copies[1]), "--json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["same_file"], true, "{report}");
    assert_eq!(told(&shop, "upgraded").len(), TIMES + 1);
    assert_eq!(told(&shop, "exited"), [] as [Value; 0]);

    let (last, lost, doubled) = shop.lines();
    assert_eq!((lost, doubled), (0, 0), "of {last} lines");
    let numbers = BufReader::new(output).lines().filter_map(|line| {
        let line = line.expect("text");
        line.get(..7)?.parse::<u64>().ok()
    });
    let followed: Vec<u64> = numbers.take(last as usize).collect();
    assert!(followed.into_iter().eq(1..=last), "a follower missed lines");
    follower.kill().expect("ours");
    follower.wait().expect("ours");
    for name in ["steady", "counter"] {
        assert_eq!(shop.starts(name).len(), 1, "{name} was doubled");
    }
    shop.ask(&["down"]);
}

#[test]
fn a_daemon_whose_file_was_renamed_and_replaced_says_so_and_becomes_the_new_one() {
    let shop = Shop::with_its_own_abide();
    shop.configure_listening(&[("steady", "steady", "")]);
    shop.ask(&["up"]);
    let before = pids(&shop);
    assert_eq!(daemon(&shop)["executable_replaced"], false);
    let bin = shop.path().join("bin");
    let name = format!("abide{}", std::env::consts::EXE_SUFFIX);
    let old = bin.join(format!("abide-old{}", std::env::consts::EXE_SUFFIX));
    std::fs::rename(bin.join(&name), old).expect("what runs can be renamed");
    let new = shop.bring(&abide(), "abide");
    // Where a name is followed it is told by its new one.
    let said = daemon(&shop);
    let file = said["executable"].as_str().unwrap_or_default();
    assert!(
        said["executable_replaced"] == true || file.contains("abide-old"),
        "{said}"
    );
    shop.ask(&["upgrade"]);
    let daemon = daemon(&shop);
    assert_eq!(daemon["executable_replaced"], false, "{daemon}");
    assert_eq!(daemon["executable"], text(&new), "{daemon}");
    assert_eq!(pids(&shop), before);
    shop.ask(&["down"]);
}
