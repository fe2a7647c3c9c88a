//! Which units a pattern means.

use std::fmt;
use std::sync::Arc;

use globset::GlobBuilder;

use super::{Board, UnitEntry};

/// Longer than any name; keeps a hostile pattern from becoming a huge automaton.
const MAX_LEN: usize = 256;

/// Why a pattern means nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatternError {
    /// No unit matches it.
    NoMatch {
        /// The pattern.
        pattern: String,
        /// Units whose name without the group is the pattern.
        near: Vec<String>,
    },
    /// It is no pattern.
    Invalid {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch { pattern, .. } => write!(f, "no unit matches {pattern:?}"),
            Self::Invalid { pattern, reason } => {
                write!(f, "{pattern:?} is not a pattern: {reason}")
            }
        }
    }
}

impl std::error::Error for PatternError {}

pub(super) fn resolve(board: &Board, text: &str) -> Result<Vec<Arc<UnitEntry>>, PatternError> {
    if text.len() > MAX_LEN {
        return Err(PatternError::Invalid {
            pattern: text.chars().take(40).chain("…".chars()).collect(),
            reason: format!("it has {} bytes, {MAX_LEN} are allowed", text.len()),
        });
    }
    if let Some(entry) = board.unit(text) {
        return Ok(vec![entry]);
    }
    if text == "all" {
        return Ok(board.units());
    }
    let mut found = board.units();
    if text.contains(['*', '?', '[', '{']) {
        let glob = GlobBuilder::new(text)
            .backslash_escape(true)
            .build()
            .map_err(|error| PatternError::Invalid {
                pattern: text.to_owned(),
                reason: error.kind().to_string(),
            })?
            .compile_matcher();
        found.retain(|entry| glob.is_match(entry.name.as_str()));
    } else {
        found.retain(|entry| {
            entry
                .name
                .as_str()
                .split_once('@')
                .is_some_and(|(n, _)| n == text)
        });
    }
    if found.is_empty() {
        return Err(PatternError::NoMatch {
            pattern: text.to_owned(),
            near: board
                .units()
                .iter()
                .filter(|entry| entry.name.base() == text)
                .take(3)
                .map(|entry| entry.name.to_string())
                .collect(),
        });
    }
    Ok(found)
}
