//! What this process asks of the machine that it runs on, and of its own place there.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{in_background, is_privileged, name, open_files};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{
    Memory, Volume, in_background, is_privileged, is_remote_drive, memory, name, open_files,
    processor, volume,
};
