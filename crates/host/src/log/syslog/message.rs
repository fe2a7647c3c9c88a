//! One message, as RFC 5424 has it: `<PRI>1 TIME HOST APP PROCID MSGID [SD] TEXT`.

use super::super::entry::{Entry, Identity};
use super::time::timestamp;

/// The name of our structured data: the number is that which RFC 5612 keeps for those who have none of their own.
pub const SD_ID: &str = "abide@32473";

/// What one UDP datagram over IPv4 holds at most.
pub const MAX_DATAGRAM: usize = 65_507;

/// UTF-8's byte order mark, by which RFC 5424 (6.4) tells that a text is UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A piece of an entry that did not fit in one message.
#[derive(Clone, Copy)]
struct Part {
    number: usize,
    of: usize,
}

/// The whole entry in one message, however large.
#[must_use]
pub fn message(entry: &Entry<'_>, identity: &Identity) -> Vec<u8> {
    piece(entry, entry.message, entry.fields, None, identity)
}

/// The entry in as many messages of at most `max` bytes as it takes. Those of one entry have the same header, and
/// the field `part` (`2/3`); text is not cut within a character. What is too large for any of them without its
/// text loses its further fields.
#[must_use]
pub fn messages(entry: &Entry<'_>, identity: &Identity, max: usize) -> Vec<Vec<u8>> {
    let whole = message(entry, identity);
    if whole.len() <= max {
        return vec![whole];
    }
    // As long as any: the numbers have no more digits than the text has bytes.
    let longest = Part {
        number: entry.message.len(),
        of: entry.message.len(),
    };
    let overhead = |fields| BOM.len() + piece(entry, b"", fields, Some(longest), identity).len();
    let mut fields = entry.fields;
    if overhead(fields) + max / 4 > max {
        fields = &[];
    }
    // A character has at most four bytes.
    let room = max.saturating_sub(overhead(fields)).max(4);
    let texts = split(entry.message, room);
    let of = texts.len();
    let numbered = (1..).zip(texts);
    numbered
        .map(|(number, text)| piece(entry, text, fields, Some(Part { number, of }), identity))
        .collect()
}

/// Pieces of at most `room` bytes; at least one.
fn split(text: &[u8], room: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let is_inside = |at: usize| rest[at] & 0b1100_0000 == 0b1000_0000;
        // What is no UTF-8 is cut anywhere.
        let at = (room.saturating_sub(3)..=room)
            .rev()
            .find(|at| !is_inside(*at));
        let (piece, more) = rest.split_at(at.filter(|at| *at > 0).unwrap_or(room));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

fn piece(
    entry: &Entry<'_>,
    text: &[u8],
    fields: &[(&str, &[u8])],
    part: Option<Part>,
    identity: &Identity,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 512);
    let priority = identity.facility.number() * 8 + entry.severity.number();
    out.extend_from_slice(format!("<{priority}>1 {} ", timestamp(entry.time)).as_bytes());
    word(&mut out, &identity.host, 255);
    word(&mut out, entry.service, 48);
    let process = entry.process.map(|pid| pid.to_string());
    word(&mut out, process.as_deref().unwrap_or_default(), 128);
    word(&mut out, entry.kind, 32);
    out.push(b'[');
    out.extend_from_slice(SD_ID.as_bytes());
    let entry = Entry { fields, ..*entry };
    entry.each_field(|name, value| param(&mut out, name, value));
    if let Some(part) = part {
        let value = format!("{}/{}", part.number, part.of);
        param(&mut out, "part", value.as_bytes());
    }
    out.push(b']');
    if !text.is_empty() {
        out.push(b' ');
        if std::str::from_utf8(text).is_ok() {
            out.extend_from_slice(BOM);
        }
        out.extend_from_slice(text);
    }
    out
}

/// A word of the header and the space behind it: printable ASCII, of bounded length, `-` for none.
fn word(out: &mut Vec<u8>, text: &str, max: usize) {
    if text.is_empty() {
        out.push(b'-');
    }
    let printable = |c: char| if c.is_ascii_graphic() { c as u8 } else { b'_' };
    out.extend(text.chars().take(max).map(printable));
    out.push(b' ');
}

/// ` NAME="VALUE"`; the value is UTF-8, with a backslash before `"`, `\` and `]` (6.3.3).
fn param(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for byte in String::from_utf8_lossy(value).bytes() {
        if matches!(byte, b'"' | b'\\' | b']') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
