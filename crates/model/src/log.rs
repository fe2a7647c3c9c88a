//! What is kept of a unit's output.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether stdout and stderr share one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// One FIFO, one series of segments: keeps the program's own order.
    #[default]
    Combined,
    /// Two FIFOs and two series: stdout and stderr can be told apart.
    Split,
}

/// Rotation and retention of a unit's segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogSpec {
    /// A segment is sealed at this size, in bytes.
    pub max_size: u64,
    /// How many sealed segments are kept, per stream.
    pub keep: u32,
    /// Sealed segments older than this go away; a segment older than this is sealed.
    pub max_age: Option<Duration>,
    /// Upper bound for all segments of the unit together, in bytes as they lie on the disk.
    pub max_total: Option<u64>,
    /// Compress sealed segments.
    pub compress: bool,
    /// One file or two.
    pub streams: Streams,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self {
            max_size: 50 << 20,
            keep: 10,
            max_age: Some(Duration::from_secs(30 * 86_400)),
            max_total: None,
            compress: true,
            streams: Streams::Combined,
        }
    }
}
