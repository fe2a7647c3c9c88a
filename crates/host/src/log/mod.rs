//! The system's logs: where administrators look.
//!
//! ```text
//!  Entry ──journald::frame──► datagram (or sealed memory file) ─► journald
//!        ├─syslog::message──► datagram, stream, UDP, TCP, TLS ──► syslog
//!        └─eventlog::report─► ReportEventW ─────────────────────► the Event Log of Windows
//!                                      ▲
//!               Client: connects, waits as told, counts what is lost
//! ```
//!
//! Messages are made by pure functions ([`journald`], [`syslog`], [`eventlog`]); a [`Client`] hands them over. Whatever the
//! destination, the same fields have the same names: `service_name`, `instance_id`, `trace_id`, `event_severity` (0 to 7),
//! `timestamp` (milliseconds since 1970); journald has them in capitals. With the feature `lift`, [`lift`] finds level,
//! time, message and trace id in lines that are JSON or logfmt.
//!
//! Architecture invariant: nothing here has a thread or a runtime of its own, and nothing waits unless it is told how long.

mod client;
mod destination;
mod entry;
pub mod eventlog;
pub mod journald;
#[cfg(feature = "lift")]
pub mod lift;
mod link;
mod severity;
pub mod syslog;

pub use client::{Client, Counts, SendError};
pub use destination::{Address, Destination, Trust};
pub use entry::{Entry, Identity};
pub use severity::{Facility, Severity};
