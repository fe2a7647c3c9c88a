//! `abide = ">=0.1"`: which versions understand a file.

use std::cmp::Ordering;

use crate::source::quoted;
use crate::values::Wrong;

/// This version.
pub(crate) const OURS: &str = env!("CARGO_PKG_VERSION");

/// Whether `requirement` is met: `Ok(true)`, or not, or it is none.
pub(crate) fn met(requirement: &str, ours: &str) -> Result<bool, Wrong> {
    let bad = || {
        Wrong::new(format!(
            "{} is not a version requirement",
            quoted(requirement)
        ))
        .help("write it such as \">=0.1\", or \">=0.1, <2\"")
    };
    let ours = numbers(ours).ok_or_else(bad)?;
    let mut all = true;
    for part in requirement.split(',') {
        let part = part.trim();
        let digits = part.find(|c: char| c.is_ascii_digit()).ok_or_else(bad)?;
        let (operator, version) = part.split_at(digits);
        let theirs = numbers(version.trim()).ok_or_else(bad)?;
        let order = compare(&ours, &theirs);
        all &= match operator.trim() {
            // A bare version is the oldest one that will do.
            ">=" | "" => order != Ordering::Less,
            ">" => order == Ordering::Greater,
            "<=" => order != Ordering::Greater,
            "<" => order == Ordering::Less,
            "=" | "==" => ours.iter().zip(&theirs).all(|(a, b)| a == b),
            _ => return Err(bad()),
        };
    }
    Ok(all)
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let release = version.split(['-', '+']).next()?;
    let numbers: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() <= 3)
}

/// Missing parts are zero.
fn compare(a: &[u64], b: &[u64]) -> Ordering {
    let part = |v: &[u64], i: usize| v.get(i).copied().unwrap_or(0);
    (0..3)
        .map(|i| part(a, i).cmp(&part(b, i)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::met;

    #[test]
    fn a_requirement_is_met_by_the_versions_it_names() {
        for (requirement, ours, expected) in [
            (">=0.1", "0.1.0", true),
            (">=0.2", "0.1.9", false),
            ("0.1", "0.3.0", true),
            (">=0.1, <1", "0.9.0", true),
            (">=0.1,<1", "1.0.0", false),
            ("=0.1", "0.1.7", true),
            (">0.1", "0.1.0", false),
        ] {
            assert_eq!(met(requirement, ours), Ok(expected), "{requirement} {ours}");
        }
        for bad in ["", "new", ">=x", "~1", ">=1.2.3.4"] {
            assert!(met(bad, "0.1.0").is_err(), "{bad:?} was taken");
        }
    }
}
