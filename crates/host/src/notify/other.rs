use std::io;

/// No manager of this system listens.
pub(super) fn send(_address: &str, _message: &str, _speaker: Option<u32>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
