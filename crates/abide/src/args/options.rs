//! Options that several commands share, and how their values are read.

use std::path::PathBuf;
use std::time::Duration;

use abide_model::api::RollingRequest;
use clap::{Args, ValueEnum};

/// Options that every command takes.
#[derive(Args, Debug, Clone, Default)]
pub struct Common {
    /// Where abide keeps its socket, state and logs
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        value_hint = clap::ValueHint::DirPath,
        help = "Socket, state and logs [default: $ABIDE_HOME, else /var/lib/abide for root, ~/.local/state/abide for a user]",
        help_heading = "Everywhere"
    )]
    pub home: Option<PathBuf>,
    /// When to use colour [default: auto]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        hide_default_value = true,
        default_value_t,
        hide_possible_values = true,
        help = "Colour: auto, always or never [default: auto, which heeds NO_COLOR]",
        help_heading = "Everywhere"
    )]
    pub color: ColorWhen,
}

/// When to use colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into a pipe.
    Always,
    /// Never.
    Never,
}

/// How long a command waits for what it asked for.
#[derive(Args, Debug, Clone, Default)]
pub struct Patience {
    /// Return as soon as the request is accepted
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
    /// Stop waiting after this time, such as 30s or 2m; the work goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// Whether, and how, units are restarted a few at a time.
#[derive(Args, Debug, Clone, Default)]
pub struct RollingArgs {
    /// Restart a few at a time, the next ones only when those before are ready
    #[arg(long)]
    pub rolling: bool,
    /// How many are restarted first, in percent; at least one unit [default: 5%]
    #[arg(long, value_name = "PERCENT", requires = "rolling", value_parser = parse_percent)]
    pub first: Option<u8>,
    /// How long those must stay up before the others follow [default: 10s]
    #[arg(long, value_name = "TIME", requires = "rolling", value_parser = parse_duration)]
    pub hold: Option<Duration>,
}

impl RollingArgs {
    /// What the daemon is asked for.
    #[must_use]
    pub fn request(&self) -> Option<RollingRequest> {
        self.rolling.then(|| RollingRequest {
            first: self.first.unwrap_or_else(RollingRequest::first),
            hold_ms: self.hold.map_or_else(RollingRequest::hold_ms, |hold| {
                u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)
            }),
        })
    }
}

/// Reads `5%` or `5`.
fn parse_percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
    number
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| format!("{text:?} is not a percentage of 1% to 100%"))
}

/// What `wait` waits for.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitFor {
    /// Running and ready, or a oneshot that ended well
    Up,
    /// Up, and checks or beats say so
    Healthy,
    /// No process left
    Stopped,
}

/// How `logs` writes lines.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// The bytes as the program wrote them
    Raw,
    /// TIME STREAM F LINE, as Kubernetes' container runtimes do
    Cri,
    /// One JSON object a line
    Json,
}

/// How many lines `logs` begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineCount {
    /// The last so many.
    Last(u64),
    /// Everything that is kept.
    All,
}

pub(super) fn parse_line_count(text: &str) -> Result<LineCount, String> {
    if text == "all" {
        return Ok(LineCount::All);
    }
    text.parse()
        .map(LineCount::Last)
        .map_err(|_| "give a number of lines, or `all`".to_owned())
}

/// Reads `500ms`, `30s`, `2m`, `1h30m`, `1.5h` or `1d`; a bare number is seconds.
///
/// # Errors
/// A text that says how a time is written.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a time; write it like 500ms, 30s, 2m or 1h30m");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| bad());
    }
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(bad()),
            };
        rest = rest[letters..].trim_start();
    }
    Duration::try_from_secs_f64(total).map_err(|_| bad())
}

pub(super) fn parse_scale(text: &str) -> Result<(String, u32), String> {
    let bad = || format!("{text:?} is not UNIT=N, such as web=3");
    let (unit, count) = text.rsplit_once('=').ok_or_else(bad)?;
    let count = count.trim().parse().map_err(|_| bad())?;
    if unit.is_empty() {
        return Err(bad());
    }
    Ok((unit.to_owned(), count))
}
