//! What is kept of a unit's output.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
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

/// What a unit's output is written in. It is stored as it is, and decoded for those who read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum LogEncoding {
    /// UTF-8, or what is no text at all: shown as it is.
    #[default]
    Utf8,
    /// UTF-16, the lower byte first.
    Utf16,
    /// The code page that programs in a console write in, where the machine reads it.
    Oem,
    /// The code page that programs with windows write in, where the machine reads it.
    Ansi,
    /// A code page by its number.
    CodePage(u16),
}

/// As one writes it in a file: `utf-16`, `cp850`.
impl fmt::Display for LogEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("utf-8"),
            Self::Utf16 => f.write_str("utf-16"),
            Self::Oem => f.write_str("oem"),
            Self::Ansi => f.write_str("ansi"),
            Self::CodePage(number) => write!(f, "cp{number}"),
        }
    }
}

impl From<LogEncoding> for String {
    fn from(encoding: LogEncoding) -> Self {
        encoding.to_string()
    }
}

impl TryFrom<String> for LogEncoding {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for LogEncoding {
    type Err = String;

    /// Takes the usual other names, too.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        match name.as_str() {
            "utf-8" | "utf8" => return Ok(Self::Utf8),
            "utf-16" | "utf-16le" | "utf16" | "utf16le" | "unicode" => return Ok(Self::Utf16),
            "oem" => return Ok(Self::Oem),
            "ansi" => return Ok(Self::Ansi),
            _ => {}
        }
        let digits = ["cp", "windows-", "ibm"]
            .into_iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap_or(&name);
        let number = digits.bytes().all(|digit| digit.is_ascii_digit());
        match digits.parse() {
            Ok(page) if number && page > 0 => Self::code_page(page),
            _ => Err(format!("{text:?} is no encoding")),
        }
    }
}

impl LogEncoding {
    /// A code page by its number.
    ///
    /// # Errors
    /// Its lines do not end as others do. The text is whole.
    pub fn code_page(number: u16) -> Result<Self, String> {
        match number {
            65001 => Ok(Self::Utf8),
            1200 => Ok(Self::Utf16),
            // The other byte first, and UTF-32.
            1201 | 12000 | 12001 => Err(format!("code page {number} is not read by lines")),
            number => Ok(Self::CodePage(number)),
        }
    }

    /// Whether it is what every unit has that says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
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
    /// What the output is written in, for those who read it.
    #[serde(default, skip_serializing_if = "LogEncoding::is_default")]
    pub encoding: LogEncoding,
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
            encoding: LogEncoding::Utf8,
            system: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_read_as_it_is_written_and_by_its_usual_names() {
        for encoding in [
            LogEncoding::Utf8,
            LogEncoding::Utf16,
            LogEncoding::Oem,
            LogEncoding::Ansi,
            LogEncoding::CodePage(850),
        ] {
            assert_eq!(encoding.to_string().parse(), Ok(encoding));
        }
        for (name, encoding) in [
            ("UTF-16LE", LogEncoding::Utf16),
            ("windows-1252", LogEncoding::CodePage(1252)),
            ("437", LogEncoding::CodePage(437)),
            ("cp65001", LogEncoding::Utf8),
        ] {
            assert_eq!(name.parse(), Ok(encoding), "{name}");
        }
        for name in ["", "cp", "cp0", "cp+1", "cp70000", "cp1201", "latin"] {
            assert!(name.parse::<LogEncoding>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_spec_of_before_encodings_is_read_and_one_without_stays_as_it_was() {
        let spec = LogSpec::default();
        let text = serde_json::to_string(&spec).expect("written");
        assert!(!text.contains("encoding"), "{text}");
        assert_eq!(serde_json::from_str::<LogSpec>(&text).expect("read"), spec);
        let spec = LogSpec {
            encoding: LogEncoding::CodePage(850),
            ..spec
        };
        let text = serde_json::to_string(&spec).expect("written");
        assert!(text.contains(r#""encoding":"cp850""#), "{text}");
        assert_eq!(serde_json::from_str::<LogSpec>(&text).expect("read"), spec);
    }
}
