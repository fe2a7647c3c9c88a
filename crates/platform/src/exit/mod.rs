//! How processes ended, and error numbers, in the words of the model.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::SHORTAGES;
#[cfg(target_os = "linux")]
pub use linux::from_wait_status;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::SHORTAGES;
#[cfg(windows)]
pub use windows::{from_exit_code, from_wait_status};

use std::io;

/// The machine, or what this process may have of it, is too short of something: it may be had later.
///
/// An error that names what it is about has to give what the system said as its source.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    let inner = error.get_ref().and_then(|inner| inner.source());
    number.is_some_and(|number| SHORTAGES.contains(&number))
        || inner
            .and_then(|inner| inner.downcast_ref())
            .is_some_and(is_shortage)
}

/// The system's words for an error number, in lower case, without the number and a full stop:
/// "no such file or directory".
#[must_use]
pub fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let words = words.trim_end().trim_end_matches('.');
    let mut chars = words.chars();
    let second_is_lower = words.chars().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(chars).collect(),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a file: {0}")]
    struct Named(#[source] io::Error);

    #[test]
    fn a_shortage_is_known_beneath_the_name_of_what_it_is_about() {
        let short = || io::Error::from_raw_os_error(SHORTAGES[0]);
        assert!(is_shortage(&short()));
        assert!(is_shortage(&io::Error::other(Named(short()))));
        let absent = io::Error::from(io::ErrorKind::NotFound);
        assert!(!is_shortage(&io::Error::other(Named(absent))));
        assert!(!is_shortage(&io::Error::other("too many open files")));
    }
}
