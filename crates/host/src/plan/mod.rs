//! What an installation writes and calls, before anything is done: what `--dry-run` prints.

mod apply;
#[cfg(all(test, unix))]
mod tests;
mod text;

use std::path::PathBuf;

use crate::manager::Registration;

pub(crate) use apply::below;
pub use text::difference;

/// A file that is written whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Where, as the installed system sees it: without the root that it may be written below.
    pub path: PathBuf,
    /// What.
    pub text: String,
    /// Its permissions, such as `0o644`.
    pub mode: u32,
}

/// A symbolic link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Where.
    pub path: PathBuf,
    /// To what.
    pub target: PathBuf,
}

/// A command of the manager's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Program and arguments.
    pub words: Vec<String>,
}

impl Call {
    /// From its words.
    #[must_use]
    pub fn new<const N: usize>(words: [&str; N]) -> Self {
        Self {
            words: words.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What is written, and what is called after that, in this order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// The service's files; the first one carries the marker by which it is known as ours.
    pub files: Vec<File>,
    /// Links, such as that which has it started at boot.
    pub links: Vec<Link>,
    /// Files and links that an earlier installation may have left, and that are not wanted any more.
    pub removed: Vec<PathBuf>,
    /// Directories that must be there; they may be empty, and stay when the service goes.
    pub directories: Vec<PathBuf>,
    /// Files that are removed again once the manager has the service, such as those that keep it from being
    /// started by being installed.
    pub afterwards: Vec<PathBuf>,
    /// What the Service Control Manager of Windows is told, before anything is called.
    pub registration: Option<Registration>,
    /// Commands, when all is written. Not called when writing below another root.
    pub calls: Vec<Call>,
    /// Commands after what was written had to be taken back.
    pub undo: Vec<Call>,
    /// What this manager does otherwise than was asked for.
    pub notes: Vec<String>,
}
