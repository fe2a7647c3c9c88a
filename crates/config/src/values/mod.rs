//! What may stand to the right of an `=`: from text to a value, and back to text for `abide show`.

mod choice;
mod duration;
mod encoding;
mod number;
mod signal;
mod size;
mod sync;

pub(crate) use choice::read as one_of;
pub(crate) use duration::DurationOrUnlimited;
pub(crate) use duration::show_duration;
pub(crate) use number::{Int, Mode, Percent, Ratio};
pub(crate) use size::{Size, SizeOrUnlimited, show_size};

use abide_model::{
    NotifyAccess, ReportStyle, Restart, Signal, SocketPass, StdinSpec, Streams, UnitType, WhenFull,
};
use toml::de::DeValue;

/// Why a value was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// What is wrong with it, after "KEY: ".
    pub message: String,
    /// Beside the mark.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
}

impl Wrong {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The value has another type than `wanted`.
    pub fn kind(value: &DeValue<'_>, wanted: &str) -> Self {
        Self::new(format!("expected {wanted}, found {}", article(value)))
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A value of the file: read, and written as one would write it.
pub(crate) trait Value: Sized {
    /// Takes it, or says why not.
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong>;
    /// As one would write it.
    fn show(&self) -> String;
}

impl Value for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::Boolean(b) => Ok(*b),
            DeValue::String(text) => {
                let wrong = Wrong::kind(value, "a boolean");
                match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "1" => Err(wrong.help("write `true`, without quotes")),
                    "false" | "no" | "off" | "0" => {
                        Err(wrong.help("write `false`, without quotes"))
                    }
                    _ => Err(wrong.help("write `true` or `false`")),
                }
            }
            other => Err(Wrong::kind(other, "a boolean").help("write `true` or `false`")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) if text.contains('\0') => {
                Err(Wrong::new("a text cannot hold a NUL character"))
            }
            DeValue::String(text) => Ok(text.to_string()),
            other => Err(Wrong::kind(other, "a text").help("write it in quotes")),
        }
    }

    fn show(&self) -> String {
        show_text(self)
    }
}

/// A text as a TOML string of one line, which may also be a key.
pub(crate) fn show_text(text: &str) -> String {
    let mut shown = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => shown.extend(['\\', c]),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if c.is_control() => shown.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

/// Texts as a TOML array.
pub(crate) fn show_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = texts.into_iter().map(show_text).collect();
    format!("[{}]", items.join(", "))
}

impl Value for Signal {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        signal::read(value)
    }

    fn show(&self) -> String {
        show_text(&self.to_string())
    }
}

macro_rules! choice {
    ($type:ty, $what:literal, [$($word:literal => $value:expr),+ $(,)?], foreign: [$($theirs:literal => $why:literal),* $(,)?]) => {
        impl Value for $type {
            fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
                choice::read(value, $what, &[$(($word, $value)),+], &[$(($theirs, $why)),*])
            }

            fn show(&self) -> String {
                for (word, value) in [$(($word, $value)),+] {
                    if value == *self {
                        return show_text(word);
                    }
                }
                String::new()
            }
        }
    };
}

choice!(Restart, "a restart policy", [
    "always" => Restart::Always,
    "on-failure" => Restart::OnFailure,
    "never" => Restart::Never,
], foreign: [
    "unless-stopped" => "write \"always\": what a person stopped stays stopped here anyway",
    "no" => "write \"never\"",
    "none" => "write \"never\"",
    "false" => "write \"never\"",
    "true" => "write \"always\"",
    "yes" => "write \"always\"",
    "unexpected" => "write \"on-failure\"",
    "on_failure" => "write \"on-failure\"",
    "failure" => "write \"on-failure\"",
    "on-abnormal" => "write \"on-failure\"",
    "on-abort" => "write \"on-failure\"",
    "on-success" => "write \"always\", or \"never\"",
    "permanent" => "write \"always\"",
    "transient" => "write \"on-failure\"",
    "temporary" => "write \"never\"",
]);

choice!(UnitType, "a type of unit", [
    "service" => UnitType::Service,
    "oneshot" => UnitType::Oneshot,
], foreign: [
    "simple" => "write \"service\"",
    "exec" => "write \"service\"",
    "notify" => "write \"service\", and beside it `ready = { notify = true }`",
    "notify-reload" => "write \"service\", and beside it `ready = { notify = true }` and `reload = { confirm = true }`",
    "idle" => "write \"service\"",
    "dbus" => "write \"service\", and `ready` with one of its ways",
    "forking" => "write \"service\", and let the program run in the foreground",
    "one-shot" => "write \"oneshot\"",
    "task" => "write \"oneshot\"; scheduled tasks come later",
]);

choice!(Streams, "a way to keep output", [
    "combined" => Streams::Combined,
    "split" => Streams::Split,
], foreign: [
    "separate" => "write \"split\"",
    "merged" => "write \"combined\"",
    "both" => "write \"split\" or \"combined\"",
]);

choice!(WhenFull, "what to do when a log cannot take more", [
    "auto" => WhenFull::Auto,
    "block" => WhenFull::Block,
    "drop" => WhenFull::Drop,
], foreign: [
    "wait" => "write \"block\"",
    "blocking" => "write \"block\"",
    "non-blocking" => "write \"drop\"",
    "nonblocking" => "write \"drop\"",
    "discard" => "write \"drop\"",
]);

choice!(ReportStyle, "a style of report", [
    "batch" => ReportStyle::Batch,
    "each" => ReportStyle::Each,
    "ping" => ReportStyle::Ping,
], foreign: [
    "healthchecks" => "write \"ping\"",
    "array" => "write \"batch\"",
    "plain" => "write \"each\"",
    "json" => "write \"batch\" or \"each\"",
]);

choice!(NotifyAccess, "whose messages are taken", [
    "main" => NotifyAccess::Main,
    "exec" => NotifyAccess::Exec,
    "all" => NotifyAccess::All,
], foreign: [
    "none" => "take it out: without `notify` there is no socket",
    "false" => "take it out: without `notify` there is no socket",
    "true" => "write \"main\", \"exec\" or \"all\"",
]);

choice!(StdinSpec, "a kind of input", [
    "null" => StdinSpec::Null,
    "pipe" => StdinSpec::Pipe,
], foreign: [
    "none" => "write \"null\"",
    "false" => "write \"null\"",
    "true" => "write \"pipe\"",
    "socket" => "write `socket = { …, pass = \"stdin\" }`",
]);

choice!(SocketPass, "a way to hand sockets over", [
    "fds" => SocketPass::Fds,
    "stdin" => SocketPass::Stdin,
], foreign: [
    "inetd" => "write \"stdin\"",
    "fd" => "write \"fds\"",
    "socket" => "write \"stdin\"",
    "systemd" => "write \"fds\"",
]);
