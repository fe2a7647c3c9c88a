//! Sizes in bytes: `"512M"`, `"50MiB"`, `"1G"`, or a bare number of bytes. Letters count in 1,024s
//! with or without `iB`, as in most configuration files of this field; `kB` and `MB` do too.

use toml::de::DeValue;

use super::{Value, Wrong};
use crate::source::quoted;

/// Bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size(pub u64);

impl Value for Size {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) => size_text(text).map(Self),
            DeValue::Integer(number) => size_text(&number.to_string()).map(Self),
            other => Err(Wrong::kind(other, "a size").help("such as \"512M\", \"1G\" or \"64K\"")),
        }
    }

    fn show(&self) -> String {
        show_size(self.0)
    }
}

fn size_text(text: &str) -> Result<u64, Wrong> {
    let bad = |why: &str| {
        Wrong::new(format!("{} is not a size", quoted(text)))
            .label(why)
            .help("write it such as \"64K\", \"512M\", \"1.5G\", or as a number of bytes")
    };
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(bad("the units are K, M, G and T")),
    };
    if number.is_empty() {
        return Err(bad("a number was expected"));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty()
        || whole.len() > 20
        || fraction.len() > 9
        || (number.contains('.') && fraction.is_empty())
    {
        return Err(bad("not a number"));
    }
    let parse = |digits: &str| digits.parse::<u128>().map_err(|_| bad("not a number"));
    let part = if fraction.is_empty() {
        0
    } else {
        (parse(fraction)? << shift) / 10_u128.pow(fraction.len() as u32)
    };
    let bytes = (parse(whole)? << shift) + part;
    // A limit is given to the kernel as a signed number.
    u64::try_from(bytes)
        .ok()
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or_else(|| bad("larger than 8 exabytes"))
}

/// The shortest text that reads back as the same size.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("\"{}{unit}\"", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// A size, or no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SizeOrUnlimited(pub Option<u64>);

impl Value for SizeOrUnlimited {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) if matches!(text.as_ref(), "unlimited" | "infinity") => {
                Ok(Self(None))
            }
            other => Size::read(other).map(|size| Self(Some(size.0))),
        }
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "\"unlimited\"".into(), show_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_in_1024s() {
        for (text, bytes) in [
            ("0", 0),
            ("512M", 512 << 20),
            ("50MiB", 50 << 20),
            ("1G", 1 << 30),
            ("1.5K", 1536),
            ("64 kb", 64 << 10),
        ] {
            assert_eq!(size_text(text), Ok(bytes), "{text}");
        }
        for bad in ["", "M", "1X", "-1", "1.", "1.2.3M", "99999999T", "1e3"] {
            assert!(size_text(bad).is_err(), "{bad:?} was taken");
        }
    }
}
