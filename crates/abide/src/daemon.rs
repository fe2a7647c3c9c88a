//! The process that its keeper starts as the daemon: recognised by its arguments, before clap sees them.
//!
//! ```text
//! abide --be-the-daemon HOME background|foreground[,managed][,hosting=UNIT][,notify=ADDRESS] [FILE]...
//! ```

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use abide_daemon::Options;
use abide_daemon::upgrade::check;
use abide_model::UnitName;

/// The first argument of a process that is to be the daemon. Never typed by people.
const MARK: &str = "--be-the-daemon";

/// Begins the word that names the unit that is hosted.
const HOSTING: &str = "hosting=";

/// Begins the word that says where whoever started it listens.
const NOTIFY: &str = "notify=";

/// Says that somebody starts abide again when it ends.
const MANAGED: &str = "managed";

/// The build of this executable, where that was known when it was built.
const BUILD: Option<&str> = option_env!("ABIDE_BUILD_NAME");

/// If this process was asked what it is, before it is to take over from a daemon: answers, and returns the
/// code to exit with.
fn answer_check() -> Option<i32> {
    let home = check::asked(std::env::args_os().skip(1))?;
    let answer = check::Answer::here(&home, BUILD);
    let said = serde_json::to_string(&answer)
        .map_err(std::io::Error::from)
        .and_then(|line| writeln!(std::io::stdout(), "{line}"));
    Some(i32::from(said.is_err()))
}

/// How a daemon is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// The home, absolute.
    pub home: PathBuf,
    /// Its messages go to the standard error that the person or service manager gave it, not to the
    /// home's `daemon.log`.
    pub foreground: bool,
    /// Whoever started it starts it again when it ends.
    pub managed: bool,
    /// Where whoever started it listens, if no variable says so. No comma is in it.
    pub notify: Option<String>,
    /// The only unit of the files that it is there for: in the foreground, for a service manager.
    pub hosted: Option<UnitName>,
    /// Configuration files to load at its start, absolute.
    pub files: Vec<PathBuf>,
}

impl Role {
    /// As arguments for [`Role::read`].
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut place = if self.foreground {
            "foreground".to_owned()
        } else {
            "background".to_owned()
        };
        if self.managed {
            place.push(',');
            place.push_str(MANAGED);
        }
        if let Some(unit) = &self.hosted {
            place.push_str(&format!(",{HOSTING}{unit}"));
        }
        if let Some(address) = &self.notify {
            place.push_str(&format!(",{NOTIFY}{address}"));
        }
        let mut arguments = vec![MARK.into(), self.home.clone().into(), place.into()];
        arguments.extend(self.files.iter().map(|file| file.clone().into()));
        arguments
    }

    /// The role that these arguments (without the program's name) give; `None`: they are somebody's
    /// command line.
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        if arguments.next()? != MARK {
            return None;
        }
        let home = arguments.next()?.into();
        let place = arguments.next()?;
        let words: Vec<&str> = place.to_str()?.split(',').collect();
        let hosted = words
            .iter()
            .find_map(|word| word.strip_prefix(HOSTING)?.parse().ok());
        let notify = words.iter().find_map(|word| word.strip_prefix(NOTIFY));
        Some(Self {
            home,
            notify: notify.map(str::to_owned),
            foreground: words.contains(&"foreground"),
            managed: words.contains(&MANAGED),
            hosted,
            files: arguments.map(PathBuf::from).collect(),
        })
    }
}

/// If this process was started as one of abide's own: be it, and return the code to exit with.
#[must_use]
pub fn enter() -> Option<i32> {
    abide_platform::stop::enter()
        .or_else(abide_platform::keeper::enter)
        .or_else(answer_check)
        .or_else(serve)
}

fn serve() -> Option<i32> {
    let role = Role::read(std::env::args_os().skip(1))?;
    let arguments = role.arguments();
    Some(abide_daemon::serve(&Options {
        home: role.home,
        files: role.files,
        hosted: role.hosted,
        managed: role.managed,
        notify: role.notify,
        arguments,
        build: BUILD.map(Into::into),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_the_command_line() {
        for files in [
            vec![],
            vec![PathBuf::from("/a b.toml"), PathBuf::from("/c")],
        ] {
            for hosted in [None, Some("shop:web".parse().expect("a name"))] {
                let role = Role {
                    home: "/h".into(),
                    foreground: files.is_empty(),
                    managed: hosted.is_none(),
                    notify: hosted.as_ref().map(|_| r"\\.\pipe\x-1".to_owned()),
                    hosted,
                    files: files.clone(),
                };
                assert_eq!(Role::read(role.arguments().into_iter()), Some(role));
            }
        }
        assert_eq!(Role::read(["status".into()].into_iter()), None);
        assert_eq!(Role::read(std::iter::empty()), None);
    }
}
