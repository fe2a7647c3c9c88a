//! Why a command ends without success, and the exit code that says so.

use std::fmt::Write as _;
use std::io;

use crate::term::{Palette, Style};

/// The exit codes, in one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Code {
    /// Done, or all is well.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// Wrong usage or invalid configuration.
    Usage = 2,
    /// Something asked about is not up.
    NotUp = 3,
    /// No daemon runs in this home.
    NoDaemon = 4,
    /// Ctrl-C while waiting: 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// Why a command ends without success.
#[derive(Debug)]
pub struct Failure {
    /// What goes wrong, after "error: ". Empty: it was said already.
    pub message: String,
    /// The way out, after "help: ".
    pub help: Option<String>,
    /// Shown as it is, before anything else.
    pub rendered: Option<String>,
    /// How the process ends.
    pub code: Code,
}

impl Failure {
    /// It could not be done.
    #[must_use]
    pub fn new(message: String) -> Self {
        Self {
            message,
            help: None,
            rendered: None,
            code: Code::Failed,
        }
    }

    /// Wrong usage or invalid configuration.
    #[must_use]
    pub fn usage(message: String) -> Self {
        Self {
            message,
            help: None,
            rendered: None,
            code: Code::Usage,
        }
    }

    /// Everything was said; only the exit code remains.
    #[must_use]
    pub fn silent(code: Code) -> Self {
        Self {
            message: String::new(),
            help: None,
            rendered: None,
            code,
        }
    }

    /// A text that is shown as it is: diagnostics with their own "error:".
    #[must_use]
    pub fn rendered(text: String, code: Code) -> Self {
        Self {
            message: String::new(),
            help: None,
            rendered: Some(text),
            code,
        }
    }

    /// A message that ends in its way out ("…; the way out") is split there.
    pub fn split_help(&mut self) {
        if let Some((message, help)) = self.message.rsplit_once("; ") {
            self.help = Some(help.to_owned());
            self.message.truncate(message.len());
        }
    }

    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With another exit code.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// What goes to standard error.
    #[must_use]
    pub fn render(&self, palette: Palette) -> String {
        let mut text = self.rendered.clone().unwrap_or_default();
        if self.message.is_empty() {
            return text;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {}",
            palette.paint(Style::Bad, "error:"),
            self.message
        );
        if let Some(help) = &self.help {
            let _ = writeln!(text, "{} {help}", palette.paint(Style::Good, "help:"));
        }
        text
    }
}

/// The reader of our output went away (`abide logs | head`): not a failure, and nothing to say.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::silent(Code::Done)
        } else {
            Self::new(format!("cannot write the answer: {error}"))
        }
    }
}

/// What the system says, without Rust's "(os error 13)", in lower case.
#[must_use]
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_the_cause_and_the_way_out() {
        let mut failure = Failure::new("no unit matches \"web\"; `abide status` lists them".into());
        failure.split_help();
        assert_eq!(
            failure.render(Palette::plain()),
            "error: no unit matches \"web\"\nhelp: `abide status` lists them\n"
        );
        assert_eq!(failure.code, Code::Failed);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(
            (failure.code, failure.render(Palette::plain()).as_str()),
            (Code::Done, "")
        );
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let codes = [
            Code::Done,
            Code::Failed,
            Code::Usage,
            Code::NotUp,
            Code::NoDaemon,
        ];
        assert_eq!(codes.map(|code| code as u8), [0, 1, 2, 3, 4]);
    }
}
