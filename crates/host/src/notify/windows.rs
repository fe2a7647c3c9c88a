use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use abide_platform::notify;

pub(super) const VARIABLE: &str = notify::VARIABLE;

pub(super) const WANTED: &str = r"no name of a pipe, which begins with \\.\pipe\";

pub(super) fn is_address(address: &OsStr) -> bool {
    let address = address.as_encoded_bytes();
    address.starts_with(br"\\.\pipe\")
}

/// No clock is compared here.
pub(super) fn since_when() -> &'static str {
    ""
}

/// The system says which process speaks; nobody speaks for another one.
pub(super) fn send(
    address: &OsStr,
    message: &[u8],
    _speaker: Option<u32>,
    patience: Duration,
) -> io::Result<()> {
    let address = address
        .to_str()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    notify::send(address, message, patience)
}
