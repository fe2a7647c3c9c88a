//! Configuration: text in, [`abide_model::Spec`]s out, and every mistake with its place.
//!
//! ```text
//!  files ──read──► text ──toml──► tree with spans ──keys──► known keys only ──decode──► units ──link──► Loaded
//!                   │                │                        │                  │               │
//!                   └── too big,     └── syntax, the first    └── unknown,       └── wrong       └── unknown names,
//!                       not UTF-8        of each table            not yet            values          cycles, doubles
//! ```
//!
//! - [`load`] reads files and folders, [`parse`] one text; [`inherits`] says which variables of the
//!   caller they want, so that a client can send exactly those.
//! - Every mistake of a file is found at once; a [`Diagnostic`] carries its own snippet, so that it
//!   can be shown where the file is not at hand.
//! - [`keys`] is the one table of all keys, with defaults and meanings; what is not in it is an error,
//!   and the reference in `docs/configuration.md` is made from it.
//! - [`render_run`] writes a unit given on a command line as a file of the same format: there is one
//!   way in.
//!
//! Architecture invariant: nothing here starts, stops or changes anything. It reads the files it is
//! given, looks whether directories and programs exist, and asks [`abide_model::Accounts`] about users.

mod caller;
mod context;
mod decode;
mod diagnostic;
mod digest;
mod document;
mod dotenv;
pub mod keys;
mod link;
mod load;
mod programs;
mod read;
mod render;
mod run;
mod source;
mod syntax;
mod values;
mod version;

pub use caller::{Caller, SystemFiles};
pub use diagnostic::{Diagnostic, Diagnostics, Note, Severity, Snippet};
pub use document::{DaemonSettings, Document, Loaded, Origin, Resolved, Setting};
pub use programs::split as split_command;
pub use run::{RunOptions, render_run};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Reads these files, and of a directory its `abide.toml` and then every other `*.toml` by name;
/// checks them alone and together.
///
/// Relative paths are taken from [`Caller::directory`]. What could not be used is in
/// [`Loaded::diagnostics`]; when that has errors, the units are incomplete and must not be applied.
#[must_use]
pub fn load(files: &[PathBuf], caller: &Caller) -> Loaded {
    load::load(files, caller)
}

/// Reads one text as if it were the file `path` (absolute), checked by itself.
///
/// # Errors
/// Every mistake, warnings among them. Without errors, the warnings are in [`Document::warnings`].
pub fn parse(text: &str, path: &Path, caller: &Caller) -> Result<Document, Diagnostics> {
    load::parse(text, path, caller)
}

/// The names of the variables that units of these files want from the caller (`inherit`).
///
/// Never fails: what cannot be read wants nothing, and [`load`] will say why.
#[must_use]
pub fn inherits(files: &[PathBuf], caller: &Caller) -> BTreeSet<String> {
    load::inherits(files, caller)
}

/// The name under which a file or a folder is remembered: absolute, symbolic links left alone, so that
/// it is what a person would type again. Only a path with `..` is resolved, where it leads somewhere.
#[must_use]
pub fn source_name(argument: &Path, directory: &Path) -> PathBuf {
    let joined = directory.join(argument);
    let path = std::path::absolute(&joined).unwrap_or(joined);
    if path
        .components()
        .any(|part| part == std::path::Component::ParentDir)
    {
        return path.canonicalize().unwrap_or(path);
    }
    path
}
