//! What a command means, before anything is started: whether the program of `run` is there, and where those of units are
//! looked for.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{base, find, folders, shell};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{base, find, folders, shell};

use crate::failure::Failure;

/// An empty word is no program.
fn empty() -> Failure {
    Failure::usage("cannot guard an empty command".to_owned())
        .help("write the program after --, as in `abide run -- python3 -m http.server`")
}
