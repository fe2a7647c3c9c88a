//! A file's text, and places in it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Note, Severity, Snippet};

/// A line longer than this is cut around the mark.
const LONGEST_LINE: usize = 400;

/// A file's text with the starts of its lines.
pub(crate) struct SourceText {
    /// Absolute.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    starts: Vec<usize>,
}

impl SourceText {
    pub fn new(path: &Path, text: String) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            path: path.to_owned(),
            text,
            starts,
        }
    }

    /// The folder that relative paths are taken from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// 1-based line of a byte.
    pub fn line(&self, at: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }

    /// An error at this place.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, span, message.into())
    }

    /// A warning at this place.
    pub fn warning(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, span, message.into())
    }

    fn diagnostic(&self, severity: Severity, span: Range<usize>, message: String) -> Diagnostic {
        let (line, column, snippet) = self.place(&span);
        Diagnostic {
            severity,
            file: self.path.clone(),
            line,
            column,
            span,
            message,
            label: String::new(),
            help: None,
            snippet: Some(snippet),
            notes: Vec::new(),
        }
    }

    /// Another place that has to do with a mistake.
    pub fn note(&self, span: &Range<usize>, label: impl Into<String>) -> Note {
        let (line, column, snippet) = self.place(span);
        Note {
            file: self.path.clone(),
            line,
            column,
            label: label.into(),
            snippet,
        }
    }

    /// Line, column and snippet of a span; of one over several lines, its first.
    fn place(&self, span: &Range<usize>) -> (u32, u32, Snippet) {
        let at = self.boundary(span.start.min(self.text.len()));
        let line = self.line(at);
        let index = (line as usize).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        let end = self
            .starts
            .get(index + 1)
            .map_or(self.text.len(), |next| next - 1);
        let whole = self.text[start..end]
            .strip_suffix('\r')
            .unwrap_or(&self.text[start..end]);
        let at = at.min(start + whole.len());
        let stop = self.boundary(span.end.clamp(at, start + whole.len()));
        let column =
            u32::try_from(self.text[start..at].chars().count()).unwrap_or(u32::MAX - 1) + 1;
        let mark = at - start..stop - start;
        (line, column, cut(whole, mark))
    }

    fn boundary(&self, mut at: usize) -> usize {
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Keeps what a person would want to see of a very long line.
fn cut(line: &str, mark: Range<usize>) -> Snippet {
    if line.len() <= LONGEST_LINE {
        return Snippet {
            text: line.to_owned(),
            mark,
        };
    }
    let down = |mut at: usize| {
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = down(mark.start.saturating_sub(60));
    let to = down(line.len().min(from + LONGEST_LINE / 2));
    let (before, after) = (
        if from > 0 { "…" } else { "" },
        if to < line.len() { "…" } else { "" },
    );
    let text = format!("{before}{}{after}", &line[from..to]);
    let mark = mark.start - from + before.len()..mark.end.min(to) - from + before.len();
    Snippet { text, mark }
}

/// A piece of a user's text, as it may stand in a message: in backticks, control characters escaped,
/// not too long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == LONGEST {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
    }
    shown.push('`');
    shown
}
