use std::io;

use super::Said;
use crate::absent;
use crate::handle::Handle;

/// There is none.
///
/// # Errors
/// Always `Unsupported`.
pub fn pipe() -> io::Result<(Handle, Handle)> {
    Err(absent::READY_DESCRIPTOR.error())
}

/// There is none.
///
/// # Errors
/// Always `Unsupported`.
pub fn read(_: &Handle) -> io::Result<Said> {
    Err(absent::READY_DESCRIPTOR.error())
}
