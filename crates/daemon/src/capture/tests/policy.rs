//! Whether a program waits for its log, and whether the log is written through.

use std::io::Write as _;
use std::time::Duration;

use abide_model::{LogSpec, LogSync, UnitId, WhenFull};

use super::{Rig, flush, spec, start, until};

const LINES: usize = 50_000;

fn policy(when_full: WhenFull) -> LogSpec {
    LogSpec {
        when_full,
        ..spec()
    }
}

/// Writes more than the pipes hold into a log whose directory cannot be made, and makes that possible when
/// `enough` says so, of the bytes lost and of whether the program is done. Returns the lines, and the bytes lost.
fn through_trouble(when_full: WhenFull, enough: impl Fn(u64, bool) -> bool) -> (Vec<String>, u64) {
    let rig = Rig::new();
    let (capture, events) = start();
    std::fs::write(&rig.logs, "a file in its place").expect("written");
    capture
        .add(rig.stream(1, policy(when_full)))
        .expect("added");
    let mut program = rig.program();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(program, "{n:09}").expect("written");
        }
        program
    });
    until("the log is in trouble", || {
        let counters = capture.counters(UnitId(1));
        counters.trouble.is_some() && enough(counters.bytes_lost, writer.is_finished())
    });
    let waits = !writer.is_finished();
    assert_eq!(waits, when_full == WhenFull::Block, "whether it waits");
    std::fs::remove_file(&rig.logs).expect("removed");
    let _program = writer.join().expect("wrote");
    until("it is kept again", || {
        capture.counters(UnitId(1)).trouble.is_none()
    });
    flush(&capture, 1);
    let counters = capture.counters(UnitId(1));
    let lost = counters.bytes_lost;
    assert_eq!(counters.bytes + lost, LINES as u64 * 10);
    let told = events.try_iter().collect::<Vec<_>>();
    assert_eq!(told.is_empty(), lost == 0, "{told:?}");
    (rig.lines(), lost)
}

#[test]
fn a_program_that_waits_for_its_log_loses_nothing() {
    // Nothing tells that it waits but that it comes no further: it has written what two pipes hold at most.
    let (lines, lost) = through_trouble(WhenFull::Block, |_, _| true);
    assert_eq!((lines.len(), lost), (LINES, 0));
    assert!(
        lines
            .iter()
            .enumerate()
            .all(|(n, line)| *line == format!("{n:09}"))
    );
}

#[test]
fn what_a_program_that_never_waits_loses_is_told_at_its_place_in_the_log() {
    let (lines, lost) = through_trouble(WhenFull::Drop, |lost, done| done && lost > 0);
    let marks: Vec<_> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| {
            let rest = line.strip_prefix("abide: ")?;
            let (bytes, reason) = rest.split_once(" bytes are missing here: ")?;
            assert!(
                reason.starts_with("the log cannot be written: "),
                "{reason}"
            );
            Some((at, bytes.parse::<u64>().expect("a number")))
        })
        .collect();
    let [(at, told)] = marks[..] else {
        panic!("one gap, and not {marks:?}")
    };
    assert_eq!(told, lost);
    assert_eq!(lines[0], "000000000");
    assert_eq!(lines.last().map(String::as_str), Some("000049999"));
    let before: Vec<_> = (0..at - 1).map(|n| format!("{n:09}")).collect();
    assert_eq!(lines[..at - 1], before);
}

#[test]
fn a_log_that_is_synced_each_moment_is_and_then_nothing_more_happens() {
    let rig = Rig::new();
    let (capture, _events) = start();
    let spec = LogSpec {
        sync: LogSync::Every(Duration::from_millis(100)),
        ..spec()
    };
    capture.add(rig.stream(1, spec)).expect("added");
    writeln!(rig.program(), "hello").expect("written");
    flush(&capture, 1);
    assert!(capture.engine.owes_sync(UnitId(1)), "it was never planned");
    until("it is synced", || !capture.engine.owes_sync(UnitId(1)));
    until("everything rests", || capture.engine.is_idle());
    assert_eq!(rig.lines(), ["hello"]);
}
