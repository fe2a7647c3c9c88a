#![allow(unsafe_code)]

use std::io;

use abide_model::LogEncoding;
use windows_sys::Win32::Foundation::ERROR_INVALID_FLAGS;
use windows_sys::Win32::Globalization::{
    CPINFO, GetACP, GetCPInfo, GetOEMCP, IsDBCSLeadByteEx, IsValidCodePage, MB_ERR_INVALID_CHARS,
    MULTI_BYTE_TO_WIDE_CHAR_FLAGS, MultiByteToWideChar,
};

/// Whether output in this encoding can be read.
///
/// # Errors
/// `NotFound`: this Windows has no such code page.
pub fn can_read(encoding: LogEncoding) -> io::Result<()> {
    match page(encoding) {
        Some(page) if !is_valid(page) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("this Windows has no code page {page}; `chcp` shows the one of a console"),
        )),
        _ => Ok(()),
    }
}

/// What bytes say in a code page. What is no character in it is U+FFFD. `None`: it is none, or this Windows has
/// no such code page.
#[must_use]
pub fn read(encoding: LogEncoding, bytes: &[u8]) -> Option<String> {
    let page = page(encoding).filter(|&page| is_valid(page))?;
    match wide(page, MB_ERR_INVALID_CHARS, bytes) {
        Ok(text) => Some(text),
        // Some (ISO 2022, UTF-7) have states and take no flags: what is no character there, the system replaces.
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_FLAGS as i32) => {
            wide(page, 0, bytes).ok()
        }
        Err(_) => Some(piece_by_piece(page, bytes)),
    }
}

/// The number of a code page. `None`: it is none.
fn page(encoding: LogEncoding) -> Option<u32> {
    match encoding {
        LogEncoding::Utf8 | LogEncoding::Utf16 => None,
        // SAFETY: takes nothing.
        LogEncoding::Oem => Some(unsafe { GetOEMCP() }),
        // SAFETY: takes nothing.
        LogEncoding::Ansi => Some(unsafe { GetACP() }),
        LogEncoding::CodePage(page) => Some(page.into()),
    }
}

fn is_valid(page: u32) -> bool {
    // SAFETY: takes a number.
    unsafe { IsValidCodePage(page) != 0 }
}

/// All of it, or nothing if `flags` say so.
fn wide(page: u32, flags: MULTI_BYTE_TO_WIDE_CHAR_FLAGS, bytes: &[u8]) -> io::Result<String> {
    if bytes.is_empty() {
        // The call takes a length of 0 for a mistake.
        return Ok(String::new());
    }
    let length = i32::try_from(bytes.len()).map_err(io::Error::other)?;
    // SAFETY: the bytes are as many as is said; nothing is written with room for nothing.
    let needed = unsafe {
        MultiByteToWideChar(page, flags, bytes.as_ptr(), length, std::ptr::null_mut(), 0)
    };
    let room = usize::try_from(needed).unwrap_or(0);
    if room == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut units = vec![0_u16; room];
    // SAFETY: the bytes are as many as is said, and there is room for as many units.
    let told = unsafe {
        MultiByteToWideChar(
            page,
            flags,
            bytes.as_ptr(),
            length,
            units.as_mut_ptr(),
            needed,
        )
    };
    match usize::try_from(told).unwrap_or(0) {
        0 => Err(io::Error::last_os_error()),
        units_told => {
            units.truncate(units_told);
            Ok(String::from_utf16_lossy(&units))
        }
    }
}

/// Character by character, with U+FFFD for each byte that belongs to none.
fn piece_by_piece(page: u32, mut bytes: &[u8]) -> String {
    let longest = longest(page);
    let mut text = String::with_capacity(bytes.len());
    while let Some(&first) = bytes.first() {
        // SAFETY: takes numbers.
        let shortest = if unsafe { IsDBCSLeadByteEx(page, first) } != 0 {
            2
        } else {
            1
        };
        let mut lengths = shortest..=longest.min(bytes.len());
        let read = lengths.find_map(|length| {
            let character = wide(page, MB_ERR_INVALID_CHARS, &bytes[..length]).ok()?;
            Some((length, character))
        });
        let (length, character) = read.unwrap_or((1, char::REPLACEMENT_CHARACTER.into()));
        text.push_str(&character);
        bytes = &bytes[length..];
    }
    text
}

/// The most bytes that a character has.
fn longest(page: u32) -> usize {
    let mut info = CPINFO::default();
    // SAFETY: the place is one for this answer.
    let told = unsafe { GetCPInfo(page, &mut info) };
    if told == 0 {
        1
    } else {
        info.MaxCharSize as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_page(page: u16, bytes: &[u8]) -> Option<String> {
        read(LogEncoding::CodePage(page), bytes)
    }

    #[test]
    fn bytes_are_read_by_their_code_page() {
        assert_eq!(in_page(850, b"gr\x94\xe1e\r"), Some("größe\r".into()));
        assert_eq!(in_page(437, b"\x94\xe1\xe4"), Some("ößΣ".into()));
        assert_eq!(in_page(1252, b"\x80"), Some("€".into()));
        assert_eq!(in_page(932, b"\x93\xfa\x96{"), Some("日本".into()));
        assert_eq!(in_page(850, b""), Some(String::new()));
    }

    #[test]
    fn what_is_no_character_is_replaced_and_what_is_around_it_stays() {
        // A first byte of two, and the second is none; and one at the end.
        assert_eq!(in_page(932, b"a\x93\x0db\x93\xfa\x93"), {
            Some("a\u{fffd}\rb日\u{fffd}".into())
        });
    }

    #[test]
    fn a_code_page_that_is_not_there_is_refused() {
        let refused = can_read(LogEncoding::CodePage(3)).expect_err("there is none");
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert_eq!(in_page(3, b"abc"), None);
        for encoding in [LogEncoding::Oem, LogEncoding::Ansi, LogEncoding::Utf16] {
            assert!(can_read(encoding).is_ok(), "{encoding}");
        }
        assert_eq!(read(LogEncoding::Oem, b"abc"), Some("abc".into()));
    }
}
