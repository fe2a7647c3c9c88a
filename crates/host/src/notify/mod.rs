//! Telling the manager that started this process how it is (sd_notify(3)).
//!
//! A message is lines of `KEY=VALUE` in one datagram to the socket that `NOTIFY_SOCKET` names. Nobody answers; a
//! manager that is gone, or reads too slowly, is nothing that a service should stumble over.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::io;
use std::time::Duration;

/// The line to the manager. Cheap to keep; each message opens its own socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notifier {
    address: String,
    speaker: Option<u32>,
}

impl Notifier {
    /// Where `NOTIFY_SOCKET` leads; `None`: nobody listens.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        Self::at(&std::env::var("NOTIFY_SOCKET").ok()?)
    }

    /// To this address: an absolute path, or `@` and an abstract name.
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        address.starts_with(['/', '@']).then(|| Self {
            address: address.to_owned(),
            speaker: None,
        })
    }

    /// Speaks for this process: a manager that listens only to the service's main process takes it for its words.
    /// That takes root; without it the message comes from the process that it comes from.
    #[must_use]
    pub fn speaking_for(mut self, process: u32) -> Self {
        self.speaker = Some(process);
        self
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Those of sendmsg(2). The manager does not hear it then; the next one it may.
    pub fn tell(&self, message: &str) -> io::Result<()> {
        system::send(&self.address, message, self.speaker)
    }
}

/// How often the manager wants to hear `WATCHDOG=1` at least; `None`: it does not watch. `main`: the service's main
/// process, which the manager means (sd_watchdog_enabled(3)).
#[must_use]
pub fn watchdog(main: u32) -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(process) = number("WATCHDOG_PID")
        && process != u64::from(main)
    {
        return None;
    }
    number("WATCHDOG_USEC")
        .filter(|time| *time > 0)
        .map(Duration::from_micros)
}

/// A value of one line: what else there is would be taken for another key.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
