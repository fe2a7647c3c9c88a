//! Durations and sizes as people say them.

use std::time::Duration;

/// "0.2 s", "14 s", "3 min 5 s", "2 h 10 min", "3 d 4 h".
pub(crate) fn duration(d: Duration) -> String {
    let seconds = d.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", d.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// What came so soon after a beginning that a duration would say "after 0.0 s".
const AT_ONCE: Duration = Duration::from_millis(50);

/// "at once", "after 0.2 s".
pub(crate) fn after(d: Duration) -> String {
    if d < AT_ONCE {
        "at once".into()
    } else {
        format!("after {}", duration(d))
    }
}

/// As it is written in a configuration, where that is exact: "512M", "64K", "1000".
pub(crate) fn size(bytes: u64) -> String {
    for (unit, power) in [("G", 30), ("M", 20), ("K", 10)] {
        if bytes > 0 && bytes.is_multiple_of(1 << power) {
            return format!("{}{unit}", bytes >> power);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_with_its_two_largest_units() {
        for (millis, said) in [
            (0, "0.0 s"),
            (230, "0.2 s"),
            (14_900, "14 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), said);
        }
    }

    #[test]
    fn a_size_is_said_as_it_is_written() {
        for (bytes, said) in [
            (512 << 20, "512M"),
            (3 << 30, "3G"),
            (1536 << 20, "1536M"),
            (65_536, "64K"),
            (1000, "1000 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn what_takes_no_time_happens_at_once() {
        assert_eq!(after(Duration::from_millis(49)), "at once");
        assert_eq!(after(Duration::from_millis(50)), "after 0.1 s");
    }
}
