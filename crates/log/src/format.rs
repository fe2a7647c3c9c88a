//! How lines are shown.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use abide_model::{LogEncoding, UnitName};
use serde::Serialize;

use crate::{Ending, Line, text, time};

/// A way to show lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// As the program wrote it.
    Raw,
    /// `2026-01-01T00:00:00.000Z web | line`
    #[default]
    Human,
    /// The Container Runtime Interface's: `2026-01-01T00:00:00.000000000Z stdout F line`.
    Cri,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// The word for it on the command line and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Human => "human",
            Self::Cri => "cri",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Raw, Self::Human, Self::Cri, Self::Json]
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| format!("{text:?} is no log format; there are raw, human, cri and json"))
    }
}

/// What `--format json` shows. Fields are only ever added.
#[derive(Serialize)]
struct Object<'a> {
    time: &'a str,
    unit: &'a UnitName,
    stream: &'static str,
    /// Text; what is none is replaced by U+FFFD.
    line: &'a str,
    /// The exact bytes in base64, only where `line` could not hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    /// What `line` was decoded from, where that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<LogEncoding>,
    /// Present (and true) when the newline is still missing, or the line comes in pieces.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// Appends the line to `out` as `format` has it.
///
/// Raw appends the program's bytes and nothing else; so after a line with [`Ending::Open`] the
/// output does not stand at the beginning of a line. Every other format appends whole lines.
pub fn render(format: Format, unit: &UnitName, line: &Line, out: &mut Vec<u8>) {
    let partial = line.ending != Ending::Newline;
    match format {
        Format::Raw => {
            out.extend_from_slice(&line.bytes);
            if !partial {
                let from = line.decoded.as_ref().map(|decoded| decoded.from);
                out.extend_from_slice(text::newline(from.unwrap_or_default()));
            }
            return;
        }
        Format::Human => {
            out.extend_from_slice(time::rfc3339(line.time, 3).as_bytes());
            out.push(b' ');
            out.extend_from_slice(unit.as_str().as_bytes());
            // Same width, so that the text stays aligned.
            out.extend_from_slice(if line.stream == crate::Stream::Err {
                b" ! "
            } else {
                b" | "
            });
            out.extend_from_slice(line.shown());
        }
        Format::Cri => {
            out.extend_from_slice(time::rfc3339(line.time, 9).as_bytes());
            out.push(b' ');
            out.extend_from_slice(line.stream.title().as_bytes());
            out.extend_from_slice(if partial { b" P " } else { b" F " });
            out.extend_from_slice(line.shown());
        }
        Format::Json => json(unit, line, out),
    }
    out.push(b'\n');
}

fn json(unit: &UnitName, line: &Line, out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line.shown());
    let exact = text.as_bytes() == line.bytes;
    let object = Object {
        time: &time::rfc3339(line.time, 9),
        unit,
        stream: line.stream.title(),
        line: &text,
        bytes: (!exact).then(|| base64(&line.bytes)),
        encoding: line.decoded.as_ref().map(|decoded| decoded.from),
        partial: line.ending != Ending::Newline,
    };
    let before = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, &object) {
        // Strings into memory: there is nothing that could fail, but nothing is swallowed either.
        out.truncate(before);
        let _ = write!(out, "{{\"error\":\"{error}\"}}");
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, &byte)| {
            word | u32::from(byte) << (16 - 8 * i)
        });
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::Wall;

    use crate::{Decoded, Stream};

    fn shown(format: Format, bytes: &[u8], ending: Ending) -> String {
        let line = Line {
            time: Wall(1_767_225_600_123_456_789),
            stream: Stream::Out,
            bytes: bytes.to_vec(),
            decoded: None,
            ending,
        };
        let mut out = Vec::new();
        render(format, &"web".parse().expect("a name"), &line, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn each_format_shows_time_stream_and_line() {
        assert_eq!(shown(Format::Raw, b"hi", Ending::Newline), "hi\n");
        assert_eq!(
            shown(Format::Human, b"hi", Ending::Newline),
            "2026-01-01T00:00:00.123Z web | hi\n"
        );
        assert_eq!(
            shown(Format::Cri, b"hi", Ending::Newline),
            "2026-01-01T00:00:00.123456789Z stdout F hi\n"
        );
        assert_eq!(
            shown(Format::Json, b"h\"i", Ending::Newline),
            "{\"time\":\"2026-01-01T00:00:00.123456789Z\",\"unit\":\"web\",\"stream\":\"stdout\",\"line\":\"h\\\"i\"}\n"
        );
    }

    #[test]
    fn a_line_without_its_newline_is_marked() {
        assert_eq!(shown(Format::Raw, b"hi", Ending::Open), "hi");
        assert!(shown(Format::Cri, b"hi", Ending::Split).ends_with(" stdout P hi\n"));
        assert!(shown(Format::Json, b"hi", Ending::Open).ends_with("\"partial\":true}\n"));
    }

    #[test]
    fn json_keeps_bytes_that_are_no_text() {
        assert!(
            shown(Format::Json, b"a\xffb", Ending::Newline)
                .contains("\"line\":\"a\u{fffd}b\",\"bytes\":\"Yf9i\"")
        );
    }

    #[test]
    fn a_decoded_line_is_shown_as_text_and_its_bytes_stay_to_be_had() {
        let line = Line {
            time: Wall(0),
            stream: Stream::Out,
            bytes: b"gr\x94\xe1e".to_vec(),
            decoded: Some(Decoded {
                from: LogEncoding::CodePage(850),
                text: "größe".into(),
            }),
            ending: Ending::Newline,
        };
        let shown = |format| {
            let mut out = Vec::new();
            render(format, &"web".parse().expect("a name"), &line, &mut out);
            out
        };
        assert_eq!(shown(Format::Raw), b"gr\x94\xe1e\n");
        for format in [Format::Human, Format::Cri] {
            let shown = String::from_utf8(shown(format)).expect("text");
            assert!(shown.ends_with(" größe\n"), "{shown}");
        }
        let json = String::from_utf8(shown(Format::Json)).expect("text");
        let told = "\"line\":\"größe\",\"bytes\":\"Z3KU4WU=\",\"encoding\":\"cp850\"}\n";
        assert!(json.ends_with(told), "{json}");
    }

    #[test]
    fn base64_pads_as_rfc_4648_has_it() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
