//! Telling the manager that started this process how it is (sd_notify(3)): systemd, abide, and others that understand it.
//!
//! A message is lines of `KEY=VALUE` in one datagram to the socket that `NOTIFY_SOCKET` names; on Windows, where only
//! abide listens, in one write to the pipe that `NOTIFY_PIPE` names. Nobody answers; a manager that is gone, or reads
//! too slowly, is nothing that a service should stumble over.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", windows)))]
use other as system;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::time::Duration;

/// The variable that says where the manager listens.
pub const VARIABLE: &str = system::VARIABLE;

/// The most of a status, in bytes: one message is to stay below what every manager takes.
const STATUS_MAX: usize = 1024;

/// One thing to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word<'a> {
    /// It is up, or through with a reload.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It is on its way down.
    Stopping,
    /// One line for people: line breaks become spaces, and what is beyond 1,024 bytes is left out.
    Status(&'a str),
    /// It lives.
    Beat,
    /// It starts, stops or reloads, and needs this long from now on.
    Extend(Duration),
}

/// The line to the manager. Cheap to keep; each message opens its own socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notifier {
    address: OsString,
    speaker: Option<u32>,
    patience: Duration,
}

impl Notifier {
    /// Where the environment says; `None`: nobody listens.
    ///
    /// # Errors
    /// As for [`Notifier::at`].
    pub fn from_environment() -> Option<io::Result<Self>> {
        let address = std::env::var_os(VARIABLE).filter(|address| !address.is_empty())?;
        Some(Self::at(&address))
    }

    /// To this address: an absolute path, or `@` and an abstract name; on Windows the name of a pipe.
    ///
    /// # Errors
    /// It is none of these; the message names it.
    pub fn at(address: impl AsRef<OsStr>) -> io::Result<Self> {
        let address = address.as_ref();
        if !system::is_address(address) {
            let address = address.to_string_lossy();
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{VARIABLE} is {address}: {}", system::WANTED),
            ));
        }
        Ok(Self {
            address: address.to_owned(),
            speaker: None,
            patience: Duration::ZERO,
        })
    }

    /// Speaks for this process: a manager that listens only to the service's main process takes it for its words.
    /// That takes root, and Linux; without it the message comes from the process that it comes from.
    #[must_use]
    pub fn speaking_for(mut self, process: u32) -> Self {
        self.speaker = Some(process);
        self
    }

    /// Waits so long for a manager that does not read; without it, not at all.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells it, in one message.
    ///
    /// # Errors
    /// The manager does not hear it; the next one it may. `TimedOut`: it does not read.
    pub fn tell(&self, words: &[Word<'_>]) -> io::Result<()> {
        let message = text(words);
        system::send(
            &self.address,
            message.as_bytes(),
            self.speaker,
            self.patience,
        )
    }
}

/// How often the manager wants to hear [`Word::Beat`] at least; `None`: it does not watch. `main`: the service's main
/// process, which the manager means (sd_watchdog_enabled(3)).
#[must_use]
pub fn watchdog(main: u32) -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    wanted(number("WATCHDOG_USEC"), number("WATCHDOG_PID"), main)
}

fn wanted(micros: Option<u64>, process: Option<u64>, main: u32) -> Option<Duration> {
    // Meant for another process, which passed its environment on.
    if process.is_some_and(|process| process != u64::from(main)) {
        return None;
    }
    micros.filter(|time| *time > 0).map(Duration::from_micros)
}

fn text(words: &[Word<'_>]) -> String {
    let mut text = String::new();
    for word in words {
        // Writing to a string does not fail.
        let _written = match word {
            Word::Ready => writeln!(text, "READY=1"),
            Word::Reloading => writeln!(text, "RELOADING=1{}", system::since_when()),
            Word::Stopping => writeln!(text, "STOPPING=1"),
            Word::Status(status) => writeln!(text, "STATUS={}", one_line(status)),
            Word::Beat => writeln!(text, "WATCHDOG=1"),
            Word::Extend(by) => writeln!(text, "EXTEND_TIMEOUT_USEC={}", by.as_micros()),
        };
    }
    text
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
        assert!(text(&[Word::Reloading]).starts_with("RELOADING=1\n"));
        assert_eq!(one_line(&"é".repeat(1024)).len(), STATUS_MAX);
    }

    #[test]
    fn a_watchdog_of_another_process_is_none_of_ours() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(wanted(Some(1_000_000), Some(1), 7), None);
        assert_eq!(wanted(Some(1_000_000), Some(7), 7), second);
        assert_eq!(wanted(Some(1_000_000), None, 7), second);
        assert_eq!(wanted(Some(0), None, 7), None);
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let error = Notifier::at("vsock:2:1").expect_err("it cannot arrive");
        assert!(error.to_string().contains("is vsock:2:1:"), "{error}");
    }
}
