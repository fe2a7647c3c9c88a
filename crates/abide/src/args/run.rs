//! Arguments of `run`: one unit, written on the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Patience, parse_duration};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub command: Vec<OsString>,
    /// The unit's name [default: the program's]
    #[arg(long)]
    pub name: Option<String>,
    /// When to start it again after it ended
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "WHEN",
        help = "When to start it again after it ended: always, on-failure or never"
    )]
    pub restart: RestartWhen,
    /// Set a variable of its environment; may be repeated
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
    /// Its working directory [default: this one]
    #[arg(long, short = 'C', value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Run it as this user (root only; Windows: LocalSystem only)
    #[arg(long, short)]
    pub user: Option<String>,
    /// Windows: the file with the password that the user logs on with
    #[arg(long, value_name = "FILE", requires = "user", value_hint = clap::ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub ready: ReadyArgs,
    /// It reports in at least this often, or is restarted after three missed beats
    #[arg(long, value_name = "EVERY", value_parser = parse_duration)]
    pub heartbeat: Option<Duration>,
    /// Follow what it writes until Ctrl-C; it keeps running
    #[arg(long, short, conflicts_with_all = ["no_wait", "json"])]
    pub attach: bool,
    /// Change a unit of that name, and show what differs
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub patience: Patience,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// How to find out that the program is ready; at most one of them.
#[derive(Args, Debug, Default)]
#[group(multiple = false)]
pub struct ReadyArgs {
    /// Ready when this address accepts a connection
    #[arg(long, value_name = "HOST:PORT")]
    pub ready_tcp: Option<String>,
    /// Ready when this http:// address answers
    #[arg(long, value_name = "URL")]
    pub ready_http: Option<String>,
    /// Ready when this file was made
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// Ready when this command ends with 0
    #[arg(long, value_name = "COMMAND")]
    pub ready_exec: Option<String>,
    /// Ready when it writes a line that matches this
    #[arg(long, value_name = "REGEX")]
    pub ready_log: Option<String>,
    /// Ready when it says so (sd_notify)
    #[arg(long)]
    pub ready_notify: bool,
}

/// When to start a program again.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RestartWhen {
    /// After every exit
    #[default]
    Always,
    /// After every exit but a success
    OnFailure,
    /// By hand
    Never,
}

pub(super) fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not KEY=VALUE, such as PORT=8000"))?;
    if key.is_empty() || key.contains('\0') {
        return Err(format!("{text:?} has no name before the ="));
    }
    Ok((key.to_owned(), value.to_owned()))
}
