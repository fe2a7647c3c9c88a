//! Syslog: messages (RFC 5424), and how they are told apart in a stream (RFC 6587, RFC 5425).

mod frame;
mod message;
mod time;

pub use frame::{Framing, framed};
pub use message::{MAX_DATAGRAM, SD_ID, message, messages};

/// Where the machine's own syslog listens.
pub const SOCKET: &str = "/dev/log";
