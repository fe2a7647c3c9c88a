//! Saying something to whoever listens on a [`super::NotifySocket`].

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::Storage::FileSystem::{SECURITY_ANONYMOUS, SECURITY_SQOS_PRESENT};
use windows_sys::Win32::System::Pipes::WaitNamedPipeW;

use crate::win32::{code, milliseconds, wide};

/// Sends one message, as a program does: waits for its turn, at most so long.
///
/// # Errors
/// `NotFound`: nobody listens; `TimedOut`: it is somebody else's turn all the time; others of opening a pipe and writing to it.
pub fn send(address: &str, message: &[u8], patience: Duration) -> io::Result<()> {
    let name = wide(address)?;
    let until = Instant::now() + patience;
    loop {
        let opened = OpenOptions::new()
            .write(true)
            // Who listens learns nothing of us but the number of this process.
            .security_qos_flags(SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS)
            .open(address);
        let mut pipe = match opened {
            Ok(pipe) => pipe,
            Err(error) if code(&error) != Some(ERROR_PIPE_BUSY) => return Err(error),
            Err(_) => {
                let left = until.saturating_duration_since(Instant::now());
                // Zero would mean the pipe's own time-out.
                let left = milliseconds(Some(left)).max(1);
                // SAFETY: the name ends with a zero.
                let free = unsafe { WaitNamedPipeW(name.as_ptr(), left) } != 0;
                if !free && Instant::now() >= until {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                continue;
            }
        };
        // One write is one message.
        let written = pipe.write(message)?;
        return if written == message.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        };
    }
}
