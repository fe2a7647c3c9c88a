//! Which units a pattern means.

use std::fmt;
use std::sync::Arc;

use abide_model::UnitName;
use globset::{GlobBuilder, GlobMatcher};

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
        /// Names that may have been meant.
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

/// A pattern by itself, for names that no unit has (yet, or any more).
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `all`.
    All,
    /// A glob over the full name; `*` matches `:` and `@` too.
    Glob(Box<GlobMatcher>),
    /// A full name, or the name of units that have instances.
    Name(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is too long, or a glob that is not well formed.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_LEN {
            return Err(PatternError::Invalid {
                pattern: text.chars().take(40).chain(['…']).collect(),
                reason: format!("it has {} bytes, {MAX_LEN} are allowed", text.len()),
            });
        }
        if text == "all" {
            return Ok(Self::All);
        }
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(Self::Name(text.to_owned()));
        }
        let glob = GlobBuilder::new(text).backslash_escape(true).build();
        let glob = glob.map_err(|error| PatternError::Invalid {
            pattern: text.to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self::Glob(Box::new(glob.compile_matcher())))
    }

    /// Whether it means this name.
    #[must_use]
    pub fn matches(&self, name: &UnitName) -> bool {
        match self {
            Self::All => true,
            Self::Glob(glob) => glob.is_match(name.as_str()),
            Self::Name(text) => {
                let rest = name.as_str().strip_prefix(text.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            }
        }
    }
}

pub(super) fn resolve(board: &Board, text: &str) -> Result<Vec<Arc<UnitEntry>>, PatternError> {
    if let Some(entry) = board.unit(text) {
        return Ok(vec![entry]);
    }
    let pattern = Pattern::new(text)?;
    let mut found = board.units();
    found.retain(|entry| pattern.matches(&entry.name));
    if found.is_empty() && !matches!(pattern, Pattern::All) {
        return Err(PatternError::NoMatch {
            pattern: text.to_owned(),
            near: near(&board.units(), text),
        });
    }
    Ok(found)
}

/// The names that somebody who wrote `text` may have meant: those that are `text` with a group or an
/// instance, else those that differ by a slip or two.
pub(super) fn near(units: &[Arc<UnitEntry>], text: &str) -> Vec<String> {
    let names = |near: &mut dyn Iterator<Item = &Arc<UnitEntry>>| -> Vec<String> {
        near.take(3).map(|entry| entry.name.to_string()).collect()
    };
    let exact = names(&mut units.iter().filter(|entry| entry.name.base() == text));
    // Longer is no name, and would take long.
    if !exact.is_empty() || text.len() > MAX_LEN {
        return exact;
    }
    let slips = (text.chars().count() / 3).min(2);
    let distance = |entry: &Arc<UnitEntry>| {
        let name = entry.name.as_str();
        let full = strsim::damerau_levenshtein(text, name);
        full.min(strsim::damerau_levenshtein(text, entry.name.base()))
    };
    let nearest = units.iter().map(|entry| (distance(entry), entry));
    let nearest = nearest.filter(|(distance, _)| *distance <= slips);
    let least = nearest.clone().map(|(distance, _)| distance).min();
    names(
        &mut nearest
            .filter(|(distance, _)| Some(*distance) == least)
            .map(|(_, entry)| entry),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(pattern: &str) -> Vec<&'static str> {
        let names = ["db", "shop:web@1", "shop:web@2", "web", "web@1", "webby"];
        let pattern = Pattern::new(pattern).expect("a pattern");
        let mut names = names.to_vec();
        names.retain(|name| pattern.matches(&name.parse().expect("a name")));
        names
    }

    #[test]
    fn a_pattern_is_a_name_a_glob_a_group_or_all() {
        assert_eq!(matching("db"), ["db"]);
        assert_eq!(matching("web"), ["web", "web@1"]);
        assert_eq!(matching("shop:web"), ["shop:web@1", "shop:web@2"]);
        assert_eq!(matching("shop:*"), ["shop:web@1", "shop:web@2"]);
        assert_eq!(matching("web*"), ["web", "web@1", "webby"]);
        assert_eq!(matching("all").len(), 6);
        assert_eq!(matching("*").len(), 6);
        assert!(matching("nope").is_empty() && matching("").is_empty());
        assert!(Pattern::new("web[").is_err() && Pattern::new(&"x".repeat(300)).is_err());
    }
}
