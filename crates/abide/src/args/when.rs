//! Points in time, as people write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::parse_duration;

/// Reads `10m`, `2h ago`, `14:05`, `today`, `yesterday`, `2026-01-31`, `2026-01-31 14:05:06` (in `zone`),
/// RFC 3339, or `@1766000000` (seconds since 1970).
///
/// # Errors
/// A text that says how a time is written.
pub fn parse_when(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let bad = || {
        format!(
            "{text:?} is not a time; write it like 10m, '2h ago', 14:05, yesterday, \
             '2026-01-31 14:05' or 2026-01-31T14:05:00Z"
        )
    };
    let trimmed = text.trim();
    let local = |at: DateTime| {
        at.to_zoned(zone.clone())
            .map(|at| at.timestamp())
            .map_err(|_| bad())
    };
    let today = now.to_zoned(zone.clone()).date();
    match trimmed {
        "now" => return Ok(now),
        "today" => return local(today.into()),
        "yesterday" => {
            return local(today.checked_sub(1.day()).map_err(|_| bad())?.into());
        }
        _ => {}
    }
    if let Some(seconds) = trimmed.strip_prefix('@') {
        let seconds = seconds.parse().map_err(|_| bad())?;
        return Timestamp::from_second(seconds).map_err(|_| bad());
    }
    if let Ok(at) = trimmed.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(ago) = parse_duration(trimmed.strip_suffix("ago").unwrap_or(trimmed).trim()) {
        return now.checked_sub(ago).map_err(|_| bad());
    }
    // A date with a time before a time alone: the latter would take the former's end.
    if let Ok(at) = trimmed.parse::<DateTime>() {
        return local(at);
    }
    if let Ok(date) = trimmed.parse::<Date>() {
        return local(date.into());
    }
    if let Ok(time) = trimmed.parse::<Time>() {
        return local(today.to_datetime(time));
    }
    Err(bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_read_as_people_write_it() {
        let now: Timestamp = "2026-01-31T14:05:00Z".parse().expect("a time");
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (text, means) in [
            ("10m", "2026-01-31T13:55:00Z"),
            ("2h ago", "2026-01-31T12:05:00Z"),
            ("90", "2026-01-31T14:03:30Z"),
            ("14:05", "2026-01-31T13:05:00Z"),
            ("14:05:06", "2026-01-31T13:05:06Z"),
            ("today", "2026-01-30T23:00:00Z"),
            ("yesterday", "2026-01-29T23:00:00Z"),
            ("now", "2026-01-31T14:05:00Z"),
            ("2026-01-30", "2026-01-29T23:00:00Z"),
            ("2026-01-30 14:05", "2026-01-30T13:05:00Z"),
            ("2026-01-30T14:05:00Z", "2026-01-30T14:05:00Z"),
            ("@0", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                parse_when(text, now, &berlin).map(|at| at.to_string()),
                Ok(means.to_owned()),
                "{text}"
            );
        }
        for bad in ["", "soon", "25:00", "2026-13-01", "-3h", "@x"] {
            assert!(parse_when(bad, now, &berlin).is_err(), "{bad:?} was taken");
        }
    }
}
