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

/// What stands beside the mark, the way out, and other places: set while a diagnostic is made.
impl Diagnostic {
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
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

/// More than this nobody reads: the rest is only counted.
const MOST_SHOWN: usize = 50;

impl Diagnostics {
    /// Adds one, unless it is there already. Beyond the fiftieth, errors are only counted.
    pub fn push(&mut self, item: Diagnostic) {
        if self.items.contains(&item) {
            return;
        }
        if self.items.len() < MOST_SHOWN {
            self.items.push(item);
        } else if item.severity == Severity::Error {
            self.hidden += 1;
        }
    }

    /// Whether more errors would only be counted: nobody needs to look for their way out.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= MOST_SHOWN
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        for item in other.items {
            self.push(item);
        }
        self.hidden += other.hidden;
    }

    /// Orders them by place within each file; files stay in the order in which they first came.
    pub(crate) fn sort(&mut self) {
        let mut files: Vec<PathBuf> = Vec::new();
        for item in &self.items {
            if !files.contains(&item.file) {
                files.push(item.file.clone());
            }
        }
        let rank = |file: &PathBuf| files.iter().position(|f| f == file);
        self.items
            .sort_by_key(|item| (rank(&item.file), item.line, item.column));
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.hidden == 0
    }

    /// Whether something makes a file unusable.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// How many errors, those not kept included.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.severity == Severity::Error)
            .count()
            + self.hidden
    }

    /// How many warnings.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.severity == Severity::Warning)
            .count()
    }

    /// The warnings alone.
    #[must_use]
    pub fn warnings(&self) -> Self {
        let warnings = self
            .items
            .iter()
            .filter(|item| item.severity == Severity::Warning);
        Self {
            items: warnings.cloned().collect(),
            hidden: 0,
        }
    }

    /// As rustc shows them: place, line, mark, help; with a last line that counts them. Empty when
    /// there is nothing.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        crate::render::render(self, colour)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
