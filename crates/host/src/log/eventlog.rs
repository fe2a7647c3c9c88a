//! The Event Log of Windows: an entry as an event with a type, an id and strings. Pure; the call is the link's.
//!
//! The viewer shows the text of the source's message file for the id, with the strings in it. Every id of ours has the
//! same text, [`MESSAGE`]: what happened is in words in the first string, what is known about it in the second.

use super::{Entry, Severity};

/// The text of every message in the message file of abide (FormatMessage's signs).
pub const MESSAGE: &str = "%1%n%n%2";

/// The ids that the message file has: those that Windows's own `EventCreate.exe` has, too.
pub const IDS: std::ops::RangeInclusive<u32> = 1..=1000;

/// The source of what no service of its own has one for.
pub const SOURCE: &str = "abide";

/// The id of a line that a program wrote is this and its severity (0 to 7).
pub const OUTPUT: u32 = 900;

/// The id of the event that abide could not begin as a service.
pub const NOT_BEGUN: u32 = 950;

/// The longest string, in UTF-16 units (ReportEventW).
const LONGEST: usize = 31_839;

/// All strings together: the event must fit into 64 KiB with its head.
const ALL: usize = 30_000;

/// An event as ReportEventW takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// `EVENTLOG_ERROR_TYPE` (1), `EVENTLOG_WARNING_TYPE` (2) or `EVENTLOG_INFORMATION_TYPE` (4).
    pub kind: u16,
    /// Its id.
    pub id: u32,
    /// The text, and a line `name=value` for each field.
    pub strings: Vec<String>,
}

/// An entry as an event.
#[must_use]
pub fn report(entry: &Entry<'_>) -> Report {
    let mut fields = String::new();
    entry.each_field(|name, value| {
        if !fields.is_empty() {
            fields.push_str("\r\n");
        }
        fields.push_str(name);
        fields.push('=');
        fields.push_str(&plain(&String::from_utf8_lossy(value)));
    });
    let fields = cut(fields, LONGEST / 2);
    let left = ALL.saturating_sub(units(&fields)).min(LONGEST);
    let message = cut(plain(&String::from_utf8_lossy(entry.message)), left);
    Report {
        kind: kind(entry.severity),
        // The number of an event's kind is the end of its id for journald.
        id: entry
            .message_id
            .map_or(OUTPUT + u32::from(entry.severity.number()), |id| {
                (id & 0xffff) as u32
            }),
        strings: vec![message, fields],
    }
}

/// That abide could not begin as the service of this name, and why.
#[must_use]
pub fn not_begun(service: &str, why: &str) -> Report {
    let why = cut(plain(why.trim()), ALL / 2);
    Report {
        kind: kind(Severity::Error),
        id: NOT_BEGUN,
        strings: vec![
            format!("abide could not begin as the service {service}.\r\n{why}"),
            format!("service_name={}\r\nevent_severity=3", plain(service)),
        ],
    }
}

/// Windows has three types where syslog has eight severities.
fn kind(severity: Severity) -> u16 {
    match severity {
        Severity::Emergency | Severity::Alert | Severity::Critical | Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Notice | Severity::Info | Severity::Debug => 4,
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Zeros would end it.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// At most so many UTF-16 units; what is left out is said at the end.
fn cut(text: String, longest: usize) -> String {
    let length = units(&text);
    if length <= longest {
        return text;
    }
    let note = |missing: usize| format!(" … ({missing} more characters are in abide's own log)");
    let room = longest.saturating_sub(units(&note(length)));
    let mut taken = 0;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            taken += c.len_utf16();
            taken <= room
        })
        .collect();
    let missing = length - units(&kept);
    kept.push_str(&note(missing));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_type_its_number_and_its_strings() {
        let entry = Entry {
            severity: Severity::Warning,
            time: 1_767_225_600_123_456_789,
            message: b"exit 1 after 3 min",
            kind: "exited",
            message_id: Some(0xb2c1_f7a8_5d0e_4c63_9e41_7a3d_90f4_0006),
            service: "shop:web",
            instance: "shop:web@1/7/web-1",
            trace_id: Some("4bf92f35"),
            fields: &[("event_id", b"6"), ("cursor", b"event:42")],
            ..Entry::default()
        };
        let expected = "service_name=shop:web\r\ninstance_id=shop:web@1/7/web-1\r\ntrace_id=4bf92f35\r\nevent_severity=4\r\n\
                        timestamp=1767225600123\r\nevent_id=6\r\ncursor=event:42";
        assert_eq!(
            report(&entry),
            Report {
                kind: 2,
                id: 6,
                strings: vec!["exit 1 after 3 min".to_owned(), expected.to_owned()],
            }
        );
    }

    #[test]
    fn severities_are_the_three_types_and_a_line_has_an_id_of_its_severity() {
        let of = |severity| {
            let entry = Entry {
                severity,
                message: b"x",
                ..Entry::default()
            };
            let report = report(&entry);
            (report.kind, report.id)
        };
        let all = Severity::ALL.map(of);
        let ids = [
            (1, 900),
            (1, 901),
            (1, 902),
            (1, 903),
            (2, 904),
            (4, 905),
            (4, 906),
            (4, 907),
        ];
        assert_eq!(all, ids);
        assert!(all.iter().all(|(_, id)| IDS.contains(id)));
    }

    #[test]
    fn why_abide_could_not_begin_is_an_error_with_an_id_of_its_own() {
        let report = not_begun(
            "web",
            "error: cannot use C:\\web\nhelp: choose another --home\n",
        );
        assert_eq!((report.kind, report.id), (1, 950));
        assert!(IDS.contains(&report.id));
        assert_eq!(
            report.strings,
            [
                "abide could not begin as the service web.\r\nerror: cannot use C:\\web\nhelp: choose another --home",
                "service_name=web\r\nevent_severity=3",
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_note() {
        let line = "ä😀".repeat(40_000);
        let entry = Entry {
            message: line.as_bytes(),
            service: "web",
            ..Entry::default()
        };
        let report = report(&entry);
        let [message, fields] = &report.strings[..] else {
            panic!("{report:?}");
        };
        assert!(units(message) + units(fields) <= ALL, "{}", units(message));
        assert!(units(message) > ALL - 200);
        assert!(message.contains("more characters are in abide's own log"));
        let note: String = message
            .chars()
            .rev()
            .take(60)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let missing: usize = note
            .split('(')
            .nth(1)
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .expect("how many");
        let kept = message.split(" … (").next().expect("text");
        assert_eq!(units(kept) + missing, units(&line));
    }

    #[test]
    fn bytes_that_are_no_text_and_zeros_are_shown_by_signs() {
        let entry = Entry {
            message: b"a\0b\xff",
            ..Entry::default()
        };
        assert_eq!(report(&entry).strings[0], "a\u{2400}b\u{fffd}");
    }
}
