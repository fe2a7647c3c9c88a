#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::Security::Authentication::Identity::RtlGenRandom;

/// Fills a buffer.
///
/// # Errors
/// The system has no random numbers.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    for part in bytes.chunks_mut(1 << 16) {
        // SAFETY: the buffer is as long as is said.
        if !unsafe { RtlGenRandom(part.as_mut_ptr().cast(), part.len() as u32) } {
            return Err(io::Error::other("the system has no random numbers"));
        }
    }
    Ok(())
}
