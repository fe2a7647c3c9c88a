//! Where messages go.

use std::fmt;
use std::path::PathBuf;

/// A system log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Destination {
    /// journald, at this socket; [`crate::log::journald::SOCKET`] is its own.
    Journald(PathBuf),
    /// Syslog on this machine, at this socket; [`crate::log::syslog::SOCKET`] is the system's. Whether it takes datagrams or a stream
    /// is found out.
    Local(PathBuf),
    /// Syslog over UDP (RFC 5426): nobody says what arrives.
    Udp(Address),
    /// Syslog over TCP with octet counting (RFC 6587).
    Tcp(Address),
    /// Syslog over TLS (RFC 5425).
    Tls(Address, Trust),
    /// The Event Log of this Windows, by the source of this name.
    EventLog(String),
}

/// A machine and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Who is trusted to be the other end of a TLS connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Trust {
    /// Certificates in PEM of those who may vouch for it. `None`: those that this system trusts.
    pub authorities: Option<PathBuf>,
    /// The name in its certificate. `None`: the host's.
    pub name: Option<String>,
    /// Certificate chain and private key, in PEM, by which this end shows who it is. `None`: it does not.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Destination {
    /// The log that this machine's administrator looks into: journald if it is there, else syslog; on Windows the Event Log, by
    /// the source [`crate::log::eventlog::SOURCE`]. `None`: none is there.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        super::link::of_this_machine()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journald(path) if path == std::path::Path::new(super::journald::SOCKET) => {
                f.write_str("journald")
            }
            Self::Journald(path) => write!(f, "journald at {}", path.display()),
            Self::Local(path) => write!(f, "unix://{}", path.display()),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(address, _) => write!(f, "tls://{address}"),
            Self::EventLog(source) => write!(f, "eventlog://{source}"),
        }
    }
}
