//! How programs are named, looked up, and split off command lines: each system has its own ways.
//!
//! - [`split`]: the words of a command line;
//! - [`is_path`]: whether a program's name is a path, which is not looked up in PATH;
//! - [`search_path`]: the PATH that a unit's programs are looked up in;
//! - [`folders`] of it, and [`files`] that a name may mean in one;
//! - [`look`]: what a file is; [`is_socket`].

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{files, folders, is_path, is_socket, look, search_path, split};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{files, folders, is_path, is_socket, look, search_path, split};

/// What a file is to somebody who wants to execute it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(windows, expect(dead_code, reason = "files have no mode there"))]
pub enum Found {
    /// It can be executed, or nobody can tell.
    Yes,
    /// It is there.
    NotExecutable,
    /// It is a directory.
    Directory,
    /// It is not there.
    No,
}
