//! Counting the numbered lines of `bench-writer`, also in logs where something stands before each line.

use std::collections::BTreeMap;

/// `#PPPPPPPP:NNNNNNNNNN `, and then `x` up to 100 bytes with the newline.
const LINE: usize = 100;
const PID: usize = 8;
const NUMBER: usize = 10;
const HEAD: usize = 1 + PID + 1 + NUMBER + 1;

/// What was found of one process.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// By number: how often.
    times: Vec<u8>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Count {
    pending: Vec<u8>,
    /// Of each process.
    pub writers: BTreeMap<u32, Seen>,
    /// Lines that begin like ours and are not whole.
    pub torn: u64,
}

impl Seen {
    /// Of the first so many lines: missing ones.
    #[must_use]
    pub fn lost(&self, lines: u64) -> u64 {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let there = self.times.iter().take(lines).filter(|times| **times > 0);
        (lines - there.count()) as u64
    }

    /// Lines that are there more than once.
    #[must_use]
    pub fn doubled(&self) -> u64 {
        self.times.iter().filter(|times| **times > 1).count() as u64
    }

    /// One more than the highest number.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.times.len() as u64
    }
}

impl Count {
    /// More of a log.
    pub fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if self.pending.is_empty() {
                self.line(line);
            } else {
                let mut whole = std::mem::take(&mut self.pending);
                whole.extend_from_slice(line);
                self.line(&whole);
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.pending.extend_from_slice(rest);
    }

    fn line(&mut self, line: &[u8]) {
        // A stamp before the line, if any, is short and has no such mark in it.
        let Some(begin) = line.iter().take(LINE).position(|byte| *byte == b'#') else {
            return;
        };
        let Some((pid, number)) = line.get(begin..).and_then(parse) else {
            self.torn += 1;
            return;
        };
        let times = &mut self.writers.entry(pid).or_default().times;
        if times.len() <= number {
            times.resize(number + 1, 0);
        }
        if let Some(times) = times.get_mut(number) {
            *times = times.saturating_add(1);
        }
    }
}

/// Of one line: pid and number.
fn parse(line: &[u8]) -> Option<(u32, usize)> {
    let text = std::str::from_utf8(line).ok()?;
    let body = text.get(HEAD..)?;
    let whole = line.len() == LINE - 1 && body.bytes().all(|byte| byte == b'x');
    let pid = text.get(1..=PID)?.parse().ok()?;
    let number = text.get(PID + 2..HEAD - 1)?.parse().ok()?;
    // Numbers are small enough to be counted in memory, or it is not ours.
    (whole && number < 1_000_000_000).then_some((pid, number))
}

/// The pid and number of the last whole line in these bytes.
#[must_use]
pub fn last(bytes: &[u8]) -> Option<(u32, usize)> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n')?;
    let begin = bytes.get(..end)?.iter().rposition(|byte| *byte == b'#')?;
    parse(bytes.get(begin..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, number: u32) -> String {
        let head = format!("#{pid:08}:{number:010} ");
        format!("{head}{}\n", "x".repeat(LINE - 1 - head.len()))
    }

    #[test]
    fn lines_are_found_behind_stamps_and_over_borders() {
        let text = format!(
            "2026-01-01 {}{}@4000 {}",
            line(7, 0),
            line(7, 1),
            line(7, 3)
        );
        let mut count = Count::default();
        for part in text.as_bytes().chunks(33) {
            count.take(part);
        }
        let seen = count.writers.get(&7).expect("it wrote");
        assert_eq!((seen.lost(4), seen.doubled(), seen.highest()), (1, 0, 4));
        assert_eq!(seen.lost(6), 3);
        assert_eq!(count.torn, 0);
        assert_eq!(last(text.as_bytes()), Some((7, 3)));
    }

    #[test]
    fn doubled_and_torn_lines_are_told_apart() {
        let mut count = Count::default();
        count.take(line(7, 0).as_bytes());
        count.take(line(7, 0).as_bytes());
        count.take(&line(7, 1).as_bytes()[..50]);
        count.take(b"\n");
        assert_eq!(count.torn, 1);
        let seen = count.writers.get(&7).expect("it wrote");
        assert_eq!((seen.lost(2), seen.doubled()), (1, 1));
    }
}
