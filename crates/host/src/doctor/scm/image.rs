//! What a file is to Windows that is to be executed, by what it begins with (the PE format's specification).

/// Where a file says at which place its header is.
const HEADER_AT: usize = 0x3c;

/// `IMAGE_FILE_DLL`.
const LIBRARY: u16 = 0x2000;

const I386: u16 = 0x14c;
const ARM: u16 = 0x1c4;
const AMD64: u16 = 0x8664;
const ARM64: u16 = 0xaa64;
const ARM64EC: u16 = 0xa641;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::doctor) enum Image {
    /// A program for this kind of processor; `None`: it says so further behind.
    Program(Option<u16>),
    /// Something that programs load.
    Library,
    Other,
}

impl Image {
    /// By the first bytes of a file.
    pub(in crate::doctor) fn of(head: &[u8]) -> Self {
        if !head.starts_with(b"MZ") {
            return Self::Other;
        }
        let short = |at: usize| -> Option<u16> {
            let bytes = head.get(at..at + 2)?;
            Some(u16::from_le_bytes(bytes.try_into().ok()?))
        };
        let Some(bytes) = head.get(HEADER_AT..HEADER_AT + 4) else {
            return Self::Other;
        };
        let at = bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
        let Some(signature) = head.get(at..at + 4) else {
            return Self::Program(None);
        };
        if signature != b"PE\0\0" {
            return Self::Other;
        }
        match (short(at + 4), short(at + 22)) {
            (_, Some(kind)) if kind & LIBRARY != 0 => Self::Library,
            (machine, _) => Self::Program(machine),
        }
    }
}

/// A machine with the first kind of processor executes programs for the second, by itself or by emulation.
pub(in crate::doctor) fn executes(ours: u16, theirs: u16) -> bool {
    let others: &[u16] = match ours {
        AMD64 => &[I386],
        ARM64 => &[ARM64EC, AMD64, I386, ARM],
        _ => &[],
    };
    ours == theirs || others.contains(&theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(machine: u16, kind: u16) -> Vec<u8> {
        let mut head = vec![0; 0x80];
        head[..2].copy_from_slice(b"MZ");
        head[HEADER_AT] = 0x80;
        head.extend(b"PE\0\0");
        head.extend(machine.to_le_bytes());
        head.extend([0; 16]);
        head.extend(kind.to_le_bytes());
        head
    }

    #[test]
    fn a_program_is_told_from_a_library_and_from_something_else() {
        assert_eq!(Image::of(&file(AMD64, 0x22)), Image::Program(Some(AMD64)));
        assert_eq!(Image::of(&file(AMD64, 0x2022)), Image::Library);
        assert_eq!(Image::of(&file(AMD64, 0)[..0x80]), Image::Program(None));
        assert_eq!(Image::of(b"MZ"), Image::Other);
        assert_eq!(Image::of(b"\x7fELF"), Image::Other);
        let mut dos = file(AMD64, 0);
        dos[0x80] = b'N';
        assert_eq!(Image::of(&dos), Image::Other);
    }

    #[test]
    fn a_processor_executes_what_it_can_or_emulates() {
        assert!(executes(AMD64, I386) && executes(ARM64, AMD64));
        assert!(!executes(AMD64, ARM64) && !executes(I386, AMD64));
    }
}
