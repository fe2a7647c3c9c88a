//! `kill -9` of keeper and daemon together while two hundred units run, and some of them end in the gap.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use abide_e2e::{Home, processes, wait};
use serde_json::Value;

use crate::{events, pids};

const UNITS: usize = 200;
/// One writes a line every 10 ms.
const QUICK: &str = "u0";
/// These end in the gap.
const EXITS: &str = "u1";
const DIES: &str = "u2";

fn configuration(home: &Home, lines: &Path) -> String {
    let numbered = home.bring(Path::new(env!("CARGO_BIN_EXE_numbered")));
    let mut text = String::new();
    for n in 0..UNITS {
        let unit = format!("u{n}");
        let words = match &*unit {
            QUICK => r#""steady", "10000""#,
            EXITS => r#""leaver", "50000", "3""#,
            DIES => r#""leaver", "50000", "kill""#,
            _ => r#""steady", "1000000""#,
        };
        let (program, dir) = (numbered.display(), lines.display());
        let _ = writeln!(
            text,
            "[service.{unit}]\ncommand = [\"{program}\", \"{unit}\", \"{dir}\", {words}]"
        );
    }
    text
}

/// How many lines a unit's first run says that it has written.
fn written(lines: &Path, unit: &str) -> u64 {
    let file = std::fs::read(lines.join(format!("{unit}.written"))).unwrap_or_default();
    let number = file.get(8..16).and_then(|bytes| bytes.try_into().ok());
    number.map_or(0, u64::from_ne_bytes)
}

/// The numbers of the lines of each unit's first run, in the order of its log; each line is whole.
fn logged(home: &Home) -> BTreeMap<String, Vec<u64>> {
    let text = home.ok(&["logs", "u*", "-n", "all", "--format", "raw"]);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in whole.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [unit, run, number, fill] = words.as_slice() else {
            panic!("{line:?} is not whole");
        };
        let end = fill.strip_suffix('.').expect("whole");
        assert!(end.bytes().all(|b| b == b'x'), "{line:?} is not whole");
        if *run == "1" {
            let number = number.parse().expect("a number");
            numbers.entry((*unit).to_owned()).or_default().push(number);
        }
    }
    numbers
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == kind).collect()
}

/// How it ended is known, or said to be unknown; and that its last output may be missing is said, here and there.
fn assert_told(home: &Home, events: &[Value], unit: &str, before: u32, how: (&str, Value)) {
    let back = home.wait_for(unit, "runs again", |status| {
        status["state"] == "running" && status["pid"].is_u64() && status["pid"] != before
    });
    let exit = &back["last_exit"];
    let reason = exit["reason"].as_str().expect("a reason");
    let (field, value) = how;
    if exit[field] != value {
        assert!(reason.contains("exit status unknown"), "{exit}");
        assert_eq!(
            (&exit["code"], &exit["signal"]),
            (&Value::Null, &Value::Null)
        );
    }
    assert_eq!(exit["output_may_be_lost"], true, "{exit}");
    assert!(reason.contains("while abide was gone"), "{reason}");
    assert!(reason.contains("may be lost"), "{reason}");
    let told: Vec<_> = of_kind(events, "exited")
        .into_iter()
        .filter(|event| event["unit"] == unit)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["output_may_be_lost"], true, "{told:?}");
    assert!(home.ok(&["show", unit]).contains("may be lost"));
}

#[test]
fn two_hundred_units_outlive_keeper_and_daemon_and_what_ended_meanwhile_is_told() {
    let home = Home::new("two-hundred");
    let lines: PathBuf = home.make_dir("lines");
    home.write("abide.toml", &configuration(&home, &lines));
    home.ok(&["up"]);
    let before = pids(&home);
    assert_eq!(before.len(), UNITS);
    wait::until("the quick one writes", wait::GENEROUS, || {
        (written(&lines, QUICK) > 50).then_some(())
    });

    home.kill_both();
    home.write("lines/leave", "");
    let leavers = [EXITS, DIES];
    for unit in leavers {
        wait::until("it ends by itself", wait::GENEROUS, || {
            (!processes::lives(before[unit])).then_some(())
        });
    }
    std::fs::remove_file(lines.join("leave")).expect("ours");
    let so_far = written(&lines, QUICK);
    wait::until("the quick one goes on alone", wait::GENEROUS, || {
        (written(&lines, QUICK) > so_far + 50).then_some(())
    });
    let up = home.abide(&["up"]);
    let said = "2 ended meanwhile";
    let told: Vec<_> = up.stdout.lines().filter(|l| l.contains(said)).collect();
    assert_eq!(told.len(), 1, "{up:?}");
    assert!(
        told[0].contains("what they wrote last may be lost"),
        "{up:?}"
    );

    // One copy of each, and those that lived are those that were there.
    let after = pids(&home);
    for (unit, pid) in &before {
        let same = after[unit] == *pid;
        assert_eq!(same, !leavers.contains(&&**unit), "{unit}");
    }
    assert_eq!(home.running("numbered").len(), UNITS);
    assert!(!lines.join("doubled").exists(), "a unit ran twice");

    let all = events(&home);
    let recovered = of_kind(&all, "daemon_recovered");
    assert_eq!(recovered.len(), 1, "{recovered:?}");
    let recovered = recovered[0];
    assert_eq!(recovered["died"], "both", "{recovered}");
    assert_eq!(recovered["adopted"], UNITS - 2, "{recovered}");
    assert_eq!(recovered["ended"], 2, "{recovered}");
    assert_eq!(recovered["output_may_be_lost"], 2, "{recovered}");
    assert!(recovered["last_seen_at"].is_string(), "{recovered}");
    assert_eq!(of_kind(&all, "adopted").len(), UNITS - 2);
    let ended: BTreeSet<_> = of_kind(&all, "exited")
        .iter()
        .map(|e| e["unit"].as_str())
        .collect();
    assert_eq!(
        ended,
        leavers.map(Some).into(),
        "and nobody else's end is told"
    );
    let (three, abort) = (Value::from(3), Value::from("SIGABRT"));
    assert_told(&home, &all, EXITS, before[EXITS], ("code", three));
    assert_told(&home, &all, DIES, before[DIES], ("signal", abort));

    // Not a line of what lives on is missing or there twice.
    let wanted: BTreeMap<&String, u64> = before.keys().map(|u| (u, written(&lines, u))).collect();
    let logged = wait::until("their logs have it all", wait::GENEROUS, || {
        let logged = logged(&home);
        let last = |unit| logged.get(unit).and_then(|n| n.last().copied());
        let mut lived = before.keys().filter(|unit| !leavers.contains(&&***unit));
        lived
            .all(|unit| last(unit) >= Some(wanted[unit]))
            .then_some(logged)
    });
    for (unit, numbers) in &logged {
        let in_order: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(*numbers, in_order, "{unit}");
    }
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
