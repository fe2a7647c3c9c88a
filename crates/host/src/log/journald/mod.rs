//! journald's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): one datagram is one entry; a
//! larger one is a sealed memory file, whose descriptor is sent instead.

use super::entry::{Entry, Identity};

/// Where journald listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// One entry as journald reads it: `NAME=value` and a newline; a value that has newlines itself follows its name's
/// newline and its length (64 bits, little-endian), and has a newline behind it.
#[must_use]
pub fn frame(entry: &Entry<'_>, identity: &Identity) -> Vec<u8> {
    let mut out = Vec::with_capacity(entry.message.len() + 512);
    field(&mut out, "MESSAGE", entry.message);
    field(&mut out, "PRIORITY", &[b'0' + entry.severity.number()]);
    let facility = identity.facility.number().to_string();
    field(&mut out, "SYSLOG_FACILITY", facility.as_bytes());
    if !entry.service.is_empty() {
        field(&mut out, "SYSLOG_IDENTIFIER", entry.service.as_bytes());
    }
    if let Some(process) = entry.process {
        field(&mut out, "SYSLOG_PID", process.to_string().as_bytes());
    }
    if let Some(id) = entry.message_id {
        field(&mut out, "MESSAGE_ID", format!("{id:032x}").as_bytes());
    }
    if !entry.kind.is_empty() {
        field(&mut out, "MESSAGE_KIND", entry.kind.as_bytes());
    }
    let mut capitals = String::with_capacity(32);
    entry.each_field(|name, value| {
        capitals.clear();
        capitals.extend(name.chars().map(|c| c.to_ascii_uppercase()));
        field(&mut out, &capitals, value);
    });
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Facility, Severity};
    use proptest::prelude::*;

    fn identity() -> Identity {
        Identity {
            host: "web-1".to_owned(),
            facility: Facility::DAEMON,
        }
    }

    /// As journald reads it, from the description of the protocol.
    fn parse(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let end = bytes.iter().position(|b| *b == b'\n').expect("a newline");
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            let (name, value) = match line.iter().position(|b| *b == b'=') {
                Some(at) => {
                    bytes = rest;
                    (&line[..at], line[at + 1..].to_vec())
                }
                None => {
                    let (length, rest) = rest.split_at(8);
                    let length = u64::from_le_bytes(length.try_into().expect("eight")) as usize;
                    assert_eq!(rest[length], b'\n');
                    bytes = &rest[length + 1..];
                    (line, rest[..length].to_vec())
                }
            };
            let name = String::from_utf8(name.to_vec()).expect("a name");
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
            fields.push((name, value));
        }
        fields
    }

    #[test]
    fn an_entry_is_framed_as_the_protocol_has_it() {
        let entry = Entry {
            severity: Severity::Error,
            time: 1_767_225_600_123_456_789,
            message: b"two\nlines",
            kind: "exited",
            message_id: Some(0xab),
            service: "shop:web",
            instance: "shop:web@1/7/web-1",
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
            process: Some(42),
            fields: &[("stream", b"stdout")],
        };
        let framed = frame(&entry, &identity());
        let golden = b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=3\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=shop:web\nSYSLOG_PID=42\n\
MESSAGE_ID=000000000000000000000000000000ab\nMESSAGE_KIND=exited\nSERVICE_NAME=shop:web\nINSTANCE_ID=shop:web@1/7/web-1\n\
TRACE_ID=4bf92f3577b34da6a3ce929d0e0e4736\nEVENT_SEVERITY=3\nTIMESTAMP=1767225600123\nSTREAM=stdout\n";
        assert_eq!(
            String::from_utf8_lossy(&framed),
            String::from_utf8_lossy(golden)
        );
    }

    proptest! {
        #[test]
        fn whatever_a_value_holds_it_is_read_back(
            message in proptest::collection::vec(any::<u8>(), 0..300),
            value in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'='), any::<u8>()], 0..50),
            name in "[a-zA-Z_0-9=\n]{0,40}",
        ) {
            let fields = [(name.as_str(), value.as_slice())];
            let entry = Entry { message: &message, fields: &fields, ..Entry::default() };
            let read = parse(&frame(&entry, &identity()));
            prop_assert_eq!(&read[0], &("MESSAGE".to_owned(), message.clone()));
            let named = read.iter().find(|(read, _)| *read == name.to_ascii_uppercase());
            if let Some((_, read)) = named.filter(|_| !name.is_empty()) {
                prop_assert_eq!(read, &value);
            }
        }
    }
}
