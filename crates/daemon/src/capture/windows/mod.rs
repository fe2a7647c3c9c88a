//! By looking into pipes, and by slots through which what is there gets into its segment.

mod slots;
mod stream;
mod waits;

#[cfg(test)]
mod tests;

use std::io;

use abide_platform::pipe::USUAL_SIZE;

use super::state::{Key, State};

pub use slots::Keeper;
pub use stream::{Sink, Stream};
pub use waits::{Call, Waits};

/// Segments that may be open at a time, two handles each. There is no limit that one would meet.
const OPEN: usize = 2048;

/// See [`OPEN`].
pub fn open_segments() -> usize {
    OPEN
}

/// What this process has to do before it writes anything: nothing.
pub fn prepare() {}

/// This thread comes behind everything else.
pub fn come_last() -> io::Result<()> {
    abide_platform::pipe::come_last()
}

/// Room in pipes: it is what they were made with, and nobody shares it.
pub struct Budget;

impl Budget {
    pub fn new() -> Self {
        Self
    }

    pub fn first_size(&self, _: &mut u64) -> usize {
        USUAL_SIZE
    }

    pub fn grow(&self, _: &mut State, _: Key) {}

    pub fn shrink(&self, _: &mut State, _: Key) {}
}
