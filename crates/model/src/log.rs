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

/// When a unit's segments are written through to the disk, so that a loss of power does not take them.
/// For the death of a process, `kill -9` included, none of it is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSync {
    /// When the system does it.
    #[default]
    Never,
    /// A segment when it is sealed.
    Rotate,
    /// What was taken, at most so long after.
    Every(Duration),
}

/// What happens when a unit writes more than its pipe and its disk take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The program waits for a disk that is slow, and not for one that is full, gone, or does not answer: then
    /// output is dropped and counted.
    #[default]
    Auto,
    /// The program waits, however long.
    Block,
    /// The program never waits for longer than moments: output is dropped and counted, and a line in the log says
    /// where.
    Drop,
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
    /// When they are written through to the disk.
    #[serde(default)]
    pub sync: LogSync,
    /// Whether the program waits for its log.
    #[serde(default)]
    pub when_full: WhenFull,
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
            sync: LogSync::Never,
            when_full: WhenFull::Auto,
        }
    }
}
