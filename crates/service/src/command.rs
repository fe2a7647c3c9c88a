//! The subcommands of a program's own `main`: `install`, `uninstall`, `start`, `stop`, `restart`,
//! `status`, `run`.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use crate::context::Context;
use crate::error::{BoxError, RunError};
use crate::manage::{Change, Installed, Kind, ManageError, Managed, Scope, State, WITHIN};
use crate::service::Service;
use crate::starter::interactive;

/// What a command line asks for.
#[derive(Debug)]
enum Asked {
    Run(Vec<OsString>),
    Manage(Action, Options),
    Usage { wrong: bool },
    Wrong(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Install,
    Uninstall,
    Start,
    Stop,
    Restart,
    Status,
}

const ACTIONS: [(&str, Action); 6] = [
    ("install", Action::Install),
    ("uninstall", Action::Uninstall),
    ("start", Action::Start),
    ("stop", Action::Stop),
    ("restart", Action::Restart),
    ("status", Action::Status),
];

#[derive(Debug)]
struct Options {
    scope: Scope,
    manager: Option<Kind>,
    within: Duration,
    dry_run: bool,
    /// Arguments after `--`, for the installed service.
    arguments: Vec<String>,
}

impl Service {
    /// The whole of a program's `main`: does what the command line asks for, else runs `body`.
    ///
    /// | command line | |
    /// |---|---|
    /// | `install [-- ARGUMENTS]` | makes the manager know it; it will be started with `run ARGUMENTS`. `--dry-run` shows what would be written |
    /// | `uninstall`, `start`, `stop`, `restart` | what they say, waiting until it is done |
    /// | `status` | says how it is; ends with 0 if it runs, 3 if not, 4 if it is not installed (LSB) |
    /// | `run [ARGUMENTS]` | runs the body |
    /// | `help`, `--help`, `-h` | says how it is used |
    /// | nothing | runs the body; for a person [`by_hand`](Self::by_hand) decides |
    /// | anything else | belongs to the program: runs the body, which finds it in [`args`](Context::args) |
    ///
    /// `--user` means the user's own manager, `--manager KIND` a certain one, `--timeout SECONDS` how long
    /// to wait (30). Errors go to stderr; the program ends with 0 (done; a clean end), 1 (failed; so did the
    /// body, unless a [`Failure`](crate::Failure) says another code), 2 (wrong usage) or 101 (a panic).
    ///
    /// A program with a command line of its own calls [`run`](Self::run) and [`manage`](Self::manage) instead.
    pub fn main<E: Into<BoxError>>(&self, body: impl FnOnce(Context) -> Result<(), E>) -> ExitCode {
        match self.asked() {
            Asked::Run(arguments) => self.finish(self.run_with(arguments, body)),
            other => self.answer(other),
        }
    }

    /// The same for a body that is a future: see [`run_async`](Self::run_async).
    pub async fn main_async<F, E>(&self, body: impl FnOnce(Context) -> F) -> ExitCode
    where
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        match self.asked() {
            Asked::Run(arguments) => self.finish(self.run_async_with(arguments, body).await),
            other => self.answer(other),
        }
    }

    fn asked(&self) -> Asked {
        let words: Vec<OsString> = std::env::args_os().skip(1).collect();
        ask(words, interactive() && self.asks_for_usage())
    }

    fn finish(&self, outcome: Result<(), RunError>) -> ExitCode {
        let Err(error) = outcome else {
            return ExitCode::SUCCESS;
        };
        // Of others the log has it already.
        if interactive() {
            eprintln!("{}: {error}", self.name());
        }
        ExitCode::from(&error)
    }

    fn answer(&self, asked: Asked) -> ExitCode {
        match asked {
            Asked::Manage(action, options) => match self.perform(action, options) {
                Ok(code) => code,
                Err(error) => {
                    eprintln!("{}: cannot {error}", self.name());
                    ExitCode::FAILURE
                }
            },
            Asked::Wrong(why) => {
                eprintln!("{}: {why}\n\n{}", self.name(), self.usage());
                ExitCode::from(2)
            }
            Asked::Usage { wrong: true } => {
                eprintln!("{}", self.usage());
                ExitCode::from(2)
            }
            // The body is run by whoever has it.
            Asked::Usage { wrong: false } | Asked::Run(_) => {
                println!("{}", self.usage());
                ExitCode::SUCCESS
            }
        }
    }

    fn perform(&self, action: Action, options: Options) -> Result<ExitCode, ManageError> {
        let mut service = self.clone();
        for argument in options.arguments {
            service = service.argument(argument);
        }
        let managed = match options.manager {
            Some(kind) => service.manage_with(kind, options.scope)?,
            None => service.manage(options.scope)?,
        };
        let managed = managed.within(options.within);
        let name = self.name();
        match action {
            Action::Install if options.dry_run => print!("{}", managed.plan()?),
            Action::Install => println!("{}", installed(name, &managed, &managed.install()?)),
            Action::Uninstall => {
                managed.uninstall()?;
                println!("{name} is not a service of {} any more", managed.kind());
            }
            Action::Start => {
                managed.start()?;
                println!("{name} is up");
            }
            Action::Stop => {
                managed.stop()?;
                println!("{name} is down");
            }
            Action::Restart => {
                managed.restart()?;
                println!("{name} is up again");
            }
            Action::Status => return status(name, &managed),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// How the program is used, as [`main`](Self::main) has it.
    #[must_use]
    pub fn usage(&self) -> String {
        let settings = self.settings();
        let about = match (&settings.display_name, &settings.description) {
            (None, None) => String::new(),
            _ => format!("{}\n\n", settings.title()),
        };
        let program = std::env::args_os().next().unwrap_or_default();
        let program = std::path::Path::new(&program)
            .file_name()
            .unwrap_or(OsStr::new(&settings.name))
            .to_string_lossy()
            .into_owned();
        format!(
            "{about}Usage: {program} COMMAND\n\n\
             \x20 run [ARGUMENTS]            run in the foreground\n\
             \x20 install [-- ARGUMENTS]     make it a service of this machine (--dry-run: show what would be written)\n\
             \x20 uninstall                  stop it, and make it none any more\n\
             \x20 start, stop, restart       and wait until that is done\n\
             \x20 status                     how it is; ends with 0 if it runs, 3 if not, 4 if it is not installed\n\n\
             \x20 --user                     of this user's own services\n\
             \x20 --manager KIND             of this manager: {kinds}\n\
             \x20 --timeout SECONDS          how long to wait ({within})",
            kinds = Kind::ALL.map(Kind::as_str).join(", "),
            within = WITHIN.as_secs(),
        )
    }
}

fn installed(name: &str, managed: &Managed, installed: &Installed) -> String {
    let kind = managed.kind();
    let mut text = match &installed.change {
        Change::New => format!("{name} is a service of {kind} now; `start` starts it"),
        Change::None => format!("{name} is a service of {kind} already, just so"),
        Change::Changed(files) => {
            let mut text =
                format!("{name} was changed; one that runs goes on as it is until `restart`");
            for (path, how) in files {
                text = format!("{text}\n{}\n{}", path.display(), how.trim_end());
            }
            text
        }
    };
    for note in &installed.notes {
        text = format!("{text}\nnote: {note}");
    }
    text
}

fn status(name: &str, managed: &Managed) -> Result<ExitCode, ManageError> {
    let status = managed.status()?;
    let mut text = format!("{name} is {}", status.state);
    if let Some(pid) = status.pid {
        text = format!("{text}, process {pid}");
    }
    if let Some(exit) = status.exit {
        text = format!("{text}; its last run ended with {exit}");
    }
    if let Some(detail) = status.detail {
        text = format!("{text} ({detail})");
    }
    println!("{text}");
    // The exit codes of `status` of the Linux Standard Base, core, 22.2.
    Ok(ExitCode::from(match status.state {
        State::Running | State::Starting => 0,
        State::NotInstalled => 4,
        _ => 3,
    }))
}

fn ask(words: Vec<OsString>, usage: bool) -> Asked {
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return if usage {
            Asked::Usage { wrong: true }
        } else {
            Asked::Run(Vec::new())
        };
    };
    let known = first.to_str().unwrap_or_default();
    match known {
        "run" => return Asked::Run(words.collect()),
        "help" | "--help" | "-h" => return Asked::Usage { wrong: false },
        _ => {}
    }
    match ACTIONS.iter().find(|(word, _)| *word == known) {
        Some((_, action)) => match options(*action, words) {
            Ok(options) => Asked::Manage(*action, options),
            Err(why) => Asked::Wrong(why),
        },
        // Its own affair.
        None => Asked::Run(std::iter::once(first).chain(words).collect()),
    }
}

fn options(action: Action, mut words: impl Iterator<Item = OsString>) -> Result<Options, String> {
    let mut options = Options {
        scope: Scope::System,
        manager: None,
        within: WITHIN,
        dry_run: false,
        arguments: Vec::new(),
    };
    while let Some(word) = words.next() {
        let mut value = |of: &str| {
            let value = words.next().and_then(|value| value.into_string().ok());
            value.ok_or_else(|| format!("{of} wants a value"))
        };
        match word.to_str() {
            Some("--user") => options.scope = Scope::User,
            Some("--manager") => options.manager = Some(Kind::from_str(&value("--manager")?)?),
            Some("--timeout") => {
                let seconds = value("--timeout")?;
                options.within = seconds
                    .parse()
                    .ok()
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .ok_or_else(|| format!("{seconds:?} is no number of seconds"))?;
            }
            Some("--dry-run") if action == Action::Install => options.dry_run = true,
            Some("--") if action == Action::Install => {
                for argument in words.by_ref() {
                    options
                        .arguments
                        .push(argument.into_string().map_err(|bad| {
                            format!("{bad:?} is no text; a manager cannot keep it as an argument")
                        })?);
                }
            }
            _ => return Err(format!("{} is not understood here", word.to_string_lossy())),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        ask(line.split_whitespace().map(OsString::from).collect(), false)
    }

    #[test]
    fn what_is_no_subcommand_belongs_to_the_program() {
        for (line, arguments) in [("", ""), ("run", ""), ("run --port 1", "--port 1")] {
            let Asked::Run(found) = asked(line) else {
                panic!("{line}")
            };
            assert_eq!(found.join(OsStr::new(" ")), arguments);
        }
        assert!(matches!(asked("--port 1"), Asked::Run(words) if words.len() == 2));
        assert!(matches!(
            ask(Vec::new(), true),
            Asked::Usage { wrong: true }
        ));
    }

    #[test]
    fn options_are_read_and_what_is_wrong_with_them_is_said() {
        let Asked::Manage(Action::Install, options) =
            asked("install --user --manager systemd --timeout 2.5 --dry-run -- --port 8000")
        else {
            panic!("it is an install")
        };
        assert_eq!(options.scope, Scope::User);
        assert_eq!(options.manager, Some(Kind::Systemd));
        assert_eq!(options.within, Duration::from_millis(2500));
        assert!(options.dry_run);
        assert_eq!(options.arguments, ["--port", "8000"]);
        for (line, why) in [
            ("start --dry-run", "--dry-run is not understood"),
            ("stop --manager upstart", "no service manager"),
            ("stop --manager", "wants a value"),
            ("stop --timeout never", "no number"),
            ("stop now", "now is not understood"),
        ] {
            let Asked::Wrong(said) = asked(line) else {
                panic!("{line}")
            };
            assert!(said.contains(why), "{said}");
        }
    }
}
