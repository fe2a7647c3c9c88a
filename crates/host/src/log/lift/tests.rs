use super::*;
use proptest::prelude::*;

/// 2026-01-31T14:05:01.234Z.
const WHEN: i64 = 1_769_868_301_234_000_000;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn each_loggers_line_is_understood() {
    for logger in LOGGERS {
        let expected = Lifted {
            severity: Some(Severity::Warning),
            time: Some(WHEN),
            message: Some("slow".to_owned()),
            trace_id: Some(TRACE.to_owned()),
        };
        assert_eq!(lift(logger.sample.as_bytes()), expected, "{}", logger.name);
    }
}

#[test]
fn the_keys_of_each_logger_are_in_the_table_and_the_other_way_round() {
    let named: String = LOGGERS
        .iter()
        .map(|it| [it.level, it.time, it.message, it.trace, it.sample].concat())
        .collect();
    for logger in LOGGERS {
        for column in [logger.time, logger.message, logger.trace] {
            for word in column.split('`').skip(1).step_by(2) {
                let word = word.replace("[]", "");
                let known = |key: &Key| {
                    key.name == word
                        || (!key.parent.is_empty()
                            && format!("{}.{}", key.parent, key.name) == word)
                };
                assert!(KEYS.iter().any(known), "{}: {word}", logger.name);
            }
        }
    }
    // Most are somebody's; the rest are spellings.
    let used = KEYS.iter().filter(|key| named.contains(key.name));
    assert!(used.count() * 3 > KEYS.len() * 2);
}

#[test]
fn plain_text_stays_as_it_is() {
    for text in [
        "",
        "hello",
        "GET / 200",
        "x = 1",
        "key=value",
        "time=5 apples",
        "level = warn",
        "{not json}",
        "{\"level\":\"warn\"} and more",
        "{\"level\":\"warn\"",
        "[\"level\",\"warn\"]",
        "{}",
        "{\"a\":1}",
        "level=\"warn",
        "<8>text",
        "<3",
    ] {
        assert_eq!(lift(text.as_bytes()), Lifted::default(), "{text}");
    }
    assert_eq!(lift(b"{\"level\":\"\xff\"}"), Lifted::default());
    assert_eq!(lift(b"level=warn \xff"), Lifted::default());
}

#[test]
fn a_level_in_angle_brackets_is_taken_off() {
    let lifted = lift(b"<3>it broke");
    assert_eq!(lifted.severity, Some(Severity::Error));
    assert_eq!(lifted.message.as_deref(), Some("it broke"));
}

#[test]
fn an_earlier_key_wins_wherever_it_stands() {
    let lifted =
        lift(br#"{"severity":"debug","message":"b","level":"error","msg":"a","level":"info"}"#);
    assert_eq!(lifted.severity, Some(Severity::Error));
    assert_eq!(lifted.message.as_deref(), Some("a"));
    // A value that is none is as good as absent.
    let lifted = lift(
        br#"{"level":"loud","severity":"WARN","trace_id":"0000","traceId":"a1","time":"soon"}"#,
    );
    assert_eq!(lifted.severity, Some(Severity::Warning));
    assert_eq!(lifted.trace_id.as_deref(), Some("a1"));
    assert_eq!(lifted.time, None);
}

#[test]
fn w3cs_header_holds_a_trace_id() {
    let line =
        br#"{"level":30,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#;
    assert_eq!(lift(line).trace_id.as_deref(), Some(TRACE));
    for bad in ["", "a b", "0000-0000", "\"\\u0000\"", &"a".repeat(65)] {
        assert_eq!(trace_id(bad), None, "{bad}");
    }
}

#[test]
fn hostile_lines_are_text_or_what_they_say() {
    let deep = "{\"fields\":".repeat(20_000);
    let arrays = format!("{{\"Scopes\":{}", "[".repeat(20_000));
    let ignored = format!(
        "{{\"level\":\"warn\",\"x\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let many = format!(
        "{{{}\"level\":\"warn\"}}",
        "\"level\":\"loud\",".repeat(10_000)
    );
    let long = format!("{{\"level\":\"warn\",\"msg\":\"{}\"}}", "x".repeat(LONGEST));
    assert_eq!(lift(deep.as_bytes()), Lifted::default());
    assert_eq!(lift(arrays.as_bytes()), Lifted::default());
    assert_eq!(lift(long.as_bytes()), Lifted::default());
    assert_eq!(lift(many.as_bytes()).severity, Some(Severity::Warning));
    let lifted = lift(ignored.as_bytes());
    assert!(
        lifted
            .severity
            .is_none_or(|severity| severity == Severity::Warning)
    );
    let pairs = "a=b ".repeat(60_000) + "level=warn";
    assert_eq!(lift(pairs.as_bytes()), Lifted::default());
}

proptest! {
    #[test]
    fn no_line_is_too_strange(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = lift(&line);
        let _ = lift(&[b"{\"level\":", line.as_slice()].concat());
        let _ = lift(&[b"level=", line.as_slice()].concat());
    }

    #[test]
    fn a_message_is_lifted_as_it_was_written(text in any::<String>(), level in 0u8..8) {
        let line = serde_json::json!({ "level": level, "msg": text }).to_string();
        let lifted = lift(line.as_bytes());
        prop_assert_eq!(lifted.message, Some(text.clone()));
        prop_assert_eq!(lifted.severity.map(Severity::number), Some(level));
        let logfmt = format!("level=warn msg=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        prop_assert_eq!(lift(logfmt.as_bytes()).message, Some(text));
    }

    #[test]
    fn a_time_is_read_as_it_is_written(nanos in 0i64..4_000_000_000_000_000_000) {
        let micros = nanos / 1000 * 1000;
        let entry = super::super::Entry { time: micros, ..Default::default() };
        let identity = super::super::Identity { host: "h".into(), facility: Default::default() };
        let message = super::super::syslog::message(&entry, &identity);
        let text = String::from_utf8_lossy(&message).split(' ').nth(1).map(str::to_owned);
        prop_assert_eq!(time::of_text(&text.unwrap_or_default()), Some(micros));
    }
}

fn page() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/system-logs.md")
}

const BEGIN: &str = "<!-- made from the code: begin -->\n";
const END: &str = "<!-- made from the code: end -->";

#[test]
fn the_page_has_the_table_of_loggers() {
    let mut table =
        String::from("| logger | level | time | message | trace id |\n|---|---|---|---|---|\n");
    for logger in LOGGERS {
        let Logger {
            name,
            level,
            time,
            message,
            trace,
            ..
        } = logger;
        table += &format!("| {name} | {level} | {time} | {message} | {trace} |\n");
    }
    let text = std::fs::read_to_string(page()).expect("docs/system-logs.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (written, after) = rest.split_once(END).expect("the table ends");
    if std::env::var_os("ABIDE_WRITE_DOCS").is_some() {
        std::fs::write(page(), format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
    } else {
        assert!(
            written == table,
            "docs/system-logs.md is out of date; ABIDE_WRITE_DOCS=1 writes it anew"
        );
    }
}
