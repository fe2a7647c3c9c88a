use std::io;

use abide_model::LogEncoding;

/// Linux has no code pages; what it has instead (iconv(3)) belongs to the C library and is not always there.
const REASON: &str =
    "code pages are those of Windows: here programs write UTF-8, and \"utf-16\" can be read";

/// Whether output in this encoding can be read.
///
/// # Errors
/// `Unsupported`: it is a code page.
pub fn can_read(encoding: LogEncoding) -> io::Result<()> {
    match encoding {
        LogEncoding::Utf8 | LogEncoding::Utf16 => Ok(()),
        LogEncoding::Oem | LogEncoding::Ansi | LogEncoding::CodePage(_) => {
            Err(io::Error::new(io::ErrorKind::Unsupported, REASON))
        }
    }
}

/// What bytes say in a code page: here nobody knows.
#[must_use]
pub fn read(_: LogEncoding, _: &[u8]) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_pages_are_refused_with_the_reason() {
        for encoding in [LogEncoding::Oem, LogEncoding::CodePage(850)] {
            let refused = can_read(encoding).expect_err("there are none");
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            assert_eq!(read(encoding, b"abc"), None);
        }
        assert!(can_read(LogEncoding::Utf16).is_ok());
    }
}
