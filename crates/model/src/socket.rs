//! Sockets that abide listens on, so that a program can be restarted without refusing anybody.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The listening sockets of a unit. Instances of one unit share them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SocketSpec {
    /// In the order in which the program finds them. At least one.
    pub listen: Vec<Listen>,
    /// How the program finds them.
    pub pass: SocketPass,
    /// Length of the queue of connections that wait (listen(2)).
    pub backlog: u32,
    /// Mode of socket files.
    pub mode: u32,
    /// Owner of socket files: user and group, names or numbers; the daemon's by default.
    pub owner: Option<String>,
    /// See `owner`.
    pub group: Option<String>,
}

/// One socket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listen {
    /// Where.
    pub address: ListenAddress,
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
}

/// Where a socket listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenAddress {
    /// A stream over TCP.
    Tcp(SocketAddr),
    /// A stream over a socket file, absolute.
    Unix(PathBuf),
    /// Datagrams over UDP.
    Udp(SocketAddr),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Udp(address) => write!(f, "udp://{address}"),
        }
    }
}

/// How a program finds its sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketPass {
    /// From descriptor 3 on, with `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` (sd_listen_fds(3)).
    #[default]
    Fds,
    /// The first one as standard input, for programs of the inetd `wait` style and FastCGI.
    Stdin,
}

/// What the core reads of a unit's sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SocketGate {
    /// `start`, `up` and a boot wait for a connection; else they start it at once. While it waits it counts
    /// as up, for commands and for what requires it: whoever connects waits in the backlog. Restarts, after
    /// a crash or by hand, do not wait; after a success that is not restarted by policy it waits again.
    pub on_connection: bool,
    /// Without a connection for so long it is stopped, and waits for the next one, whatever `on_connection`
    /// says. It is looked at every so often; it is no failure and no restart.
    pub idle_stop: Option<Duration>,
}
