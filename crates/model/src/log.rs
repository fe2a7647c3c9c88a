//! What is kept of a unit's output.

use std::fmt;
use std::path::PathBuf;
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
    /// Which system logs hear of it; `None`: those of the daemon; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Vec<SystemLogSpec>>,
}

/// `system_log`: what is sent to one of the system's logs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SystemLogSpec {
    /// Where to.
    pub to: LogTarget,
    /// What abide says of a unit, or of itself.
    pub events: bool,
    /// What a unit writes.
    pub output: bool,
}

/// One system log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LogTarget {
    /// The way there.
    pub way: LogWay,
    /// syslog's word for the kind of program.
    pub facility: String,
    /// Name of this machine in what is sent; `None`: its own.
    #[serde(default)]
    pub host: Option<String>,
}

/// A way to a system log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWay {
    /// This machine's: journald where it is there, else syslog; on Windows the Event Log.
    Auto,
    /// journald, at its own socket or at this one.
    Journald(Option<PathBuf>),
    /// Syslog on this machine, at its own socket or at this one.
    Local(Option<PathBuf>),
    /// Syslog over UDP.
    Udp(String, u16),
    /// Syslog over TCP.
    Tcp(String, u16),
    /// Syslog over TLS.
    Tls(String, u16, LogTrust),
    /// The Event Log of Windows, by this source; `None`: that of the service, or abide's.
    EventLog(Option<String>),
}

/// Who is trusted at the other end of TLS, and who this end is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct LogTrust {
    /// Certificates in PEM of those who may vouch for the other end; `None`: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// The name in the other end's certificate; `None`: the host's.
    pub name: Option<String>,
    /// Certificate chain and private key in PEM of this end.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// As one writes it: `journald`, `tcp://logs.example:514`.
impl fmt::Display for LogWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Journald(None) => f.write_str("journald"),
            Self::Journald(Some(path)) => write!(f, "journald://{}", path.display()),
            Self::Local(None) => f.write_str("syslog"),
            Self::Local(Some(path)) => write!(f, "unix://{}", path.display()),
            Self::Udp(host, port) => write!(f, "udp://{}", Authority(host, *port)),
            Self::Tcp(host, port) => write!(f, "tcp://{}", Authority(host, *port)),
            Self::Tls(host, port, _) => write!(f, "tls://{}", Authority(host, *port)),
            Self::EventLog(None) => f.write_str("eventlog"),
            Self::EventLog(Some(source)) => write!(f, "eventlog://{source}"),
        }
    }
}

/// An IPv6 address has brackets.
struct Authority<'a>(&'a str, u16);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.contains(':') {
            true => write!(f, "[{}]:{}", self.0, self.1),
            false => write!(f, "{}:{}", self.0, self.1),
        }
    }
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
            system: None,
        }
    }
}
