//! The connection to the home's daemon: a Unix socket, or a named pipe.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{MASTER, Stream, connect, keeper_lives, kill};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{MASTER, Stream, connect, keeper_lives, kill};
