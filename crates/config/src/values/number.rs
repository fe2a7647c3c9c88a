//! Numbers with a range, percentages, lists of processors and file modes.

use abide_model::{CpuSet, CpuSetError};
use toml::de::DeValue;

use super::{Value, Wrong, show_text};
use crate::source::quoted;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Int<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Value for Int<MIN, MAX> {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let DeValue::Integer(number) = value else {
            let wrong = Wrong::kind(value, "a whole number");
            return Err(match value.as_str().map(str::trim).map(str::parse::<i64>) {
                Some(Ok(number)) => wrong.help(format!("write {number}, without quotes")),
                _ => wrong,
            });
        };
        let range = || {
            let bound = match (MIN, MAX) {
                (min, i64::MAX) => format!("at least {min}"),
                (min, max) => format!("{min} to {max}"),
            };
            Wrong::new(format!("{} is out of range", quoted(&number.to_string()))).label(bound)
        };
        let number = i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| range())?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(range())
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ratio<const MIN: i64, const MAX: i64>(pub f64);

impl<const MIN: i64, const MAX: i64> Value for Ratio<MIN, MAX> {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = match value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => return Err(Wrong::kind(other, "a number")),
        };
        let number: f64 = text
            .parse()
            .map_err(|_| Wrong::new(format!("{} is not a number", quoted(&text))))?;
        #[allow(clippy::cast_precision_loss)]
        if number >= MIN as f64 && number <= MAX as f64 {
            Ok(Self(number))
        } else {
            Err(Wrong::new(format!("{} is out of range", quoted(&text)))
                .label(format!("{MIN} to {MAX}")))
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A share of one CPU: 0.5 for `"50%"`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Percent(pub f64);

impl Value for Percent {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let help = "write it such as \"50%\"; \"200%\" is two CPUs";
        let DeValue::String(text) = value else {
            return Err(Wrong::kind(value, "a percentage").help(help));
        };
        let bad = |why: &str| {
            Wrong::new(format!("{} is not a percentage", quoted(text)))
                .label(why)
                .help(help)
        };
        let number = text
            .trim()
            .strip_suffix('%')
            .ok_or_else(|| bad("without a `%`"))?
            .trim();
        if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(bad("a number was expected"));
        }
        let number: f64 = number.parse().map_err(|_| bad("a number was expected"))?;
        if (0.1..=1_000_000.0).contains(&number) {
            Ok(Self(number / 100.0))
        } else {
            Err(bad("0.1% or more"))
        }
    }

    fn show(&self) -> String {
        // Rounded, so that 0.07 × 100 does not become 7.000000000000001.
        format!("\"{}%\"", (self.0 * 1e8).round() / 1e6)
    }
}

impl Value for CpuSet {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let help = "write it such as \"0-3,6\"; the first processor is 0";
        let text = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.to_string(),
            other => return Err(Wrong::kind(other, "a list of processors").help(help)),
        };
        text.parse().map_err(|error: CpuSetError| {
            Wrong::new(format!("{} is no list of processors", quoted(&text)))
                .label(error.to_string())
                .help(help)
        })
    }

    fn show(&self) -> String {
        show_text(&self.to_string())
    }
}

/// A file mode: octal text, so that 22 and 022 are not confused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mode(pub u32);

impl Value for Mode {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let (shown, mode) = match value {
            DeValue::String(text) => {
                let digits = text.strip_prefix("0o").unwrap_or(text);
                let octal = !digits.is_empty() && digits.chars().all(|c| c.is_digit(8));
                (
                    text.to_string(),
                    octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten(),
                )
            }
            DeValue::Integer(number) if number.radix() == 8 => (
                number.to_string(),
                u32::from_str_radix(number.as_str(), 8).ok(),
            ),
            DeValue::Integer(number) => {
                return Err(Wrong::new(format!("{number} is not a mode"))
                    .label("octal?")
                    .help(format!("write it in quotes: \"{number}\"")));
            }
            other => return Err(Wrong::kind(other, "a mode").help("write it in octal: \"022\"")),
        };
        mode.filter(|mode| *mode <= 0o777).map(Self).ok_or_else(|| {
            Wrong::new(format!("{} is not a mode", quoted(&shown))).label("octal, 000 to 777")
        })
    }

    fn show(&self) -> String {
        format!("\"{:03o}\"", self.0)
    }
}
