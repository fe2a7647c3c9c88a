//! The password of an account: read from its file when somebody logs on, and gone from memory after that.

#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::SystemTime;

use super::explain;
use crate::private::who_may_read;

/// No password is longer than 256 characters (`PWLEN` of lmcons.h); with room for what follows its line.
const LONGEST: usize = 2048;

/// In UTF-16, with a zero at its end. It is in no text that is made of it, and wiped when it is dropped.
pub(crate) struct Password(Vec<u16>);

/// Which state of a file it was: when it was written, and how long it is.
pub(crate) type Stamp = (Option<SystemTime>, u64);

impl Password {
    pub fn new(text: &str) -> Self {
        // Never grown, so that no copy is left behind.
        let mut units = Vec::with_capacity(text.len() + 1);
        units.extend(text.encode_utf16());
        units.push(0);
        Self(units)
    }

    /// For a call that takes a text which ends with a zero.
    pub fn as_ptr(&self) -> *const u16 {
        self.0.as_ptr()
    }

    #[cfg(test)]
    pub fn reveal(&self) -> String {
        String::from_utf16_lossy(&self.0[..self.0.len() - 1])
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Zeros, which the compiler may not leave out because nobody reads them.
fn wipe<T: Copy + Default>(memory: &mut [T]) {
    for place in memory {
        // SAFETY: it is a place that may be written to.
        unsafe { std::ptr::write_volatile(place, T::default()) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Wiped when it goes.
struct Buffer([u8; LONGEST]);

impl Drop for Buffer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The first line of a file that nobody may read but its owner, administrators and the system. In UTF-8, or in UTF-16 with
/// the mark that PowerShell writes before it.
///
/// # Errors
/// A clause that says what is wrong with the file.
pub(super) fn read(path: &Path) -> Result<(Password, Stamp), String> {
    let shown = path.display();
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => format!("there is no file {shown} with its password"),
        // What Windows says of it is that access is denied.
        _ if path.is_dir() => format!("{shown} is a folder, and no file with its password"),
        _ => format!(
            "its password in {shown} cannot be read: {}",
            explain::words(error)
        ),
    };
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    // What is judged is what is read, whatever takes its place meanwhile.
    let readers = who_may_read(&file).map_err(|error| failed(&error))?;
    if !readers.is_empty() {
        return Err(explain::readers(path, &readers));
    }
    let about = file.metadata().map_err(|error| failed(&error))?;
    let stamp = (about.modified().ok(), about.len());
    let mut buffer = Buffer([0; LONGEST]);
    let mut length = 0;
    while length < LONGEST {
        match file.read(&mut buffer.0[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    let password = first_line(&buffer.0[..length]).map_err(|why| format!("{shown}: {why}"))?;
    Ok((password, stamp))
}

fn first_line(bytes: &[u8]) -> Result<Password, &'static str> {
    let mut units = Password(Vec::with_capacity(LONGEST + 1));
    match bytes.strip_prefix(b"\xff\xfe") {
        Some(wide) => {
            let pairs = wide.chunks_exact(2);
            units
                .0
                .extend(pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])));
        }
        None => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let text = std::str::from_utf8(line).map_err(|_| "its first line is no UTF-8")?;
            units.0.extend(text.encode_utf16());
        }
    }
    let is_end = |unit: &u16| [u16::from(b'\r'), u16::from(b'\n')].contains(unit);
    let end = units.0.iter().position(is_end).unwrap_or(units.0.len());
    // One that was cut off would be refused as a wrong one, and count as a try.
    match end {
        0 => Err("its first line, where the password is to stand, is empty"),
        257.. => Err("its first line is longer than any password"),
        _ if units.0[..end].contains(&0) => Err(
            "there is a zero in its first line; save it as UTF-8, or as UTF-16 with a byte order mark",
        ),
        _ => {
            // Shorter by hand: what is behind would be wiped no more.
            wipe(&mut units.0[end..]);
            units.0.truncate(end);
            units.0.push(0);
            Ok(units)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::ptr::null_mut;

    use windows_sys::Win32::Foundation::GENERIC_WRITE;
    use windows_sys::Win32::Storage::FileSystem::{CREATE_NEW, CreateFileW};

    use super::*;
    use crate::private::Descriptor;
    use crate::win32::{owned, wide};

    fn line(bytes: &[u8]) -> Result<String, &'static str> {
        first_line(bytes).map(|password| password.reveal())
    }

    #[test]
    fn a_password_is_the_first_line_as_editors_and_powershell_write_it() {
        assert_eq!(
            line("gehäim 7\r\nnot this\n".as_bytes()),
            Ok("gehäim 7".into())
        );
        assert_eq!(line(b"\xef\xbb\xbfx y \n"), Ok("x y ".into()));
        assert_eq!(line(b"\xff\xfea\0\xe4\0\r\0\n\0b\0"), Ok("aä".into()));
        assert_eq!(line("ß".repeat(256).as_bytes()), Ok("ß".repeat(256)));
    }

    #[test]
    fn what_is_no_password_is_refused_before_it_counts_as_a_wrong_one() {
        for (bytes, why) in [
            (&b""[..], "is empty"),
            (b"\r\nx", "is empty"),
            (b"\xff\xfe", "is empty"),
            (b"\xe4", "no UTF-8"),
            (&[b'x'; 300], "longer than any password"),
            (b"geh\0eim", "a zero in its first line"),
            (b"g\0e\0h\0\r\0\n\0", "a zero in its first line"),
        ] {
            let refused = line(bytes).expect_err("refused");
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_password_is_in_no_text_and_leaves_nothing_behind() {
        let password = Password::new("geheim");
        assert_eq!(format!("{password:?}"), "Password(…)");
        let mut memory = [7_u16; 4];
        wipe(&mut memory);
        assert_eq!(memory, [0; 4]);
    }

    /// A file for this account, the administrators and the system.
    fn private(path: &Path, text: &str) {
        let descriptor = Descriptor::of_object().expect("Windows takes it");
        let (name, attributes) = (wide(path).expect("a path"), descriptor.attributes());
        // SAFETY: the path ends with a zero; the attributes outlive the call; the handle is ours.
        let file = unsafe {
            let access = GENERIC_WRITE;
            let made = CreateFileW(
                name.as_ptr(),
                access,
                0,
                &attributes,
                CREATE_NEW,
                0,
                null_mut(),
            );
            owned(made).expect("it is made")
        };
        File::from(file)
            .write_all(text.as_bytes())
            .expect("written");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_a_private_one_is_read() {
        let place = tempfile::tempdir().expect("a directory");
        let (open, closed) = (place.path().join("open"), place.path().join("closed"));
        private(&closed, "geheim\r\n");
        let (password, stamp) = read(&closed).expect("it is private");
        assert_eq!((password.reveal().as_str(), stamp.1), ("geheim", 8));
        std::fs::write(&open, "geheim\r\n").expect("written");
        let everyone = crate::access::allow(&open, "S-1-1-0", crate::access::Access::Read);
        everyone.expect("it is given");
        let refused = read(&open).expect_err("Everyone may read it");
        assert!(
            refused.contains("Everyone") && refused.contains("icacls"),
            "{refused}"
        );
        assert!(!refused.contains("geheim"), "{refused}");
    }

    #[test]
    fn what_is_no_file_is_named() {
        let place = tempfile::tempdir().expect("a directory");
        let refused = read(place.path()).expect_err("it is a folder");
        assert!(refused.ends_with("is a folder, and no file with its password"));
        let refused = read(&place.path().join("none")).expect_err("there is none");
        assert!(
            refused.contains("there is no file") && refused.contains("none"),
            "{refused}"
        );
    }
}
