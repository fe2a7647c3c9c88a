//! Paths and query strings, with whatever a person typed in them.

use std::fmt::{Display, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a path.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A path with its query.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    empty: bool,
}

impl Query {
    /// A path without a query yet.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            empty: true,
        }
    }

    /// Adds `key=value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        let sign = if self.empty { '?' } else { '&' };
        self.empty = false;
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{sign}{key}={}", segment(&value.to_string()));
        self
    }

    /// Adds `key=value` if there is a value.
    #[must_use]
    pub fn maybe(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds `key` once for each value.
    #[must_use]
    pub fn each<T: Display>(self, key: &str, values: &[T]) -> Self {
        values
            .iter()
            .fold(self, |query, value| query.with(key, value))
    }

    /// The path with its query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_cannot_change_the_path() {
        assert_eq!(segment("a/b c?d"), "a%2Fb%20c%3Fd");
        let query = Query::new("/v1/units")
            .each("pattern", &["web*", "a&b=c"])
            .maybe("n", None::<u8>);
        assert_eq!(query.as_str(), "/v1/units?pattern=web%2A&pattern=a%26b%3Dc");
    }
}
