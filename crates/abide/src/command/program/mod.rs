//! Whether the program of `run` is there, before anything is started.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{base, find};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{base, find};

use crate::failure::Failure;

/// An empty word is no program.
fn empty() -> Failure {
    Failure::usage("cannot guard an empty command".to_owned())
        .help("write the program after --, as in `abide run -- python3 -m http.server`")
}
