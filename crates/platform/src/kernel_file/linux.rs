use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, openat};

/// A page, of which the kernel fills no more at a time (seq_file of the kernel).
const PAGE: usize = 4096;

/// What is in a file below `/proc` or `/sys`, which does not tell how long it is: three calls
/// for most, where [`std::fs::read`] makes ten. What looks at all units reads such files by the thousand.
///
/// # Errors
/// As of open(2) and read(2).
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    bytes_at(CWD, path, &mut all)?;
    Ok(all)
}

/// The same, of a file in an open directory, which spares the kernel the way there; into memory that is used again.
///
/// # Errors
/// As of [`bytes`].
pub(crate) fn bytes_at(
    directory: BorrowedFd<'_>,
    path: &Path,
    all: &mut Vec<u8>,
) -> io::Result<()> {
    all.clear();
    #[cfg(test)]
    reads::count();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(directory, path, flags, Mode::empty())?;
    loop {
        all.reserve(PAGE);
        let n = match rustix::io::read(&file, spare_capacity(all)) {
            Err(rustix::io::Errno::INTR) => continue,
            read => read?,
        };
        // A full page, or one that is nearly full and whose next line did not fit, has another after it.
        if n < PAGE / 2 {
            return Ok(());
        }
    }
}

/// The same of a file of text.
///
/// # Errors
/// As of [`bytes`], and what is not UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(bytes(path)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// How many files a test's thread has read.
#[cfg(test)]
pub(crate) mod reads {
    use std::cell::Cell;

    thread_local!(static READ: Cell<usize> = const { Cell::new(0) });

    pub(super) fn count() {
        READ.set(READ.get() + 1);
    }

    /// Those that `work` reads.
    pub(crate) fn during(work: impl FnOnce()) -> usize {
        let before = READ.get();
        work();
        READ.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_several_pages_is_read_to_its_end() {
        let path = Path::new("/proc/self/smaps");
        let text = text(path).unwrap();
        assert!(text.len() > 2 * PAGE);
        assert!(text.lines().any(|line| line.ends_with("[stack]")));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_of_that_kind() {
        let error = text(Path::new("/proc/self/no-such-file")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
