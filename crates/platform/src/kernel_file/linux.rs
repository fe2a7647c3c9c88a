use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// A page, of which the kernel fills no more at a time (seq_file of the kernel).
const PAGE: usize = 4096;

/// What is in a file below `/proc` or `/sys`, which does not tell how long it is: three calls
/// for most, where [`std::fs::read`] makes ten. What looks at all units reads such files by the thousand.
///
/// # Errors
/// As of open(2) and read(2).
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut all = Vec::new();
    loop {
        let mut page = [0_u8; PAGE];
        let n = match rustix::io::read(&file, &mut page) {
            Err(rustix::io::Errno::INTR) => continue,
            read => read?,
        };
        all.extend_from_slice(page.get(..n).unwrap_or_default());
        // A full page, or one that is nearly full and whose next line did not fit, has another after it.
        if n < PAGE / 2 {
            break;
        }
    }
    Ok(all)
}

/// The same of a file of text.
///
/// # Errors
/// As of [`bytes`], and what is not UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(bytes(path)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
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
