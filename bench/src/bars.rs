//! The rows of the table, and the bar that abide has to meet in each. The earlier figures of the peers are of
//! November 2026, on a Debian 12 machine of the same kind (2 cores, Linux 6.18, logs in memory).

use crate::results::Results;
use crate::statistics::shown;

/// Which figure of the samples is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The middle.
    Median,
    /// 99 of 100 are not larger.
    P99,
    /// The largest: for what must never happen.
    Max,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// None.
    None,
    /// At most this.
    AtMost(f64),
    /// At most so many times another one's, in the same run.
    AtMostTimes(f64, &'static str),
    /// At least so many times another one's, in the same run.
    AtLeastTimes(f64, &'static str),
    /// Less than another one's, and at most so many times a third one's.
    BelowAndTimes(&'static str, f64, &'static str),
}

/// One row.
pub struct Row {
    /// As a reader understands it, with its unit.
    pub title: &'static str,
    /// The name of the samples.
    pub what: &'static str,
    /// With how many units.
    pub units: usize,
    /// Which figure.
    pub figure: Figure,
    /// abide's bar.
    pub bar: Bar,
    /// Whose figure is 1 in the ratios.
    pub base: &'static str,
}

const fn row(
    title: &'static str,
    what: &'static str,
    units: usize,
    figure: Figure,
    bar: Bar,
    base: &'static str,
) -> Row {
    Row {
        title,
        what,
        units,
        figure,
        bar,
        base,
    }
}

use Bar::{AtLeastTimes, AtMost, AtMostTimes, BelowAndTimes};
use Figure::{Max, Median, P99};

/// Keeping programs.
#[rustfmt::skip]
pub const KEEPING: &[Row] = &[
    row("memory, 10 services, MiB", "memory MiB", 10, Median, AtMost(3.0), "floor"),
    row("memory, 200 services, MiB", "memory MiB", 200, Median, Bar::None, "floor"),
    row("memory, 1,000 services, MiB", "memory MiB", 1000, Median, AtMost(4.0), "floor"),
    row("memory, 10,000 services, MiB", "memory MiB", 10_000, Median, Bar::None, "floor"),
    row("launch of 10, s", "launch s", 10, Median, Bar::None, "floor"),
    row("launch of 200, s", "launch s", 200, Median, Bar::None, "floor"),
    row("launch of 1,000, s", "launch s", 1000, Median, BelowAndTimes("dinit", 1.25, "floor"), "floor"),
    row("launch of 10,000, s", "launch s", 10_000, Median, Bar::None, "floor"),
    row("crash to main() of the successor, median, ms", "crash ms", 200, Median, BelowAndTimes("dinit", 1.25, "floor"), "floor"),
    row("the same, p99, ms", "crash ms", 200, P99, BelowAndTimes("dinit", 1.25, "floor"), "floor"),
    row("200 killed at once, all back, ms", "storm ms", 200, Median, AtMostTimes(1.25, "floor"), "floor"),
    row("status of 200, the whole command, ms", "status ms", 200, Median, AtMost(5.0), "dinit"),
    row("status of 10,000, ms", "status ms", 10_000, Median, Bar::None, "abide"),
    row("restart of all 200, s", "restart all s", 200, Median, AtMost(0.24), "runit"),
    row("restart of all 10,000, s", "restart all s", 10_000, Median, Bar::None, "abide"),
    row("10 idle seconds, 200 services: context switches", "idle switches", 200, Max, AtMost(0.0), "floor"),
    row("the same: CPU ms", "idle CPU ms", 200, Median, AtMost(0.05), "floor"),
    row("10 idle seconds, 1,000 services: context switches", "idle switches", 1000, Max, AtMost(0.0), "floor"),
    row("the same: CPU ms", "idle CPU ms", 1000, Median, AtMost(0.05), "floor"),
];

/// Capturing what they write.
#[rustfmt::skip]
pub const CAPTURING: &[Row] = &[
    row("one writer, 64 KiB a write, MB/s", "capture 1 writer, 64 KiB MB/s", 1, Median, AtLeastTimes(1.0, "cat"), "cat"),
    row("the same: CPU s/GiB", "capture 1 writer, 64 KiB CPU s/GiB", 1, Median, AtMostTimes(1.0, "cat"), "cat"),
    row("the same: lines lost or doubled", "capture 1 writer, 64 KiB lines wrong", 1, Max, AtMost(0.0), "cat"),
    row("one writer, a line of 100 bytes a write, MB/s", "capture 1 writer, 100 B MB/s", 1, Median, AtLeastTimes(0.7, "cat"), "cat"),
    row("the same: CPU s/GiB", "capture 1 writer, 100 B CPU s/GiB", 1, Median, Bar::None, "cat"),
    row("the same: lines lost or doubled", "capture 1 writer, 100 B lines wrong", 1, Max, AtMost(0.0), "cat"),
    row("50 writers, 64 KiB a write, MB/s", "capture 50 writers, 64 KiB MB/s", 50, Median, AtLeastTimes(1.0, "cat"), "cat"),
    row("the same: CPU s/GiB", "capture 50 writers, 64 KiB CPU s/GiB", 50, Median, AtMostTimes(1.0, "cat"), "cat"),
    row("the same: lines lost or doubled", "capture 50 writers, 64 KiB lines wrong", 50, Max, AtMost(0.0), "cat"),
    row("200 lines of two writes each, 5 ms apart: not whole", "line in two halves lines wrong", 1, Max, AtMost(0.0), "cat"),
    row("a line each 100 µs: context switches a second", "line by line switches/s", 1, Median, Bar::None, "cat"),
    row("the same: CPU %", "line by line CPU %", 1, Median, Bar::None, "cat"),
    row("a line each ms: until who follows has it, median, ms", "line by line delay ms", 1, Median, Bar::None, "cat"),
    row("the same, p99, ms", "line by line delay ms", 1, P99, AtMost(50.0), "cat"),
    row("on a disk: one writer, 64 KiB a write, MB/s", "disk: 1 writer, 64 KiB MB/s", 1, Median, Bar::None, "cat"),
    row("the same: CPU s/GiB", "disk: 1 writer, 64 KiB CPU s/GiB", 1, Median, Bar::None, "cat"),
    row("on a disk: one writer, a line of 100 bytes a write, MB/s", "disk: 1 writer, 100 B MB/s", 1, Median, Bar::None, "cat"),
];

/// What abide has to show of each death.
pub const DEATH: &[(&str, Bar)] = &[
    (crate::measure::death::COPIES, AtMost(1.0)),
    (crate::measure::death::RESTARTED, AtMost(0.0)),
    (crate::measure::death::LOST, AtMost(0.0)),
    (crate::measure::death::GAP, Bar::None),
];

impl Row {
    /// A peer's figure.
    #[must_use]
    pub fn of(&self, results: &Results, peer: &str) -> Option<f64> {
        let summary = results.summary(peer, self.what, self.units)?;
        Some(match self.figure {
            Figure::Median => summary.median,
            Figure::P99 => summary.p99,
            Figure::Max => summary.max,
        })
    }
}

/// The bar in words, and whether it is met; no verdict where something to compare with is missing.
#[must_use]
pub fn judge(
    bar: Bar,
    value: Option<f64>,
    other: impl Fn(&str) -> Option<f64>,
) -> (String, Option<bool>) {
    let most = |times: f64, peer: &str| other(peer).map(|base| times * base);
    match bar {
        Bar::None => (String::new(), None),
        AtMost(most) => (
            format!("≤ {}", shown(most)),
            value.map(|value| value <= most),
        ),
        AtMostTimes(times, peer) => (
            format!("≤ {times} × {peer}"),
            value
                .zip(most(times, peer))
                .map(|(value, most)| value <= most),
        ),
        AtLeastTimes(times, peer) => (
            format!("≥ {times} × {peer}"),
            value
                .zip(most(times, peer))
                .map(|(value, least)| value >= least),
        ),
        BelowAndTimes(below, times, peer) => (
            format!("< {below}, ≤ {times} × {peer}"),
            value.zip(most(times, peer)).and_then(|(value, most)| {
                if value > most {
                    return Some(false);
                }
                other(below).map(|below| value < below)
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_only_by_what_was_measured_beside() {
        let other = |peer: &str| match peer {
            "floor" => Some(1.0),
            "dinit" => Some(1.2),
            _ => None,
        };
        let met = |bar, value| judge(bar, Some(value), other).1;
        assert_eq!(met(BelowAndTimes("dinit", 1.25, "floor"), 1.1), Some(true));
        assert_eq!(
            met(BelowAndTimes("dinit", 1.25, "floor"), 1.22),
            Some(false)
        );
        assert_eq!(met(BelowAndTimes("dinit", 1.25, "floor"), 1.3), Some(false));
        assert_eq!(met(BelowAndTimes("absent", 1.25, "floor"), 1.1), None);
        assert_eq!(met(AtLeastTimes(0.7, "floor"), 0.6), Some(false));
        assert_eq!(met(AtMostTimes(1.0, "absent"), 0.6), None);
        assert_eq!(
            judge(AtMost(0.0), Some(0.0), other),
            ("≤ 0".to_owned(), Some(true))
        );
        assert_eq!(judge(Bar::None, Some(5.0), other), (String::new(), None));
    }
}
