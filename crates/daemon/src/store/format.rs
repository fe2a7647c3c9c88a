//! The formats of the state, by number. A newer abide reads all older ones; an older one refuses a newer one
//! and touches nothing, because what it does not understand it would lose.
//!
//! What may change without a new number: a field with a serde default that an older abide may well
//! overlook. What takes one: a new kind of line, a new variant of something that lines hold, another
//! meaning. Never: the frame of a line (CRC, space, JSON), and the line [`Entry::Format`] itself.
//!
//! To change the format: raise [`FORMAT`], add a line to the table below, and add what a daemon of that
//! format leaves to `tests/fixtures/state` (its README says how). The old ones stay.
//!
//! | format | what came with it |
//! |---|---|
//! | 1 | units, specs, operations, sources; it does not say its number |
//! | 2 | rolling operations, specs for later, names of descriptors, what programs said; nor does this one |
//! | 3 | the line that says the number |

use std::io;

use super::entry::{Entry, Image};

/// What this version writes.
pub const FORMAT: u32 = 3;

/// The oldest format that this version reads.
pub const OLDEST: u32 = 1;

/// The line that says [`FORMAT`].
pub(super) fn line(_: u32) -> Entry {
    Entry::Format {
        format: FORMAT,
        by: env!("CARGO_PKG_VERSION").into(),
    }
}

impl Entry {
    /// The line that says what format the lines are of.
    #[must_use]
    pub fn this_format() -> Self {
        line(FORMAT)
    }
}

/// Refuses a state that this version does not understand.
pub(super) fn check(image: &Image) -> io::Result<()> {
    match &image.format {
        Some((format, by)) if *format > FORMAT => Err(io::Error::other(format!(
            "abide {by} wrote it in format {format}, and this abide {} reads formats {OLDEST} to {FORMAT}; \
             use that abide or a newer one, or another --home",
            env!("CARGO_PKG_VERSION")
        ))),
        _ => Ok(()),
    }
}
