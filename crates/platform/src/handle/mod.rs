//! Open files, pipes, sockets, processes: what each system calls them, under one name.

#[cfg(unix)]
mod linux;
#[cfg(unix)]
pub use linux::{Borrowed, Handle, Lend};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Borrowed, Handle, Lend};
