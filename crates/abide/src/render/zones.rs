//! Windows has no rules of time zones that programs can read: they come along.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::clock;

#[test]
fn the_rules_of_local_time_come_along() {
    let zone = TimeZone::get("Europe/Berlin").expect("it came along");
    let now: Timestamp = "2026-07-31T14:05:00Z".parse().expect("a time");
    let at = |text: &str| clock(text.parse().expect("a time"), now, &zone);
    assert_eq!(at("2026-07-31T09:00:01Z"), "11:00:01.000");
    assert_eq!(at("2026-01-31T09:00:01Z"), "2026-01-31 10:00:01.000");
}
