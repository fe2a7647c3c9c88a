use abide_model::ExitStatus;

/// ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_NO_SYSTEM_RESOURCES,
/// ERROR_COMMITMENT_LIMIT (winerror.h).
pub(super) const SHORTAGES: [i32; 5] = [4, 8, 14, 1450, 1455];

/// What GetExitCodeProcess says. A process has a code and no signal; that of a crash is an NTSTATUS, which
/// [`ExitStatus`] tells in words.
#[must_use]
pub fn from_exit_code(code: u32) -> ExitStatus {
    ExitStatus::Code(code.cast_signed())
}

/// The same, as the keeper's table has it.
#[must_use]
pub fn from_wait_status(status: i32) -> ExitStatus {
    ExitStatus::Code(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_told_in_words() {
        assert_eq!(from_exit_code(7).to_string(), "exit 7");
        assert_eq!(
            from_exit_code(0xC000_0005).to_string(),
            "exit 0xC0000005 (access violation)"
        );
    }
}
