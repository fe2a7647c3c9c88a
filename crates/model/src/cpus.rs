//! Which processors a program may run on.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Processors by the numbers that the system gives them, from 0 on; never none.
///
/// Written as in the "List format" of cpuset(7), which `taskset --cpu-list` takes, too: `0-3,6`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CpuSet(BTreeSet<u16>);

/// Why a text is no [`CpuSet`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuSetError {
    /// Neither a number nor a range, somewhere between the commas.
    Malformed,
    /// A range that ends before it begins.
    Reversed,
    /// A number above [`CpuSet::LAST`].
    TooHigh,
}

impl fmt::Display for CpuSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("numbers and ranges were expected"),
            Self::Reversed => f.write_str("a range begins with its lower number"),
            Self::TooHigh => write!(f, "the highest number is {}", CpuSet::LAST),
        }
    }
}

impl std::error::Error for CpuSetError {}

impl CpuSet {
    /// The highest number: `CPU_SETSIZE` of sched_setaffinity(2), less one.
    pub const LAST: u16 = 1023;

    /// The numbers, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }
}

impl FromStr for CpuSet {
    type Err = CpuSetError;

    fn from_str(text: &str) -> Result<Self, CpuSetError> {
        let number = |text: &str| match text.trim().parse::<u64>() {
            Ok(number) if text.trim().starts_with(|c: char| c.is_ascii_digit()) => {
                u16::try_from(number)
                    .ok()
                    .filter(|number| *number <= Self::LAST)
                    .ok_or(CpuSetError::TooHigh)
            }
            _ => Err(CpuSetError::Malformed),
        };
        let mut numbers = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(CpuSetError::Reversed);
            }
            numbers.extend(first..=last);
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.numbers().peekable();
        let mut comma = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| *next == last + 1) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl TryFrom<String> for CpuSet {
    type Error = CpuSetError;

    fn try_from(text: String) -> Result<Self, CpuSetError> {
        text.parse()
    }
}

impl From<CpuSet> for String {
    fn from(cpus: CpuSet) -> Self {
        cpus.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_written_in_its_shortest_form() {
        for (text, written) in [
            ("0", "0"),
            ("0-3", "0-3"),
            ("3,1,2,2,0", "0-3"),
            (" 0 - 1 , 6", "0,1,6"),
            ("5-5,7-9,1023", "5,7-9,1023"),
        ] {
            let cpus: CpuSet = text.parse().expect("a list");
            assert_eq!(cpus.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(cpus));
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_reason() {
        use CpuSetError::{Malformed, Reversed, TooHigh};
        for (text, why) in [
            ("", Malformed),
            ("0,", Malformed),
            ("-1", Malformed),
            ("+1", Malformed),
            ("0-", Malformed),
            ("0-3-5", Malformed),
            ("all", Malformed),
            ("3-0", Reversed),
            ("1024", TooHigh),
            ("0-99999999", TooHigh),
        ] {
            assert_eq!(text.parse::<CpuSet>(), Err(why), "{text}");
        }
    }
}
