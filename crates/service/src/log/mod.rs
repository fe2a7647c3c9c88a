//! The service's log: where administrators look.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_host::log::{Client, Destination, Entry, Facility, Identity};

use crate::starter::{Starter, starter};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(windows)]
use windows as os;

#[cfg(feature = "log")]
mod facade;
#[cfg(feature = "tracing")]
mod layer;

#[cfg(feature = "tracing")]
pub use layer::Layer;

pub use abide_host::log::Severity;

/// How long a message waits for a log that takes nothing: it goes to stderr then.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where a service logs, by who started it:
///
/// | started by | goes to | looks like |
/// |---|---|---|
/// | a person | stderr | `warning: text name=value` |
/// | systemd | the journal, natively | fields `MESSAGE`, `PRIORITY`, `SERVICE_NAME`, and those given |
/// | the Service Control Manager | the Event Log, by the service's own source | the text; fields as the event's second string |
/// | an init script (OpenRC, SysV) | the journal or syslog, whichever this machine has | the same; RFC 5424 |
/// | abide, runit and others that keep output | stderr, which they keep | `level=warning msg="text" name=value` |
///
/// Logging never fails and stops nobody for longer than a tenth of a second. What the system log
/// does not take goes to stderr.
///
/// ```
/// use abide_service::{Service, Severity};
///
/// let log = Service::new("shop").logger();
/// log.info("open");
/// log.log_with(Severity::Warning, "a slow order", &[("order", &17), ("seconds", &2.5)]);
/// ```
#[derive(Clone)]
pub struct Logger {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    /// `pid@host`, by which one process's messages are told from another's.
    instance: String,
    form: Form,
    system: Option<Mutex<Client>>,
}

/// How lines look on stderr.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// For people.
    Plain,
    /// Its severity in front, for systemd (sd-daemon(3)).
    Prefixed,
    /// For whatever reads logs.
    Logfmt,
}

impl Logger {
    pub(crate) fn find(name: &str) -> Self {
        let (form, system) = place(starter(), name);
        let host = os::host();
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                instance: format!("{}@{host}", std::process::id()),
                form,
                system: system.map(|destination| {
                    let facility = Facility::DAEMON;
                    Mutex::new(Client::new(destination, Identity { host, facility }))
                }),
            }),
        }
    }

    /// Something failed.
    pub fn error(&self, message: impl fmt::Display) {
        self.log(Severity::Error, message);
    }

    /// Something may fail.
    pub fn warning(&self, message: impl fmt::Display) {
        self.log(Severity::Warning, message);
    }

    /// What happens.
    pub fn info(&self, message: impl fmt::Display) {
        self.log(Severity::Info, message);
    }

    /// A message of that severity.
    pub fn log(&self, severity: Severity, message: impl fmt::Display) {
        self.log_with(severity, message, &[]);
    }

    /// A message with fields: names in small letters, digits and `_`, at most 32; others are left
    /// out of a system log.
    pub fn log_with(
        &self,
        severity: Severity,
        message: impl fmt::Display,
        fields: &[(&str, &dyn fmt::Display)],
    ) {
        let fields: Vec<(&str, String)> = fields
            .iter()
            .map(|(name, value)| (*name, value.to_string()))
            .collect();
        self.write(severity, &message.to_string(), &fields);
    }

    fn write(&self, severity: Severity, message: &str, fields: &[(&str, String)]) {
        if self.send(severity, message, fields) {
            return;
        }
        let line = self.inner.form.line(severity, message, fields);
        // In one write, so that lines of several threads stay whole. There is nobody to tell that
        // nobody can be told.
        let _lost = std::io::stderr().write_all(line.as_bytes());
    }

    /// To the system log. Whether it took it.
    fn send(&self, severity: Severity, message: &str, fields: &[(&str, String)]) -> bool {
        let Some(system) = &self.inner.system else {
            return false;
        };
        let fields: Vec<(&str, &[u8])> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let entry = Entry {
            severity,
            time: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_nanos()).ok())
                .unwrap_or(0),
            message: message.as_bytes(),
            service: &self.inner.name,
            instance: &self.inner.instance,
            process: Some(std::process::id()),
            fields: &fields,
            ..Entry::default()
        };
        let mut client = system.lock().unwrap_or_else(PoisonError::into_inner);
        client.send(&entry, PATIENCE).is_ok() && client.flush(PATIENCE).is_ok()
    }
}

/// Where the service of this name logs, and how its lines look on stderr.
fn place(starter: Starter, name: &str) -> (Form, Option<Destination>) {
    match starter {
        Starter::Person => (Form::Plain, None),
        Starter::Systemd => (Form::Prefixed, Destination::of_this_machine()),
        Starter::Init => (Form::Logfmt, Destination::of_this_machine()),
        // By its own source, which is registered with it.
        Starter::Scm => (Form::Logfmt, Some(Destination::EventLog(name.to_owned()))),
        Starter::Abide | Starter::Supervisor => (Form::Logfmt, None),
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger")
            .field("name", &self.inner.name)
            .field("form", &self.inner.form)
            .finish_non_exhaustive()
    }
}

impl Form {
    fn line(self, severity: Severity, message: &str, fields: &[(&str, String)]) -> String {
        let word = word(severity);
        let mut text = match self {
            Self::Plain => format!("{word}: {message}"),
            Self::Prefixed => message.to_owned(),
            Self::Logfmt => format!("level={word} msg={}", quoted(message)),
        };
        for (name, value) in fields {
            // Writing to a string does not fail.
            let _written = write!(text, " {name}={}", quoted(value));
        }
        if self == Self::Prefixed {
            let number = severity.number();
            return text
                .lines()
                .map(|line| format!("<{number}>{line}\n"))
                .collect();
        }
        text.push('\n');
        text
    }
}

/// The words that loggers have for them, as they are lifted out of logfmt.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Emergency => "emergency",
        Severity::Alert => "alert",
        Severity::Critical => "critical",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
        Severity::Info => "info",
        Severity::Debug => "debug",
    }
}

/// In quotes where logfmt wants them.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '=' && c != '\\';
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_logs_where_somebody_reads_it() {
        let event_log = Destination::EventLog("shop".to_owned());
        assert_eq!(place(Starter::Scm, "shop").1, Some(event_log));
        for kept in [Starter::Abide, Starter::Supervisor] {
            assert_eq!(
                place(kept, "shop"),
                (Form::Logfmt, None),
                "they keep stderr"
            );
        }
        assert_eq!(place(Starter::Person, "shop"), (Form::Plain, None));
    }

    #[test]
    fn a_line_looks_as_its_reader_wants_it() {
        let fields = [("order", "17".to_owned()), ("by", "a \"b\"".to_owned())];
        let line = |form: Form| form.line(Severity::Warning, "late\nagain", &fields);
        assert_eq!(
            line(Form::Plain),
            "warning: late\nagain order=17 by=\"a \\\"b\\\"\"\n"
        );
        assert_eq!(
            line(Form::Logfmt),
            "level=warning msg=\"late\\nagain\" order=17 by=\"a \\\"b\\\"\"\n"
        );
        assert_eq!(
            line(Form::Prefixed),
            "<4>late\n<4>again order=17 by=\"a \\\"b\\\"\"\n"
        );
    }
}
