//! How much a message matters, and what kind of program it comes from, in the numbers of syslog.

use std::fmt;
use std::str::FromStr;

/// RFC 5424, table 2: the lower, the worse. journald's PRIORITY is the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Severity {
    /// 0: the system is unusable.
    Emergency,
    /// 1: action must be taken at once.
    Alert,
    /// 2: critical conditions.
    Critical,
    /// 3: errors.
    Error,
    /// 4: warnings.
    Warning,
    /// 5: normal, but worth a notice.
    Notice,
    /// 6: the ordinary course of things.
    #[default]
    Info,
    /// 7: for those who look for a mistake.
    Debug,
}

impl Severity {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// 0 to 7.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// RFC 5424, table 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Facility(u8);

/// The names of syslog(3) and syslog.conf(5), by number; those without a name are the system's own affair.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Facility {
    /// Programs in the background.
    pub const DAEMON: Self = Self(3);

    /// 0 to 23.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FACILITIES.iter().map(|(name, _)| *name)
    }
}

impl Default for Facility {
    fn default() -> Self {
        Self::DAEMON
    }
}

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = FACILITIES.iter().find(|(name, _)| *name == text);
        known.map(|(_, number)| Self(*number)).ok_or_else(|| {
            let names: Vec<_> = Self::names().collect();
            format!("{text:?} is no facility; there are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = FACILITIES.iter().find(|(_, number)| *number == self.0);
        f.pad(known.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_rfc() {
        for (number, severity) in (0u8..).zip(Severity::ALL) {
            assert_eq!(severity.number(), number);
            assert_eq!(Severity::from_number(number), Some(severity));
        }
        assert_eq!(Severity::from_number(8), None);
        for name in Facility::names() {
            let facility: Facility = name.parse().expect("it is known");
            assert_eq!(facility.to_string(), name);
            assert!(facility.number() < 24);
        }
        assert!("local8".parse::<Facility>().is_err());
    }
}
