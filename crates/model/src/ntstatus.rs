//! Exit codes of Windows that say how a process died: NTSTATUS values (ntstatus.h) with severity "error".

/// Codes that are seen as those of processes, in words.
const WORDS: &[(u32, &str)] = &[
    (0x4001_0004, "ended by its debugger"),
    (0x4001_0005, "Ctrl-C"),
    (0x8000_0002, "misaligned access to memory"),
    (0x8000_0003, "breakpoint without a debugger"),
    (0xC000_0005, "access violation"),
    (0xC000_0006, "its file could not be read on"),
    (0xC000_0017, "out of memory"),
    (0xC000_001D, "illegal instruction"),
    (0xC000_0025, "exception that cannot be continued"),
    (0xC000_007B, "not a valid program for this system"),
    (0xC000_0094, "integer division by zero"),
    (0xC000_0095, "integer overflow"),
    (0xC000_0096, "privileged instruction"),
    (0xC000_00FD, "stack overflow"),
    (0xC000_0135, "a DLL that it needs is missing"),
    (0xC000_0138, "a function that it needs is missing in a DLL"),
    (0xC000_0139, "a function that it needs is missing in a DLL"),
    (0xC000_013A, "Ctrl-C"),
    (0xC000_0142, "a DLL could not be initialised"),
    (0xC000_0194, "deadlock"),
    (0xC000_0374, "heap corruption"),
    (0xC000_0409, "abort, or a buffer overrun that was noticed"),
    (
        0xC000_0417,
        "invalid argument to a function of the C library",
    ),
    (0xC000_0420, "assertion failed"),
    (0xC000_0602, "failed fast"),
    (0xC06D_007E, "a DLL that it needs is missing"),
    (0xC06D_007F, "a function that it needs is missing in a DLL"),
    // Ours: the bits say "error" and "not of Microsoft".
    (0xE0AB_1DE0, "terminated by abide"),
    (0xE06D_7363, "C++ exception that nobody caught"),
    (0xE043_4352, ".NET exception that nobody caught"),
];

/// What a code says, if it is one of these.
pub(crate) fn words(code: i32) -> Option<&'static str> {
    WORDS
        .iter()
        .find(|(known, _)| *known == code.cast_unsigned())
        .map(|(_, words)| *words)
}

/// Whether it is an error of the system and no number that a program chose: such are written in
/// hexadecimal. On Unix systems there are none, as codes go from 0 to 255 there.
pub(crate) fn is_status(code: i32) -> bool {
    code.cast_unsigned() >= 0xC000_0000 && code < -1000 || words(code).is_some()
}

#[cfg(test)]
mod tests {
    use crate::ExitStatus;

    #[test]
    fn a_death_is_told_in_words_and_a_code_that_a_program_chose_as_a_number() {
        let said = |code: u32| ExitStatus::Code(code.cast_signed()).to_string();
        assert_eq!(said(0), "exit 0");
        assert_eq!(said(1), "exit 1");
        assert_eq!(said(u32::MAX), "exit -1");
        assert_eq!(said(0xC000_0005), "exit 0xC0000005 (access violation)");
        assert_eq!(said(0xC000_013A), "exit 0xC000013A (Ctrl-C)");
        assert_eq!(said(0xC000_00FD), "exit 0xC00000FD (stack overflow)");
        assert_eq!(said(0xE0AB_1DE0), "exit 0xE0AB1DE0 (terminated by abide)");
        assert_eq!(said(0xC000_9999), "exit 0xC0009999");
    }
}
