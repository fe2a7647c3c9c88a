use std::fs::Metadata;
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION};

use crate::handle::Handle;

/// How long somebody who has just opened the file to read it may be in the way of its replacement: on a busy machine
/// whoever reads is put aside for seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts. Closing a file tells nobody.
const PAUSE: Duration = Duration::from_millis(5);

/// Tells a file from another one that has taken its name, by the time of its making. (Windows gives a file that
/// takes a name within 15 s of its last owner's end the time of that one: then they look alike.)
#[must_use]
pub fn number(meta: &Metadata) -> (u64, u64) {
    (meta.creation_time(), 0)
}

/// Both are of one object. Never known: no program can leave a handle here.
#[must_use]
pub fn is_same(_: &Handle, _: &Handle) -> bool {
    false
}

/// Gives a file the name of another one, whose readers go on with what they have opened.
///
/// A name is given away from under those who share the right to that, by the rules of POSIX (Windows 10, version 1607).
/// Whoever does not share it is waited for, up to ten seconds: an editor, a virus scanner, anybody before that version.
///
/// # Errors
/// Those of the call; then both are as they were.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody tells when a file of somebody else's is closed"
)]
pub fn replace(new: &Path, name: &Path) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    replace_when(new, name, || {
        std::thread::sleep(PAUSE);
        Instant::now() < deadline
    })
}

/// Tries again as long as the file is in use and `again` says so.
fn replace_when(new: &Path, name: &Path, mut again: impl FnMut() -> bool) -> io::Result<()> {
    loop {
        match std::fs::rename(new, name) {
            Err(error) if is_in_use(&error) && again() => {}
            done => return done,
        }
    }
}

/// A target that is open is reported as the one or as the other.
fn is_in_use(error: &io::Error) -> bool {
    [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION]
        .map(|code| Some(code.cast_signed()))
        .contains(&error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_while_or_once_its_reader_has_it_open() {
        let dir = tempfile::tempdir().expect("a folder");
        let (name, new) = (dir.path().join("it"), dir.path().join("new"));
        std::fs::write(&name, "old").expect("written");
        std::fs::write(&new, "new").expect("written");
        let mut reader = Some(std::fs::File::open(&name).expect("it is there"));
        // With the rules of POSIX nobody needs to close it.
        replace_when(&new, &name, || reader.take().is_some()).expect("replaced");
        assert_eq!(std::fs::read_to_string(&name).expect("there"), "new");
        assert!(!new.exists());
    }

    #[test]
    fn what_cannot_be_replaced_stays_as_it_was() {
        let dir = tempfile::tempdir().expect("a folder");
        let (name, new) = (dir.path().join("it"), dir.path().join("new"));
        std::fs::create_dir(&name).expect("a folder has the name");
        std::fs::write(&new, "new").expect("written");
        replace_when(&new, &name, || false).expect_err("a file does not replace a folder");
        assert_eq!(std::fs::read_to_string(&new).expect("there"), "new");
        assert!(name.is_dir());
    }
}
