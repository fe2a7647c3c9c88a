//! What stored bytes mean to those who read them as text: where a line ends, and what it says.
//!
//! Nothing is decoded on its way into a segment: the capture compares bytes with bytes after a death, and
//! what a program wrote must be had again as it wrote it.

use abide_model::LogEncoding;
use memchr::{memchr, memmem, memrchr};

use crate::Decoded;

/// Reads bytes by a code page of the system. `None`: this system cannot.
pub type CodePages = fn(LogEncoding, &[u8]) -> Option<String>;

/// How a unit's output is read. The default: as the bytes that it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    encoding: LogEncoding,
    pages: Option<CodePages>,
}

impl Text {
    /// What a unit says of its output, and who knows code pages.
    #[must_use]
    pub fn new(encoding: LogEncoding, pages: CodePages) -> Self {
        Self {
            encoding,
            pages: Some(pages),
        }
    }

    /// What the bytes of a line say. `None`: they are shown as they are. What is no text in the encoding is
    /// U+FFFD.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Option<Decoded> {
        let from = self.encoding;
        let text = match from {
            LogEncoding::Utf8 => None,
            LogEncoding::Utf16 => Some(utf16(bytes)),
            LogEncoding::Oem | LogEncoding::Ansi | LogEncoding::CodePage(_) => {
                self.pages.and_then(|read| read(from, bytes))
            }
        };
        text.map(|text| Decoded { from, text })
    }

    /// The bytes that end a line.
    #[must_use]
    pub fn newline(self) -> &'static [u8] {
        newline(self.encoding)
    }

    /// Where the first newline begins.
    #[must_use]
    pub fn find_newline(self, bytes: &[u8]) -> Option<usize> {
        match self.newline() {
            [byte] => memchr(*byte, bytes),
            several => memmem::find(bytes, several),
        }
    }

    /// Where the last newline begins.
    pub(crate) fn find_last_newline(self, bytes: &[u8]) -> Option<usize> {
        match self.newline() {
            [byte] => memrchr(*byte, bytes),
            several => memmem::rfind(bytes, several),
        }
    }
}

/// The bytes that end a line. In UTF-16 the search is for both bytes wherever they are, and not only at even places: so one odd byte, from a
/// program that was killed in the middle of a character, spoils a line and not all that come after it.
pub(crate) fn newline(encoding: LogEncoding) -> &'static [u8] {
    match encoding {
        LogEncoding::Utf16 => b"\n\0",
        LogEncoding::Utf8 | LogEncoding::Oem | LogEncoding::Ansi | LogEncoding::CodePage(_) => {
            b"\n"
        }
    }
}

/// Text of abide's own among such output. Code pages are not asked: it is ASCII but for the words of the system.
pub(crate) fn encoded(text: &str, encoding: LogEncoding) -> Vec<u8> {
    match encoding {
        LogEncoding::Utf16 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        LogEncoding::Utf8 | LogEncoding::Oem | LogEncoding::Ansi | LogEncoding::CodePage(_) => {
            text.as_bytes().to_vec()
        }
    }
}

/// Little-endian; a byte order mark at the beginning is left out.
fn utf16(bytes: &[u8]) -> String {
    let bytes = match bytes {
        // The newline before it began in a segment that is gone.
        [0, rest @ ..] if rest.len() % 2 == 0 => rest,
        _ => bytes,
    };
    let units = bytes.chunks(2).map(|unit| match unit {
        [low, high] => u16::from_le_bytes([*low, *high]),
        // Half a character.
        _ => 0xFFFD,
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_read_with_its_mark_its_pairs_and_what_is_broken_in_it() {
        let bytes = |text: &str| encoded(text, LogEncoding::Utf16);
        assert_eq!(utf16(&bytes("\u{feff}größer 𝄞")), "größer 𝄞");
        assert_eq!(utf16(&bytes("")), "");
        // Half a pair, and half a unit.
        assert_eq!(utf16(&[0x34, 0xd8, 0x41, 0x00]), "\u{fffd}A");
        assert_eq!(utf16(b"A\0B"), "A\u{fffd}");
        // The rest of a newline.
        assert_eq!(utf16(b"\0A\0"), "A");
    }

    #[test]
    fn a_code_page_is_asked_of_who_knows_it_and_else_the_bytes_stay() {
        fn upper(_: LogEncoding, bytes: &[u8]) -> Option<String> {
            std::str::from_utf8(bytes).ok().map(str::to_uppercase)
        }
        let page = LogEncoding::CodePage(850);
        let decoded = Decoded {
            from: page,
            text: "ABC".into(),
        };
        assert_eq!(Text::new(page, upper).of(b"abc"), Some(decoded));
        assert_eq!(Text::new(page, upper).of(b"\xff"), None);
        assert_eq!(Text::new(LogEncoding::Utf8, upper).of(b"abc"), None);
        assert_eq!(Text::default().of(b"abc"), None);
    }
}
