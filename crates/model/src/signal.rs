//! Signals by name, so that a spec reads the same on every machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A signal number of Linux (the generic numbers of signal(7), which x86-64 and ARM use).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub i32);

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The highest signal number of Linux (`SIGRTMAX`).
const MAX: i32 = 64;

impl Signal {
    /// Hang up: by custom, re-read the configuration.
    pub const HUP: Self = Self(1);
    /// Interrupt, as from Ctrl-C.
    pub const INT: Self = Self(2);
    /// Cannot be caught.
    pub const KILL: Self = Self(9);
    /// Please end.
    pub const TERM: Self = Self(15);
    /// Go on after a stop.
    pub const CONT: Self = Self(18);

    /// Every named signal, without the `SIG`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, n)| *n == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if (34..=MAX).contains(&self.0) => write!(f, "SIGRTMIN+{}", self.0 - 34),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Signal {
    type Err = String;

    /// Takes `TERM`, `SIGTERM`, `sigterm`, `15`, and `RTMIN+N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("{text:?} is not a signal; use a name such as SIGTERM, SIGHUP or SIGUSR1");
        let upper = text.trim().to_ascii_uppercase();
        if let Ok(n) = upper.parse::<i32>() {
            return if (1..=MAX).contains(&n) {
                Ok(Self(n))
            } else {
                Err(bad())
            };
        }
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(rest) = name.strip_prefix("RTMIN") {
            let n = if rest.is_empty() {
                0
            } else {
                rest.strip_prefix('+')
                    .and_then(|n| n.parse().ok())
                    .ok_or_else(bad)?
            };
            return if (0..=MAX - 34).contains(&n) {
                Ok(Self(34 + n))
            } else {
                Err(bad())
            };
        }
        NAMES
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, n)| Self(*n))
            .ok_or_else(bad)
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_read_back_as_it_was_written() {
        for n in (1..=31).chain(34..=64) {
            let shown = Signal(n).to_string();
            assert_eq!(shown.parse(), Ok(Signal(n)), "{shown}");
        }
    }

    #[test]
    fn a_signal_is_taken_in_any_usual_spelling() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        for bad in ["", "SIGNOPE", "0", "65", "-1", "RTMIN+99"] {
            assert!(bad.parse::<Signal>().is_err(), "{bad:?} was taken");
        }
    }
}
