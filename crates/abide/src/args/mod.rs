//! What can be typed: the commands and their options.
//!
//! To add a command: a variant here with its own arguments, a line in `help.rs`, a file in `command/`,
//! and its section in `docs/cli.md`.

mod doctor;
mod help;
pub mod install;
mod options;
mod run;
mod scm;
mod when;

use clap::{Args, Parser, Subcommand};

pub use doctor::DoctorArgs;
pub use help::START_HERE;
pub use install::{HostArgs, InstallArgs, ManagedArgs, ManagerArgs, UninstallArgs};
pub use options::{
    ColorWhen, Common, LineCount, LogFormat, Patience, RollingArgs, WaitFor, parse_duration,
};
pub use run::{ReadyArgs, RestartWhen, RunArgs};
pub use when::parse_when;

/// The command line.
#[derive(Parser, Debug)]
#[command(
    name = "abide",
    version = env!("ABIDE_VERSION_TEXT"),
    about = "Keeps programs running in the background",
    help_template = help::TOP,
    arg_required_else_help = false,
    max_term_width = 100
)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do; nothing: a few words on how to begin.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant)] // there is one of it; on Windows `install` knows more
pub enum Command {
    /// Load units, start abide in the background if it does not run, and wait until they are up
    #[command(after_help = help::UP)]
    Up(UpArgs),
    /// Stop everything and abide itself, or only the units of one file
    #[command(after_help = help::DOWN)]
    Down(DownArgs),
    /// Guard one command: keep it running until it is removed
    #[command(after_help = help::RUN)]
    Run(RunArgs),
    /// Show what runs and how it fares
    #[command(visible_aliases = ["ls", "ps", "list"], after_help = help::STATUS)]
    Status(StatusArgs),
    /// The same as `status --watch`
    #[command(hide = true)]
    Top(StatusArgs),
    /// Start units, and what they require
    #[command(after_help = help::START)]
    Start(ChangeArgs),
    /// Stop units; they stay down until they are started by hand
    #[command(after_help = help::STOP)]
    Stop(ChangeArgs),
    /// Stop units and start them again
    #[command(after_help = help::RESTART)]
    Restart(RestartArgs),
    /// Have units read their configuration again, as their `reload` says
    #[command(after_help = help::RELOAD)]
    Reload(ChangeArgs),
    /// Forget failures: clear `failed`, the restart counter and a pending wait
    #[command(after_help = help::RESET)]
    Reset(ChangeArgs),
    /// Stop units and forget them; their logs stay
    #[command(visible_aliases = ["rm", "delete"], after_help = help::REMOVE)]
    Remove(ChangeArgs),
    /// Let units come up with abide
    #[command(after_help = help::ENABLE)]
    Enable(ChangeArgs),
    /// Do not let units come up with abide; what runs goes on
    #[command(after_help = help::DISABLE)]
    Disable(ChangeArgs),
    /// Send a signal to the main process of units
    #[command(after_help = help::SIGNAL)]
    Signal(SignalArgs),
    /// Send a control code to services of Windows, as `sc control` does
    #[command(after_help = help::CONTROL)]
    Control(ControlArgs),
    /// Change how many instances of a unit there are
    #[command(after_help = help::SCALE)]
    Scale(ScaleArgs),
    /// Wait until units are up, healthy or stopped
    #[command(after_help = help::WAIT)]
    Wait(WaitArgs),
    /// Show one unit: its settings and where each comes from, its state, its last lines
    #[command(after_help = help::SHOW)]
    Show(OneUnit),
    /// Say why a unit is in its state, and what would change it
    #[command(after_help = help::WHY)]
    Why(OneUnit),
    /// Show what programs wrote
    #[command(after_help = help::LOGS)]
    Logs(LogsArgs),
    /// The same as `logs -f`
    #[command(hide = true)]
    Tail(LogsArgs),
    /// Show what happened, when and why
    #[command(after_help = help::EVENTS)]
    Events(EventsArgs),
    /// Show what `up` would change
    #[command(after_help = help::PLAN)]
    Plan(PlanArgs),
    /// Say whether configuration files are valid
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Run abide in the foreground, for service managers and containers
    #[command(after_help = help::DAEMON)]
    Daemon(DaemonArgs),
    /// Have another abide executable take over; everything runs on
    #[command(after_help = help::UPGRADE)]
    Upgrade(UpgradeArgs),
    /// Make a program, a unit of a file, or abide itself a service of the operating system
    #[command(after_help = help::INSTALL)]
    Install(Box<InstallArgs>),
    /// Stop a service that `install` made, and remove it
    #[command(after_help = help::UNINSTALL)]
    Uninstall(UninstallArgs),
    /// Say what is wrong with a service, or with this machine and its home, and how to put it right
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Run one unit in the foreground, in a home of its own, for a service manager
    #[command(after_help = help::HOST)]
    Host(HostArgs),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    #[command(after_help = help::MANUAL)]
    Manual(ManualArgs),
}

/// Arguments of `up`.
#[derive(Args, Debug, Default)]
pub struct UpArgs {
    /// Configuration files, or directories with an abide.toml or *.toml files
    /// [default: ./abide.toml if there is one, else what was loaded before]
    #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<std::path::PathBuf>,
    #[command(flatten)]
    pub rolling: RollingArgs,
    #[command(flatten)]
    pub patience: Patience,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `down`.
#[derive(Args, Debug)]
pub struct DownArgs {
    /// Stop and forget the units of this file only; abide goes on
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub patience: Patience,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status` and `top`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Names, globs such as 'web*', GROUP:*, or all
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Refresh in place until q or Ctrl-C
    #[arg(long, short)]
    pub watch: bool,
    /// Answer as one JSON document: an array with an element for each unit
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,
}

/// Arguments of the commands that change units.
#[derive(Args, Debug)]
pub struct ChangeArgs {
    /// Names, globs such as 'web*', GROUP:*, or all
    #[arg(required = true, value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// The names are those of services of the operating system
    #[arg(long)]
    pub service: bool,
    #[command(flatten)]
    pub patience: Patience,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `restart`.
#[derive(Args, Debug)]
pub struct RestartArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    #[command(flatten)]
    pub rolling: RollingArgs,
}

/// Arguments of `signal`.
#[derive(Args, Debug)]
pub struct SignalArgs {
    /// A signal, such as HUP, SIGUSR1 or 10
    pub signal: abide_model::Signal,
    /// Names, globs such as 'web*', GROUP:*, or all
    #[arg(required = true, value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `control`.
#[derive(Args, Debug)]
pub struct ControlArgs {
    /// A code of the service's own, 128 to 255
    #[arg(value_parser = clap::value_parser!(u8).range(128..))]
    pub code: u8,
    /// Names of services
    #[arg(required = true, value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scale`.
#[derive(Args, Debug)]
pub struct ScaleArgs {
    /// Which unit, and how many instances of it
    #[arg(value_name = "UNIT=N", value_parser = options::parse_scale)]
    pub target: (String, u32),
    #[command(flatten)]
    pub patience: Patience,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `wait`.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// Names, globs such as 'web*', GROUP:*, or all
    #[arg(required = true, value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// What to wait for: up, healthy or stopped
    #[arg(
        long = "for",
        value_name = "STATE",
        default_value = "up",
        hide_possible_values = true
    )]
    pub state: WaitFor,
    /// Stop waiting after this time, such as 30s or 2m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<std::time::Duration>,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show` and `why`.
#[derive(Args, Debug)]
pub struct OneUnit {
    /// The unit's full name
    pub unit: String,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `logs` and `tail`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Names, globs such as 'web*', GROUP:* [default: all units]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Go on with new lines as they come, until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// How many lines, or all [default: 100; with --since or --until: all]
    #[arg(long, short = 'n', value_name = "N", value_parser = options::parse_line_count)]
    pub lines: Option<options::LineCount>,
    /// From then on: 10m, '2h ago', 14:05, yesterday, '2026-01-31 14:05', RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// raw: the bytes and nothing else; cri: as containers log; json: one object a line
    #[arg(long, value_enum, hide_possible_values = true)]
    pub format: Option<LogFormat>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Arguments of `events`.
#[derive(Args, Debug)]
pub struct EventsArgs {
    /// Names, globs such as 'web*', GROUP:* [default: all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Go on with new events as they come, until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last events
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub lines: u64,
    /// Only of these kinds: exited,failed,unhealthy
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Configuration files or directories [default: ./abide.toml]
    #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<std::path::PathBuf>,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Configuration files or directories [default: ./abide.toml]
    #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<std::path::PathBuf>,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `daemon`.
#[derive(Args, Debug)]
pub struct DaemonArgs {
    /// Configuration files or directories to load [default: what was loaded before]
    #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<std::path::PathBuf>,
    #[command(flatten)]
    pub managed: ManagedArgs,
}

/// Arguments of `upgrade`.
#[derive(Args, Debug)]
pub struct UpgradeArgs {
    /// The executable that is to take over [default: the one that runs this command]
    #[arg(value_name = "BINARY", value_hint = clap::ValueHint::ExecutablePath)]
    pub binary: Option<std::path::PathBuf>,
    /// Have the keeper execute it, too, also if its own version is the same
    #[arg(long)]
    pub keeper: bool,
    /// Stop waiting after this time, such as 30s or 2m; the upgrade goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "2m")]
    pub timeout: std::time::Duration,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `manual`.
#[derive(Args, Debug)]
pub struct ManualArgs {
    /// Where to; it must be there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub folder: std::path::PathBuf,
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
