use std::io;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::Said;
use crate::handle::Handle;

/// The reading end, and the one for the program. Writing to it blocks, as the program expects; reading does not.
///
/// # Errors
/// Those of pipe2(2).
pub fn pipe() -> io::Result<(Handle, Handle)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty())?;
    Ok((reader, writer))
}

/// Takes what was written. Does not block.
///
/// # Errors
/// Those of read(2).
pub fn read(pipe: &Handle) -> io::Result<Said> {
    let mut buffer = [0; 64];
    loop {
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => return Ok(Said::Closed),
            Ok(n) if buffer.iter().take(n).any(|byte| *byte == b'\n') => return Ok(Said::Ready),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Said::Nothing),
            Err(error) => return Err(error.into()),
        }
    }
}
