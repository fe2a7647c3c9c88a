use super::*;
use crate::log::{Facility, Severity};
use proptest::prelude::*;

fn identity() -> Identity {
    Identity {
        host: "web-1".to_owned(),
        facility: Facility::DAEMON,
    }
}

/// A message taken apart by the grammar of RFC 5424, section 6.
struct Read {
    priority: u32,
    header: Vec<String>,
    params: Vec<(String, String)>,
    text: Vec<u8>,
}

impl Read {
    fn param(&self, name: &str) -> Option<&str> {
        let param = self.params.iter().find(|(param, _)| param == name);
        param.map(|(_, value)| value.as_str())
    }
}

fn read(message: &[u8]) -> Read {
    let rest = message.strip_prefix(b"<").expect("PRI");
    let end = rest.iter().position(|b| *b == b'>').expect("PRI ends");
    let priority = String::from_utf8_lossy(&rest[..end])
        .parse()
        .expect("digits");
    let mut rest = &rest[end + 1..];
    let mut header = Vec::new();
    for _ in 0..6 {
        let end = rest.iter().position(|b| *b == b' ').expect("a space");
        let word = String::from_utf8(rest[..end].to_vec()).expect("ASCII");
        assert!(!word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic()));
        header.push(word);
        rest = &rest[end + 1..];
    }
    let rest = rest.strip_prefix(b"[").expect("structured data");
    let id_end = rest.iter().position(|b| *b == b' ').expect("parameters");
    assert_eq!(&rest[..id_end], SD_ID.as_bytes());
    let mut rest = &rest[id_end..];
    let mut params = Vec::new();
    while let Some(param) = rest.strip_prefix(b" ") {
        let equals = param.iter().position(|b| *b == b'=').expect("an =");
        let name = String::from_utf8(param[..equals].to_vec()).expect("a name");
        assert!(name.len() <= 32);
        let mut bytes = param[equals + 1..]
            .strip_prefix(b"\"")
            .expect("a quote")
            .iter();
        let mut value = Vec::new();
        loop {
            match bytes.next().expect("the value ends") {
                b'"' => break,
                b'\\' => value.push(*bytes.next().expect("escaped")),
                b']' => panic!("a bracket that is not escaped"),
                byte => value.push(*byte),
            }
        }
        params.push((name, String::from_utf8(value).expect("UTF-8")));
        rest = bytes.as_slice();
    }
    let rest = rest.strip_prefix(b"]").expect("its end");
    let text = rest.strip_prefix(b" ").unwrap_or_default();
    Read {
        priority,
        header,
        params,
        text: text.strip_prefix(BOM).unwrap_or(text).to_vec(),
    }
}

#[test]
fn a_message_is_as_the_rfc_has_it() {
    let entry = Entry {
        severity: Severity::Error,
        time: 1_767_225_600_123_456_789,
        message: "grüß\ngott".as_bytes(),
        kind: "exited",
        message_id: None,
        service: "shop:web",
        instance: "shop:web@1/7/web-1",
        trace_id: Some("4bf9"),
        process: Some(42),
        fields: &[("line", br#"a "q" [x] \ b"#)],
    };
    assert_eq!(
        String::from_utf8_lossy(&message(&entry, &identity())),
        "<27>1 2026-01-01T00:00:00.123456Z web-1 shop:web 42 exited \
         [abide@32473 service_name=\"shop:web\" instance_id=\"shop:web@1/7/web-1\" trace_id=\"4bf9\" event_severity=\"3\" \
         timestamp=\"1767225600123\" line=\"a \\\"q\\\" [x\\] \\\\ b\"] \u{feff}grüß\ngott"
    );
}

#[test]
fn what_is_unknown_is_a_dash_and_what_is_no_text_has_no_mark() {
    let entry = Entry {
        message: b"\xff",
        service: "wäb b",
        ..Entry::default()
    };
    let unknown = Identity {
        host: String::new(),
        ..identity()
    };
    let message = message(&entry, &unknown);
    let expected: &[u8] = b"<30>1 1970-01-01T00:00:00.000000Z - w_b_b - - \
        [abide@32473 service_name=\"w\xc3\xa4b b\" event_severity=\"6\" timestamp=\"0\"] \xff";
    assert_eq!(message, expected);
}

#[test]
fn what_is_too_large_for_one_message_comes_in_parts() {
    let text = "ä".repeat(40_000);
    let line = "x".repeat(60_000);
    let fields = [("line", line.as_bytes())];
    let entry = Entry {
        message: text.as_bytes(),
        fields: &fields,
        ..Entry::default()
    };
    let messages = messages(&entry, &identity(), MAX_DATAGRAM);
    assert_eq!(messages.len(), 2);
    let mut whole = Vec::new();
    for (number, message) in (1..).zip(&messages) {
        assert!(message.len() <= MAX_DATAGRAM);
        let read = read(message);
        assert_eq!(read.param("part"), Some(&*format!("{number}/2")));
        assert_eq!(read.param("line"), None);
        assert!(std::str::from_utf8(&read.text).is_ok());
        whole.extend(read.text);
    }
    assert_eq!(whole, text.as_bytes());
}

proptest! {
    #[test]
    fn whatever_is_in_it_is_read_back(
        text in proptest::collection::vec(any::<u8>(), 0..200),
        value in any::<String>(),
        name in "[a-zA-Z_0-9 \"\\]]{0,34}",
        service in any::<String>(),
        kind in any::<String>(),
        severity in 0u8..8,
        time in any::<i64>(),
        max in 300usize..500,
    ) {
        let fields = [(name.as_str(), value.as_bytes())];
        let entry = Entry {
            severity: Severity::from_number(severity).expect("one of eight"),
            message: &text, fields: &fields, service: &service, kind: &kind, time,
            ..Entry::default()
        };
        let whole = read(&message(&entry, &identity()));
        prop_assert_eq!(whole.priority, 24 + u32::from(severity));
        prop_assert_eq!(&whole.header[2], "web-1");
        prop_assert_eq!(whole.text.strip_prefix(BOM).unwrap_or(&whole.text), text.strip_prefix(BOM).unwrap_or(&text));
        if !service.is_empty() {
            prop_assert_eq!(whole.param("service_name"), Some(&*service));
        }
        if let Some(read) = whole.param(&name).filter(|_| !["service_name", "event_severity", "timestamp"].contains(&&*name)) {
            prop_assert_eq!(read, &*value);
        }
        let mut together = Vec::new();
        for part in messages(&entry, &identity(), max) {
            together.extend(read(&part).text);
        }
        if !text.starts_with(BOM) {
            prop_assert_eq!(together, text);
        }
    }
}
