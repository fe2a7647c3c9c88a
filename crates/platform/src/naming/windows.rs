//! Windows has no `:` in names, does not tell `Web` from `web`, drops a dot at the end, and keeps some names
//! for devices, also with an extension. None of the signs used for that can stand in a unit's name:
//!
//! ```text
//!  shop:web → shop!web    Web → ^web    nul.x → !nul.x    web. → web.;
//! ```

use std::borrow::Cow;
use std::iter::once;

use abide_model::UnitName;

/// Names of devices ("Naming Files, Paths, and Namespaces" of Microsoft); `COM` and `LPT` with a digit.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// The name of a unit's folder.
#[must_use]
pub fn of_unit(unit: &UnitName) -> Cow<'_, str> {
    let mut name: String = unit
        .as_str()
        .chars()
        .flat_map(|c| {
            let (sign, c) = match c {
                ':' => (None, '!'),
                c => match lower(c) {
                    Some(small) => (Some('^'), small),
                    None => (None, c),
                },
            };
            sign.into_iter().chain(once(c))
        })
        .collect();
    if is_device(&name) {
        name.insert(0, '!');
    }
    if name.ends_with('.') {
        name.push(';');
    }
    name.into()
}

/// The unit that a folder of this name belongs to, if it is one's.
#[must_use]
pub fn unit_of(folder: &str) -> Option<UnitName> {
    let name = folder.strip_prefix('!').unwrap_or(folder);
    let name = name.strip_suffix(';').unwrap_or(name);
    let mut unit = String::new();
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        match c {
            '!' => unit.push(':'),
            '^' => unit.push(upper(characters.next()?)?),
            c => unit.push(c),
        }
    }
    let unit: UnitName = unit.parse().ok()?;
    (of_unit(&unit) == folder).then_some(unit)
}

/// The small letter of a capital one, where each is the only one of the other.
fn lower(capital: char) -> Option<char> {
    let mut letters = capital.to_lowercase();
    let small = letters.next().filter(|small| *small != capital)?;
    (letters.next().is_none() && upper(small) == Some(capital)).then_some(small)
}

fn upper(small: char) -> Option<char> {
    let mut letters = small.to_uppercase();
    let capital = letters.next()?;
    letters.next().is_none().then_some(capital)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let (word, digit) = match stem.char_indices().nth(3) {
        Some((at, _)) => stem.split_at(at),
        None => (stem, ""),
    };
    let numbered = ["com", "lpt"].contains(&word);
    let digits = "0123456789¹²³";
    DEVICES.contains(&word)
        && if numbered {
            digit.chars().count() == 1 && digits.contains(digit)
        } else {
            digit.is_empty()
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_a_folder_of_its_own_that_windows_can_have() {
        for (unit, folder) in [
            ("web", "web"),
            ("shop:web@1", "shop!web@1"),
            ("Web", "^web"),
            ("WEB", "^w^e^b"),
            ("bäcker", "bäcker"),
            ("Äpfel", "^äpfel"),
            ("nul", "!nul"),
            ("com1.x", "!com1.x"),
            ("com10", "com10"),
            ("com", "com"),
            ("console", "console"),
            ("NUL", "^n^u^l"),
            ("web.", "web.;"),
            ("nul.", "!nul.;"),
        ] {
            let name: UnitName = unit.parse().expect("a name");
            assert_eq!(of_unit(&name), folder);
            assert_eq!(unit_of(folder), Some(name), "{folder}");
        }
        for stranger in ["Web", "a b", "^", "nul", "x!y!z", ""] {
            assert_eq!(unit_of(stranger), None, "{stranger}");
        }
    }
}
