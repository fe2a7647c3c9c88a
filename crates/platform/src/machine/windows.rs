#![allow(unsafe_code)]

mod memory;
mod volume;

pub use memory::{Memory, memory};
pub use volume::{Volume, is_remote_drive, volume};

use std::io;

use windows_sys::Win32::System::SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, IsWow64Process2, SetThreadPriority,
    THREAD_MODE_BACKGROUND_BEGIN,
};
use windows_sys::Win32::UI::Shell::IsUserAnAdmin;

use crate::win32::checked;

/// What this machine calls itself; empty if it does not say.
#[must_use]
pub fn name() -> String {
    let mut text = [0_u16; 256];
    let mut length = text.len() as u32;
    // SAFETY: the text has as much room as is said.
    let told =
        unsafe { GetComputerNameExW(ComputerNameDnsHostname, text.as_mut_ptr(), &mut length) };
    match text.get(..length as usize) {
        Some(name) if told != 0 => String::from_utf16_lossy(name),
        _ => String::new(),
    }
}

/// The kind of processor that this machine has (`IMAGE_FILE_MACHINE_…`), also where this process is for another one.
///
/// # Errors
/// Those of IsWow64Process2.
pub fn processor() -> io::Result<u16> {
    let (mut emulated, mut native) = (0, 0);
    // SAFETY: the handle is a constant that means this process; both numbers go to locals.
    checked(unsafe { IsWow64Process2(GetCurrentProcess(), &mut emulated, &mut native) })?;
    Ok(native)
}

/// This process may do what an administrator may.
#[must_use]
pub fn is_privileged() -> bool {
    // SAFETY: takes nothing.
    unsafe { IsUserAnAdmin() != 0 }
}

/// How many handles this process may have. `None`: as many as memory has room for, which is millions.
#[must_use]
pub fn open_files() -> Option<u64> {
    None
}

/// This thread leaves the processors and the disks to others.
///
/// # Errors
/// Those of SetThreadPriority.
pub fn in_background() -> io::Result<()> {
    // SAFETY: the handle is a constant that means the calling thread.
    checked(unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) })
}
