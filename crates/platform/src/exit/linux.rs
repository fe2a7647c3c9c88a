use abide_model::{ExitStatus, Signal};

/// Too many files (of this process, of the machine), too little memory, not now.
pub(super) const SHORTAGES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::errno_text;

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
