//! Times as the API shows and takes them.

use abide_model::Wall;

/// RFC 3339 in UTC with milliseconds: `2026-01-01T00:00:00.123Z`.
pub(crate) fn rfc3339(at: Wall) -> String {
    let text = jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .map(|timestamp| format!("{timestamp:.3}"));
    // Every i64 of nanoseconds lies within the years 1677 to 2262, which are all shown.
    text.unwrap_or_else(|_| at.0.to_string())
}

/// RFC 3339, or seconds since 1970.
pub(super) fn parse(text: &str) -> Result<Wall, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, which is what is wanted"
        )]
        return Ok(Wall((seconds * 1e9) as i64));
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| {
        "a time is RFC 3339 (2026-01-31T14:05:00Z) or seconds since 1970".to_owned()
    })?;
    i64::try_from(timestamp.as_nanosecond())
        .map(Wall)
        .map_err(|_| "that time is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_back_as_it_was_shown() {
        let at = Wall(1_767_225_600_123_000_000);
        assert_eq!(rfc3339(at), "2026-01-01T00:00:00.123Z");
        assert_eq!(parse(&rfc3339(at)), Ok(at));
        assert_eq!(parse("2026-01-01T02:00:00.123+02:00"), Ok(at));
        assert_eq!(parse("1767225600"), Ok(Wall(1_767_225_600_000_000_000)));
        assert!(parse("yesterday").is_err() && parse("inf").is_err());
    }
}
