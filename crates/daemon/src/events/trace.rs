//! Trace ids in what a program wrote last, so that the event of its crash leads to the request that it
//! was at.

use std::sync::LazyLock;
use std::time::Duration;

use abide_log::{Query, Reader, Source};
use abide_model::{UnitId, Wall};
use regex::bytes::Regex;

use crate::capture::Capture;

/// More would be noise.
const MOST: usize = 8;
/// How many of the last lines are looked at.
const LINES: u64 = 50;
/// How long what is still in the pipes is waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// A field by one of its usual names in JSON or logfmt, or a W3C `traceparent`.
static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Of a fixed pattern; a test compiles it.
    Regex::new(
        r#"(?i-u)(?:"?\b(?:trace[._-]?id|dd\.trace_id)"?\s*[:=]\s*"?([0-9a-z-]{8,64})\b|\b00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b)"#,
    )
    .ok()
});

/// Of what a unit wrote since then, in its last lines. Blocks for a moment at most: what its pipes hold
/// is waited for, a log in trouble is not looked at.
pub fn last_ids(capture: &Capture, id: UnitId, source: Source, since: Wall) -> Vec<String> {
    if capture.counters(id).trouble.is_some() {
        return Vec::new();
    }
    let (done, drained) = std::sync::mpsc::channel();
    // Nobody waits any more once the time is over.
    capture.flush(id, move || {
        let _ = done.send(());
    });
    if drained.recv_timeout(PATIENCE).is_err() {
        return Vec::new();
    }
    if !source.dir.is_dir() {
        // It never wrote anything.
        return Vec::new();
    }
    let query = Query {
        since: Some(since),
        last: Some(LINES),
        ..Query::default()
    };
    let Ok(mut reader) = Reader::open(vec![source], query) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    while let Ok(Some(record)) = reader.next_line() {
        lines.push(record.line.shown().to_vec());
    }
    ids(lines.iter().map(Vec::as_slice))
}

/// The distinct ids of these lines, in the order in which each was last seen; of many the last ones.
pub fn ids<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        if !mentions_a_trace(line) {
            continue;
        }
        let Some(pattern) = IDS.as_ref() else {
            return found;
        };
        for captures in pattern.captures_iter(line) {
            let Some(id) = captures.iter().skip(1).flatten().next() else {
                continue;
            };
            let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
            // All zeros is W3C's word for none.
            if id.bytes().all(|b| b == b'0' || b == b'-') {
                continue;
            }
            found.retain(|known| *known != id);
            found.push(id);
        }
    }
    let surplus = found.len().saturating_sub(MOST);
    found.drain(..surplus);
    found
}

/// Most logs have none, and then the pattern is not even compiled.
fn mentions_a_trace(line: &[u8]) -> bool {
    [&b"race"[..], b"RACE"]
        .iter()
        .any(|word| memchr::memmem::find(line, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        ids(text.lines().map(str::as_bytes))
    }

    #[test]
    fn ids_are_found_by_their_usual_names() {
        assert_eq!(
            of(r#"{"level":"error","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#),
            ["4bf92f3577b34da6a3ce929d0e0e4736"]
        );
        assert_eq!(
            of(r#"{"traceId" : "abcdef0123456789"}"#),
            ["abcdef0123456789"]
        );
        assert_eq!(
            of(r#"{"trace.id":"abcdef0123456789","dd.trace_id":"1234567890123456789"}"#),
            ["abcdef0123456789", "1234567890123456789"]
        );
        assert_eq!(
            of("level=error trace_id=abcdef0123456789 msg=x"),
            ["abcdef0123456789"]
        );
        assert_eq!(
            of("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ["4bf92f3577b34da6a3ce929d0e0e4736"]
        );
    }

    #[test]
    fn what_only_looks_like_one_is_left_out() {
        assert!(of("trace_id= \ntrace_id=\"\"\ntrace_id=00000000000000000000000000000000\nretrace_ids=abcdefabcdef").is_empty());
        assert!(ids([&b"\xff\xfetrace\x00"[..]]).is_empty());
    }

    #[test]
    fn each_id_is_told_once_and_of_many_the_last() {
        let text: String = (10..30)
            .map(|n| format!("trace_id=aaaaaaaa{n}\n"))
            .collect();
        let found = of(&format!("{text}trace_id=aaaaaaaa25\n"));
        assert_eq!(found.len(), MOST);
        assert_eq!(found.last().map(String::as_str), Some("aaaaaaaa25"));
        assert_eq!(found.iter().filter(|id| id.ends_with("25")).count(), 1);
    }
}
