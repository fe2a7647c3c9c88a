//! Times and sizes in words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A length of time to the two largest units: `0.2 s`, `45 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time < Duration::from_millis(100) => format!("{} ms", time.as_millis()),
        0..10 => {
            let tenths = (time.as_millis() + 50) / 100;
            if tenths.is_multiple_of(10) {
                format!("{} s", tenths / 10)
            } else {
                format!("{}.{} s", tenths / 10, tenths % 10)
            }
        }
        10..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{big} {big_unit}")
    } else {
        format!("{big} {big_unit} {small} {small_unit}")
    }
}

/// The same for a table's column: `0s`, `45s`, `3m12s`, `2h05m`, `3d04h`.
#[must_use]
pub fn uptime(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Bytes with three digits: `812B`, `4.2K`, `132M`, `1.5G`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let mut unit = 0;
    let mut scale: u64 = 1;
    while n / scale >= 1024 && unit + 1 < UNITS.len() {
        scale *= 1024;
        unit += 1;
    }
    let tenths = (u128::from(n) * 10 + u128::from(scale) / 2) / u128::from(scale);
    if unit > 0 && tenths < 100 {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{}{}", (tenths + 5) / 10, UNITS[unit])
    }
}

/// `1 unit`, `3 units`.
#[must_use]
pub fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// Reads an RFC 3339 time of an answer.
#[must_use]
pub fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// How long `earlier` is before `now`; zero if it is not.
#[must_use]
pub fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or_default()
}

/// A point in time for people: the time of day if it is of `now`'s day, else the date as well.
#[must_use]
pub fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (local, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let millis = local.millisecond();
    if local.date() == today.date() {
        format!("{}.{millis:03}", local.strftime("%H:%M:%S"))
    } else {
        format!("{}.{millis:03}", local.strftime("%Y-%m-%d %H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_reads_as_one_would_say_it() {
        let said = |ms| duration(Duration::from_millis(ms));
        for (ms, words) in [
            (0, "0 ms"),
            (7, "7 ms"),
            (200, "0.2 s"),
            (1640, "1.6 s"),
            (2000, "2 s"),
            (9990, "10 s"),
            (45_000, "45 s"),
            (192_000, "3 min 12 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
            (86_400_000, "1 d"),
        ] {
            assert_eq!(said(ms), words);
        }
        let column = |s| uptime(Duration::from_secs(s));
        assert_eq!(
            [column(0), column(192), column(7500), column(273_600)],
            ["0s", "3m12s", "2h05m", "3d04h"]
        );
    }

    #[test]
    fn a_size_has_at_most_four_digits() {
        for (n, words) in [
            (0, "0B"),
            (812, "812B"),
            (1024, "1.0K"),
            (4300, "4.2K"),
            (10_240, "10K"),
            (138_412_032, "132M"),
            (1_610_612_736, "1.5G"),
            (u64::MAX, "16777216T"),
        ] {
            assert_eq!(bytes(n), words);
        }
    }

    #[test]
    fn a_time_of_today_has_no_date() {
        let now: Timestamp = "2026-01-31T14:05:00Z".parse().expect("a time");
        let at = |text: &str| clock(text.parse().expect("a time"), now, &TimeZone::UTC);
        assert_eq!(at("2026-01-31T09:00:01.2345Z"), "09:00:01.234");
        assert_eq!(at("2026-01-30T09:00:01Z"), "2026-01-30 09:00:01.000");
    }
}
