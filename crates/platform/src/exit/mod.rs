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

/// The machine, or what this process may have of it, is too short of something: it may be had later.
#[must_use]
pub fn is_shortage(error: &std::io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|number| SHORTAGES.contains(&number))
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
