//! Times as loggers write them, to nanoseconds since 1970.

const SECOND: i64 = 1_000_000_000;

/// Seconds, milliseconds, microseconds or nanoseconds: which, their size tells, from 1973 on.
pub(super) fn of_whole(number: i64) -> Option<i64> {
    match number {
        100_000_000..100_000_000_000 => number.checked_mul(SECOND),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.checked_mul(1000),
        100_000_000_000_000_000.. => Some(number),
        _ => None,
    }
}

/// The same, with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the bounds are those of whole numbers"
)]
pub(super) fn of_number(number: f64) -> Option<i64> {
    if number.is_finite() && (1e8..1e11).contains(&number) {
        // As precise as the number: some hundred nanoseconds.
        return Some((number * 1e6).round() as i64 * 1000);
    }
    (1e11..9e18)
        .contains(&number)
        .then(|| of_whole(number as i64))?
}

/// RFC 3339, also with a space, a comma, or a zone without its colon. Without a zone it is not known when it was.
pub(super) fn of_text(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, length: usize| -> Option<i64> {
        let digits = bytes.get(from..from + length)?;
        let each = |value: i64, digit: &u8| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        };
        digits.iter().try_fold(0, each)
    };
    let at = |place: usize, one_of: &[u8]| bytes.get(place).is_some_and(|b| one_of.contains(b));
    let separated = at(4, b"-") && at(7, b"-") && at(10, b"Tt ") && at(13, b":") && at(16, b":");
    if !separated || bytes.len() > 40 {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && (1970..=2200).contains(&year);
    if !in_range {
        return None;
    }
    let mut place = 19;
    let mut nanos = 0;
    if at(place, b".,") {
        let digits = bytes[place + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        nanos =
            number(place + 1, digits.min(9))? * 10_i64.pow(9 - u32::try_from(digits.min(9)).ok()?);
        place += 1 + digits;
    }
    let zone = match bytes.get(place..)? {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let minutes = match rest.len() {
                5 if rest[2] == b':' => number(place + 1, 2)? * 60 + number(place + 4, 2)?,
                4 => number(place + 1, 2)? * 60 + number(place + 3, 2)?,
                2 => number(place + 1, 2)? * 60,
                _ => return None,
            };
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - zone * 60;
    seconds.checked_mul(SECOND)?.checked_add(nanos)
}

/// Days since 1970-01-01, of the Gregorian calendar. Years are counted from March, so that the odd day is the last
/// of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march = (month + 9) % 12;
    let of_year = (153 * march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_forms_are_read_and_those_without_a_zone_are_not() {
        let expected = 1_769_868_301_234_000_000;
        for text in [
            "2026-01-31T14:05:01.234Z",
            "2026-01-31 14:05:01,234+00:00",
            "2026-01-31T15:05:01.234+0100",
            "2026-01-31T09:35:01.234000000-04:30",
            "2026-01-31t14:05:01.234000+00",
        ] {
            assert_eq!(of_text(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T14:05:01",
            "2026-01-31 14:05:01,234",
            "2026-13-31T14:05:01Z",
            "2026-01-31T14:05:01.Z9",
            "9999-01-31T14:05:01Z",
            "31/Jan/2026:14:05:01 +0000",
            "2026-01-31T14:05:01é",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }

    #[test]
    fn the_unit_of_a_number_is_told_by_its_size() {
        let expected = 1_769_868_301_234_000_000;
        assert_eq!(of_whole(1_769_868_301_234), Some(expected));
        assert_eq!(of_whole(1_769_868_301_234_000), Some(expected));
        assert_eq!(of_whole(expected), Some(expected));
        assert_eq!(of_whole(1_769_868_301), Some(1_769_868_301_000_000_000));
        assert_eq!(of_number(1_769_868_301.234), Some(expected));
        assert_eq!(of_number(1_769_868_301_234.0), Some(expected));
        for number in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e30] {
            assert_eq!(of_number(number), None);
        }
        assert_eq!(of_whole(0), None);
        assert_eq!(of_whole(i64::MIN), None);
    }
}
