#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

use crate::win32::checked;

/// The machine's memory, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Memory that is there to be used at once.
    pub available: u64,
    /// All that the machine has.
    pub all: u64,
    /// What programs may still ask for, page files counted.
    pub commit_left: u64,
    /// What all programs together may ask for.
    pub commit_limit: u64,
}

/// How much there is, and how much of it is left.
///
/// # Errors
/// Those of GlobalMemoryStatusEx.
pub fn memory() -> io::Result<Memory> {
    let mut status = MEMORYSTATUSEX {
        dwLength: size_of::<MEMORYSTATUSEX>() as u32,
        ..MEMORYSTATUSEX::default()
    };
    // SAFETY: the structure says how long it is.
    checked(unsafe { GlobalMemoryStatusEx(&mut status) })?;
    Ok(Memory {
        available: status.ullAvailPhys,
        all: status.ullTotalPhys,
        commit_left: status.ullAvailPageFile,
        commit_limit: status.ullTotalPageFile,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_memory_and_no_more_of_it_is_left() {
        let memory = super::memory().expect("it is told");
        assert!(memory.available > 0 && memory.available <= memory.all);
        assert!(memory.commit_left <= memory.commit_limit);
    }
}
