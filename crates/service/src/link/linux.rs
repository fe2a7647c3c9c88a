//! The notify socket: sd_notify(3), understood by systemd, by abide, and by others.

use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::Word;

/// How long a manager that does not read is waited for. Long enough for one that is being replaced.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most of a status, in bytes: one message is to stay below what every manager takes.
const STATUS_MAX: usize = 1024;

/// The way to the manager, if it left one.
#[derive(Debug)]
pub(crate) struct Link {
    /// Where, and by what.
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// What is wrong with what the environment says; told with the first word.
    broken: Option<String>,
    limit: Option<Duration>,
}

impl Link {
    /// By `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub(crate) fn find() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::of(
            variable("NOTIFY_SOCKET"),
            variable("WATCHDOG_USEC"),
            variable("WATCHDOG_PID"),
        )
    }

    fn of(socket: Option<OsString>, usec: Option<OsString>, pid: Option<OsString>) -> Self {
        let (socket, broken) = match socket.as_ref().map(|at| (at, open(at.as_bytes()))) {
            None => (None, None),
            Some((_, Ok(opened))) => (Some(opened), None),
            Some((at, Err(error))) => {
                let why = format!("NOTIFY_SOCKET is {}: {error}", at.to_string_lossy());
                (None, Some(why))
            }
        };
        let number = |value: OsString| value.to_str()?.parse::<u64>().ok();
        // Meant for another process, which passed its environment on (sd_watchdog_enabled(3)).
        let for_us = pid
            .and_then(number)
            .is_none_or(|pid| pid == u64::from(std::process::id()));
        Self {
            socket,
            broken,
            limit: usec
                .and_then(number)
                .filter(|usec| for_us && *usec > 0)
                .map(Duration::from_micros),
        }
    }

    /// Whether words arrive somewhere.
    pub(crate) fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// The program is taken for one that hangs after so long without a beat.
    pub(crate) fn beat_limit(&self) -> Option<Duration> {
        self.limit
    }

    /// In one message. Nothing happens where nobody listens; ends after five seconds where the
    /// manager does not read.
    pub(crate) fn tell(&self, words: &[Word<'_>]) -> io::Result<()> {
        let Some((socket, address)) = &self.socket else {
            return match &self.broken {
                Some(why) => Err(io::Error::other(why.clone())),
                None => Ok(()),
            };
        };
        let text = text(words);
        loop {
            match socket.send_to_addr(text.as_bytes(), address) {
                Ok(_) => return Ok(()),
                // A handler of some signal ran; a socket with a time-out does not go on by itself (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let why = format!("it has not read for {} s", PATIENCE.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn open(at: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match at {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(at))?,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "neither a path nor an abstract name",
            ));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

fn text(words: &[Word<'_>]) -> String {
    let mut text = String::new();
    for word in words {
        // Writing to a string does not fail.
        let _written = match word {
            Word::Ready => writeln!(text, "READY=1"),
            Word::Reloading => writeln!(text, "RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()),
            Word::Stopping => writeln!(text, "STOPPING=1"),
            Word::Status(status) => writeln!(text, "STATUS={}", one_line(status)),
            Word::Beat => writeln!(text, "WATCHDOG=1"),
            Word::Extend(by) => writeln!(text, "EXTEND_TIMEOUT_USEC={}", by.as_micros()),
        };
    }
    text
}

/// When a reload began, on the clock that systemd compares with (`Type=notify-reload`, systemd.service(5)).
fn monotonic_micros() -> u128 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u128::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u128::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanos / 1_000
}

/// A line break would begin another word.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        if line.len() + character.len_utf8() > STATUS_MAX {
            break;
        }
        line.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_assignments_one_a_line() {
        assert_eq!(
            text(&[Word::Ready, Word::Status("a\nREADY=1"), Word::Beat]),
            "READY=1\nSTATUS=a READY=1\nWATCHDOG=1\n"
        );
        assert_eq!(
            text(&[Word::Extend(Duration::from_millis(1500))]),
            "EXTEND_TIMEOUT_USEC=1500000\n"
        );
        assert!(text(&[Word::Reloading]).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }

    #[test]
    fn a_watchdog_of_another_process_is_none_of_ours() {
        let other = Link::of(None, Some("1000000".into()), Some("1".into()));
        assert_eq!(other.beat_limit(), None);
        let own = std::process::id().to_string();
        let ours = Link::of(None, Some("1000000".into()), Some(own.into()));
        assert_eq!(ours.beat_limit(), Some(Duration::from_secs(1)));
        let unnamed = Link::of(None, Some("1000000".into()), None);
        assert_eq!(unnamed.beat_limit(), Some(Duration::from_secs(1)));
        assert_eq!(Link::of(None, Some("0".into()), None).beat_limit(), None);
    }

    #[test]
    fn an_address_that_is_none_is_told_and_not_taken_for_nobody() {
        let link = Link::of(Some("vsock:2:1".into()), None, None);
        assert!(!link.is_there());
        let error = link.tell(&[Word::Ready]).expect_err("it cannot arrive");
        assert!(error.to_string().contains("vsock:2:1"), "{error}");
    }
}
