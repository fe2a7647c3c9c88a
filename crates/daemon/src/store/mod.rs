//! The durable state: what a new daemon needs to go on where the old one died.
//!
//! ```text
//!  driver ──Entry──► store thread ──lines──► state/journal.N
//!     ▲                  │                        │ grows past its bound
//!     └── result ◄───────┘                        ▼
//!                                          state/journal.N+1  (last line of each key)
//! ```
//!
//! The journal is a file of lines, `CRC32 JSON`, appended only. The last line of a key counts, so a
//! line may be written twice without harm. What the death of the daemon can cost is the line being
//! written; what a loss of power can cost is the lines since the last sync, and for what a person
//! asked for there is a sync before the answer.
//!
//! A disk that is full or gone stops no supervision: what could not be written is kept (the last
//! line of each key) and tried again.

mod entry;
pub mod format;
mod journal;
#[cfg(test)]
mod power;
mod thread;

pub use entry::{Entry, Image, SourceRecord};
pub use journal::{Journal, Loss, look};
pub use thread::{Store, Written};
