//! Room in pipes: little for quiet streams, much for busy ones, and never more than half of what the
//! user may have, since everything else that runs as this user needs pipes too (pipe(7)).

use std::sync::atomic::Ordering;

use abide_platform::pipe;

use super::super::state::{Key, State};

/// What a stream begins with, FIFO and stage each, while there is plenty, less, and little room.
const FIRST: [usize; 3] = [64 << 10, 16 << 10, 8 << 10];
/// By how much a busy stream's pipes grow.
const GROWTH: usize = 4;

/// What may be used, in bytes.
pub struct Budget {
    total: u64,
    single: usize,
}

impl Budget {
    pub fn new() -> Self {
        let (total, single) = pipe::user_budget();
        Self { total, single }
    }

    /// What a new stream's FIFO and stage get; adds both to `used`.
    pub fn first_size(&self, used: &mut u64) -> usize {
        let fits = |size: usize, share: u64| *used + 2 * size as u64 <= self.total / share;
        let size = match FIRST {
            [plenty, ..] if fits(plenty, 4) => plenty,
            [_, less, _] if fits(less, 2) => less,
            [.., little] => little,
        };
        *used += 2 * size as u64;
        size
    }

    /// A stream fills its pipes: the next pass makes them larger, if there is room.
    pub fn grow(&self, state: &mut State, key: Key) {
        let Some(slot) = state.slots.get(&key) else {
            return;
        };
        let now = slot.stream.size.load(Ordering::Relaxed);
        let next = (now * GROWTH).min(self.single);
        let more = 2 * next.saturating_sub(now) as u64;
        if more > 0 && state.pipe_bytes + more <= self.total {
            state.pipe_bytes += more;
            slot.stream.size.store(next, Ordering::Relaxed);
        }
    }
}

impl Budget {
    /// A stream is quiet: the next pass makes its pipes as small as they were at first, or smaller if
    /// there is little room by now.
    pub fn shrink(&self, state: &mut State, key: Key) {
        let Some(slot) = state.slots.get(&key) else {
            return;
        };
        let now = slot.stream.size.load(Ordering::Relaxed);
        let mut others = state.pipe_bytes.saturating_sub(2 * now as u64);
        let first = self.first_size(&mut others);
        if first < now {
            slot.stream.size.store(first, Ordering::Relaxed);
            state.pipe_bytes = others;
        }
    }
}

/// Segments that may be open at a time, two descriptors each: a quarter of the descriptors we may have.
pub fn open_segments() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    usize::try_from(limit.unwrap_or(65_536) / 8)
        .unwrap_or(usize::MAX)
        .max(8)
}
