//! Reading files: never more than a configuration can be, and only what is a file.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    bytes: u64,
    what: &'static str,
}

impl Limit {
    /// A configuration: some ten thousand units.
    pub const CONFIGURATION: Self = Self {
        bytes: 4 << 20,
        what: "a configuration",
    };
    /// A file of variables: what an `exec` could take.
    pub const VARIABLES: Self = Self {
        bytes: 1 << 20,
        what: "a file of variables",
    };
}

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Failure {
    Missing,
    Directory,
    NotAFile,
    TooLarge(u64, Limit),
    Binary(usize),
    Other(std::io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "no such file"),
            Self::Directory => write!(f, "it is a directory"),
            Self::NotAFile => write!(f, "it is not a regular file"),
            Self::TooLarge(size, Limit { bytes, what }) => {
                write!(
                    f,
                    "it has {:.1} MiB, and {what} has at most {} MiB",
                    *size as f64 / 1_048_576.0,
                    bytes >> 20
                )
            }
            Self::Binary(at) => write!(f, "it is not a text: byte {at} is not UTF-8, or is NUL"),
            Self::Other(why) => write!(f, "{why}"),
        }
    }
}

/// Reads a whole file of text.
pub(crate) fn text(path: &Path, limit: Limit) -> Result<String, Failure> {
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::NotFound => Failure::Missing,
        _ => Failure::Other(why),
    };
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let data = std::fs::metadata(path).map_err(failed)?;
    if data.is_dir() {
        return Err(Failure::Directory);
    }
    if !data.is_file() {
        return Err(Failure::NotAFile);
    }
    let too_large = |size| Failure::TooLarge(size, limit);
    if data.len() > limit.bytes {
        return Err(too_large(data.len()));
    }
    let mut bytes = Vec::new();
    // It may have grown since, and files of /proc say that they are empty.
    let mut file = File::open(path).map_err(failed)?.take(limit.bytes + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit.bytes {
        return Err(too_large(bytes.len() as u64));
    }
    let text =
        String::from_utf8(bytes).map_err(|why| Failure::Binary(why.utf8_error().valid_up_to()))?;
    match text.find('\0') {
        Some(at) => Err(Failure::Binary(at)),
        None => Ok(text),
    }
}
