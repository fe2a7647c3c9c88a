//! Segments: what a unit wrote, byte for byte, beside the times at which it came.
//!
//! The daemon's capture appends to them ([`Writer`]); everybody else reads them ([`Reader`]), at
//! any pace, while they grow, are sealed, compressed and deleted. The format is in `docs/logs.md`.
//!
//! Architecture invariant: nothing in here locks, and no reader tells a writer anything. What makes
//! that safe is the order of steps: a segment with a higher number exists only after the last byte
//! of the lower one was written, and a compressed segment has its name only when it is whole.

mod backward;
pub mod disk;
mod fault;
mod format;
mod index;
mod layout;
mod line;
mod packed;
mod query;
mod reader;
mod retention;
mod segment;
mod series;
#[cfg(test)]
mod steps;
mod tail;
mod text;
mod time;
mod writer;

#[cfg(feature = "faults")]
pub use fault::on_fault_point;
pub use format::{Format, render};
pub use line::{Decoded, Ending, Line, Stream};
pub use query::{Query, Source};
pub use reader::{ReadError, Reader, Record};
pub use retention::{Removed, sync, tidy, tidy_while};
pub use series::{Gap, Placed, Position, Series};
pub use tail::Tail;
pub use text::{CodePages, Text};
pub use time::rfc3339;
pub use writer::Writer;
