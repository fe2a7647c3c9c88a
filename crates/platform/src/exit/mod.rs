//! Wait statuses and error numbers in the words of the model.

use abide_model::{ExitStatus, Signal};

/// What a status of wait(2) says: exit code in bits 8 to 15, signal in bits 0 to 6, core dump in bit 7.
#[must_use]
pub fn from_wait_status(status: i32) -> ExitStatus {
    match status & 0x7f {
        0 => ExitStatus::Code((status >> 8) & 0xff),
        signal => ExitStatus::Signal {
            signal: Signal(signal),
            core: status & 0x80 != 0,
        },
    }
}

/// The system's words for an error number, in lower case and without the number:
/// "no such file or directory".
#[must_use]
pub fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
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

    #[test]
    fn a_wait_status_is_told_as_code_or_signal() {
        assert_eq!(from_wait_status(7 << 8), ExitStatus::Code(7));
        assert_eq!(
            from_wait_status(9),
            ExitStatus::Signal {
                signal: Signal::KILL,
                core: false
            }
        );
        assert_eq!(
            from_wait_status(11 | 0x80),
            ExitStatus::Signal {
                signal: Signal(11),
                core: true
            }
        );
    }

    #[test]
    fn an_error_number_is_told_in_lower_case() {
        assert_eq!(errno_text(2), "no such file or directory");
    }
}
