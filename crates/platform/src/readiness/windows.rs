use std::io;

use super::Said;
use crate::handle::Handle;

const WHY: &str = "on Windows a program inherits no descriptor by its number; use another readiness check \
                   (`tcp`, `http`, `log`, `file`, `exec`)";

/// There is none.
///
/// # Errors
/// Always `Unsupported`.
pub fn pipe() -> io::Result<(Handle, Handle)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}

/// There is none.
///
/// # Errors
/// Always `Unsupported`.
pub fn read(_: &Handle) -> io::Result<Said> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}
