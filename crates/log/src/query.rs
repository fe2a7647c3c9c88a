//! What a reader is asked for.

use std::path::PathBuf;

use abide_model::{UnitName, Wall};
use regex::bytes::Regex;

use crate::{Line, Text};

/// A unit's log directory. It need not exist (yet).
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose.
    pub unit: UnitName,
    /// `logs/UNIT`.
    pub dir: PathBuf,
    /// How its output is read.
    pub text: Text,
}

/// Which lines. The default is all of them, from the first to the last there is now.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only lines of this time or later.
    pub since: Option<Wall>,
    /// Only lines before this time.
    pub until: Option<Wall>,
    /// Only the last so many of the lines that are there at the beginning and match everything else.
    pub last: Option<u64>,
    /// Only lines in which this is found, as they are shown.
    pub grep: Option<Regex>,
    /// Go on with what comes later: an incomplete last line is held back until its newline comes.
    pub follow: bool,
}

impl Query {
    pub(crate) fn matches(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
            && self
                .grep
                .as_ref()
                .is_none_or(|grep| grep.is_match(line.shown()))
    }
}
