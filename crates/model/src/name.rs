//! Names of units: `NAME`, `GROUP:NAME`, and `NAME@INSTANCE` for instances.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest full name, in bytes. A name is a directory's name under `logs/` and `run/`.
const MAX_LEN: usize = 128;

/// A unit's full name, valid by construction: `[GROUP:]NAME[@INSTANCE]`.
///
/// Each part is made of letters, digits, `_`, `-`, `+` and `.`, and starts with a letter, a digit or
/// `_`; so a name is safe as a directory's name, in a URL's path and on a command line.
/// Cheap to clone. Ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(Arc<str>);

/// Why a text is not a unit's name; reads after "cannot use this name: ".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NameError {
    /// A part is empty.
    Empty,
    /// Longer than 128 bytes.
    TooLong(usize),
    /// A character that no name may hold.
    BadCharacter(char),
    /// A part starts with `-`, `+` or `.`.
    BadStart(char),
    /// More than one `:` or `@`, or `@` before `:`.
    BadShape,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a name cannot be empty"),
            Self::TooLong(n) => write!(f, "a name has at most {MAX_LEN} bytes, this one has {n}"),
            Self::BadCharacter(c) => write!(
                f,
                "a name cannot hold {c:?}; letters, digits, '_', '-', '+' and '.' are allowed"
            ),
            Self::BadStart(c) => {
                write!(
                    f,
                    "a name cannot start with {c:?}; start it with a letter or a digit"
                )
            }
            Self::BadShape => write!(f, "a full name is [GROUP:]NAME[@INSTANCE]"),
        }
    }
}

impl std::error::Error for NameError {}

fn check_part(part: &str) -> Result<(), NameError> {
    let first = part.chars().next().ok_or(NameError::Empty)?;
    for c in part.chars() {
        if !(c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')) {
            return Err(NameError::BadCharacter(c));
        }
    }
    if matches!(first, '-' | '+' | '.') {
        return Err(NameError::BadStart(first));
    }
    Ok(())
}

impl UnitName {
    /// Checks and takes a full name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the text breaks.
    pub fn new(full: &str) -> Result<Self, NameError> {
        if full.len() > MAX_LEN {
            return Err(NameError::TooLong(full.len()));
        }
        let (group, rest) = match full.split_once(':') {
            Some((group, rest)) => (Some(group), rest),
            None => (None, full),
        };
        let (name, instance) = match rest.split_once('@') {
            Some((name, instance)) => (name, Some(instance)),
            None => (rest, None),
        };
        if rest.contains(':') || instance.is_some_and(|i| i.contains('@')) {
            return Err(NameError::BadShape);
        }
        for part in group.into_iter().chain([name]).chain(instance) {
            check_part(part)?;
        }
        Ok(Self(Arc::from(full)))
    }

    /// Puts a name together from its parts.
    ///
    /// # Errors
    /// [`NameError`] as for [`UnitName::new`].
    pub fn from_parts(
        group: Option<&str>,
        name: &str,
        instance: Option<&str>,
    ) -> Result<Self, NameError> {
        let mut full = String::new();
        if let Some(group) = group {
            full.push_str(group);
            full.push(':');
        }
        full.push_str(name);
        if let Some(instance) = instance {
            full.push('@');
            full.push_str(instance);
        }
        Self::new(&full)
    }

    /// The full name, as people type it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `:`.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.0.split_once(':').map(|(group, _)| group)
    }

    /// The name without group and instance.
    #[must_use]
    pub fn base(&self) -> &str {
        let rest = self.0.split_once(':').map_or(&*self.0, |(_, rest)| rest);
        rest.split_once('@').map_or(rest, |(name, _)| name)
    }

    /// The part after `@`.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, instance)| instance)
    }
}

impl FromStr for UnitName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_has_group_name_and_instance() {
        let name: UnitName = "shop:web@2".parse().expect("valid");
        assert_eq!(
            (name.group(), name.base(), name.instance()),
            (Some("shop"), "web", Some("2"))
        );
        let name: UnitName = "web".parse().expect("valid");
        assert_eq!(
            (name.group(), name.base(), name.instance()),
            (None, "web", None)
        );
    }

    #[test]
    fn a_name_that_could_leave_its_directory_is_refused() {
        for bad in [
            "",
            "a/b",
            "..",
            ".hidden",
            "a\nb",
            "-x",
            "a:",
            ":b",
            "a@",
            "a:b:c",
            "a@1@2",
            "a b",
            "\u{1b}[1m",
        ] {
            assert!(UnitName::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(UnitName::new(&"x".repeat(129)).is_err());
    }
}
