//! When to look at a stream again: how a program that writes line by line is kept from waking the
//! daemon for each line.
//!
//! ```text
//!  quiet ── output, the first for QUIET ──► taken at once, and told of again
//!    ▲              │ more within QUIET
//!    │ nothing      ▼
//!    └────────── taken after a nap ◄─┐ each nap twice as long as the one before, up to MAX
//!                   └── something ───┘
//! ```
//!
//! A nap ends before the pipe is full at the rate that was seen, so that the program never waits for
//! one; a stream that is so fast that this leaves no time for a nap is given a larger pipe, and is
//! waited for without naps until then.

use std::time::{Duration, Instant};

/// No output lies in a FIFO for longer, as long as the daemon has the processor: what follows a log
/// sees a line well within 50 ms.
const MAX: Duration = Duration::from_millis(20);
/// A shorter nap saves nothing.
const MIN: Duration = Duration::from_micros(500);
/// Output that comes so long after the last is taken at once, and nothing is planned.
const QUIET: Duration = Duration::from_millis(10);
/// A pipe should not fill a quarter in less time than this.
const COMFORT: Duration = Duration::from_millis(2);

/// What a stream did of late.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// The end of the last pass that found something.
    last: Option<Instant>,
    /// The last nap; zero while it is quiet.
    nap: Duration,
}

/// When to look again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// When there is something.
    Told,
    /// Then.
    At(Instant),
}

impl Pace {
    /// When it last wrote something.
    pub fn last(&self) -> Option<Instant> {
        self.last
    }

    /// A pass took `bytes`, the FIFO has room for `room`. Returns when to look again, and whether the
    /// FIFO is small for what comes.
    pub fn passed(&mut self, now: Instant, bytes: u64, room: u64) -> (Look, bool) {
        let told = std::mem::take(&mut self.nap).is_zero();
        if bytes == 0 {
            return (Look::Told, false);
        }
        let Some(last) = self.last.replace(now) else {
            return (Look::Told, false);
        };
        let since = now.saturating_duration_since(last);
        if told && since >= QUIET {
            return (Look::Told, false);
        }
        // In this time a quarter of the pipe is filled.
        let nanoseconds = since.as_nanos() * u128::from(room / 4) / u128::from(bytes);
        let quarter = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let nap = if told { since * 4 } else { since * 2 };
        let nap = nap.clamp(MIN, MAX).min(quarter);
        // Two small writes in a row look like a high rate, too.
        let small = quarter < COMFORT && bytes * 8 >= room;
        if nap < MIN {
            return (Look::Told, small);
        }
        self.nap = nap;
        (Look::At(now + nap), small)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: u64 = 64 << 10;

    /// A program that writes `bytes` every `every`, for two seconds: how often it is looked at, and for how long
    /// its output lies at most.
    fn play(bytes: u64, every: Duration, room: u64) -> (u32, Duration) {
        let start = Instant::now();
        let (mut pace, mut looks, mut longest) = (Pace::default(), 0, Duration::ZERO);
        let (mut written, mut pending, mut oldest) = (start, 0, start);
        let mut look: Option<Instant> = None;
        let end = start + Duration::from_secs(2);
        while written < end {
            if look.is_none_or(|at| written <= at) {
                if pending == 0 {
                    oldest = written;
                }
                pending += bytes;
                look.get_or_insert(written);
                written += every;
                continue;
            }
            let now = look.take().expect("it is some");
            looks += 1;
            if pending > 0 {
                longest = longest.max(now - oldest);
            }
            match pace.passed(now, pending, room).0 {
                Look::Told => {}
                Look::At(at) => look = Some(at),
            }
            pending = 0;
        }
        (looks, longest)
    }

    #[test]
    fn a_line_each_millisecond_is_looked_at_fifty_times_a_second_and_none_lies_for_long() {
        let (looks, longest) = play(100, Duration::from_millis(1), ROOM);
        assert!((90..=110).contains(&looks), "{looks}");
        assert!(longest <= MAX, "{longest:?}");
    }

    #[test]
    fn a_line_now_and_then_is_taken_at_once_and_costs_one_look() {
        let (looks, longest) = play(100, Duration::from_millis(100), ROOM);
        assert!((19..=20).contains(&looks), "{looks}");
        assert_eq!(longest, Duration::ZERO);
    }

    #[test]
    fn a_nap_ends_before_the_pipe_is_full() {
        for room in [8 << 10, ROOM, 1 << 20] {
            for rate in [1, 10, 50] {
                // In MB/s, as lines of 100 bytes.
                let every = Duration::from_nanos(100 * 1000 / rate);
                let (looks, longest) = play(100, every, room);
                let filled = longest.as_micros() as u64 * rate;
                assert!(filled <= room / 2, "{rate} MB/s, {room}: {filled}");
                assert!(looks > 50);
            }
        }
    }

    #[test]
    fn a_stream_that_fills_its_pipe_in_a_moment_is_not_let_wait_and_wants_a_larger_one() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..10 {
            pace.passed(now, ROOM / 2, ROOM);
            now += Duration::from_micros(100);
        }
        assert_eq!(pace.passed(now, ROOM / 2, ROOM), (Look::Told, true));
    }
}
