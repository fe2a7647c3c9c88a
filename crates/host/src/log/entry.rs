//! One message, whatever it is sent to.

use super::{Facility, Severity};

/// A message with what is known about it. What is not known is empty or `None`, and is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry<'a> {
    /// How much it matters.
    pub severity: Severity,
    /// When it was made, in nanoseconds since 1970, UTC.
    pub time: i64,
    /// The text; usually UTF-8, but any bytes go. Newlines are part of it.
    pub message: &'a [u8],
    /// The kind of message, a short word: syslog's MSGID.
    pub kind: &'a str,
    /// journald's MESSAGE_ID: the kind once more, for `journalctl MESSAGE_ID=…` and message catalogues.
    pub message_id: Option<u128>,
    /// What it comes from, without its instance: `service_name`.
    pub service: &'a str,
    /// Which instance of it: `instance_id`.
    pub instance: &'a str,
    /// The request or trace that it belongs to: `trace_id`.
    pub trace_id: Option<&'a str>,
    /// The process that it comes from.
    pub process: Option<u32>,
    /// More of it: names (lower case, digits and `_`, beginning with a letter, at most 32 characters) and values. Names
    /// that are not like that are left out.
    pub fields: &'a [(&'a str, &'a [u8])],
}

/// What all messages of one sender have alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What this machine is called.
    pub host: String,
    /// What kind of program it is.
    pub facility: Facility,
}

/// The fields that every message has, by the names that they have everywhere.
pub(super) mod name {
    pub const INSTANCE: &str = "instance_id";
    pub const TRACE: &str = "trace_id";
    pub const SERVICE: &str = "service_name";
    pub const SEVERITY: &str = "event_severity";
    pub const TIME: &str = "timestamp";
}

impl<'a> Entry<'a> {
    /// All that is known, by its field's name: the ones that are the same everywhere first.
    pub(super) fn each_field(&self, mut each: impl FnMut(&str, &[u8])) {
        let known = [
            (name::SERVICE, self.service),
            (name::INSTANCE, self.instance),
            (name::TRACE, self.trace_id.unwrap_or_default()),
        ];
        for (name, value) in known {
            if !value.is_empty() {
                each(name, value.as_bytes());
            }
        }
        each(name::SEVERITY, &[b'0' + self.severity.number()]);
        each(
            name::TIME,
            (self.time.div_euclid(1_000_000)).to_string().as_bytes(),
        );
        for (name, value) in self.fields {
            if is_name(name) && !known.iter().any(|(taken, _)| taken == name) {
                each(name, value);
            }
        }
    }
}

/// A name that both journald (with capitals) and syslog take.
fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_field_and_a_bad_name_is_left_out() {
        let entry = Entry {
            time: 1_767_225_600_123_456_789,
            service: "web",
            fields: &[
                ("stream", b"stdout"),
                ("_PID", b"1"),
                ("service_name", b"x"),
            ],
            ..Entry::default()
        };
        let mut fields = Vec::new();
        entry.each_field(|name, value| {
            fields.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        assert_eq!(
            fields,
            [
                "service_name=web",
                "event_severity=6",
                "timestamp=1767225600123",
                "stream=stdout"
            ]
        );
    }
}
