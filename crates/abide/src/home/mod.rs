//! Which home a command is about.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The directory of one daemon's socket, state and logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    /// Absolute.
    pub directory: PathBuf,
    /// It was named by `--home`, so hints name it too.
    pub named: bool,
}

/// Looks a variable up.
type Variables = Box<dyn Fn(&str) -> Option<PathBuf>>;

/// What decides which home is meant.
pub struct Surroundings {
    /// `--home`.
    pub option: Option<PathBuf>,
    /// Of these variables, the ones that are set and not empty.
    pub variable: Variables,
    /// The caller is root.
    pub root: bool,
    /// The working directory.
    pub directory: PathBuf,
}

impl Surroundings {
    /// Of this process.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn of_this_process(option: Option<PathBuf>) -> Result<Self, Failure> {
        Ok(Self {
            option,
            variable: Box::new(|name| {
                std::env::var_os(name)
                    .filter(|value| !value.is_empty())
                    .map(PathBuf::from)
            }),
            root: rustix::process::geteuid().is_root(),
            directory: std::env::current_dir()
                .map_err(|e| Failure::new(format!("cannot tell the working directory: {e}")))?,
        })
    }
}

impl Home {
    /// `--home`, else `ABIDE_HOME`, else `/var/lib/abide` for root, else `$XDG_STATE_HOME/abide` or
    /// `~/.local/state/abide` (XDG Base Directory Specification).
    ///
    /// # Errors
    /// When a user has neither XDG_STATE_HOME nor HOME.
    pub fn resolve(around: &Surroundings) -> Result<Self, Failure> {
        let absolute = |path: PathBuf| around.directory.join(path);
        if let Some(option) = &around.option {
            if option.as_os_str().is_empty() {
                return Err(Failure::usage("--home needs a directory".to_owned()));
            }
            return Ok(Self {
                directory: clean(&absolute(option.clone())),
                named: true,
            });
        }
        if let Some(path) = (around.variable)("ABIDE_HOME") {
            return Ok(Self {
                directory: clean(&absolute(path)),
                named: false,
            });
        }
        let directory = if around.root {
            PathBuf::from("/var/lib/abide")
        } else if let Some(state) = (around.variable)("XDG_STATE_HOME").filter(|p| p.is_absolute())
        {
            state.join("abide")
        } else if let Some(home) = (around.variable)("HOME") {
            absolute(home).join(".local/state/abide")
        } else {
            return Err(Failure::usage(
                "cannot tell where abide's home is: neither HOME nor ABIDE_HOME is set".to_owned(),
            )
            .help("name a directory with --home DIR"));
        };
        Ok(Self {
            directory: clean(&directory),
            named: false,
        })
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join("abide.sock")
    }

    /// A command for a hint, with `--home` if it was given.
    #[must_use]
    pub fn hint(&self, command: &str) -> String {
        if self.named {
            format!("abide --home {} {command}", self.directory.display())
        } else {
            format!("abide {command}")
        }
    }
}

/// Without `.` and double slashes; `..` stays, because of symbolic links.
fn clean(path: &Path) -> PathBuf {
    path.components()
        .filter(|c| !matches!(c, std::path::Component::CurDir))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(option: Option<&str>, root: bool, set: &'static [(&str, &str)]) -> Surroundings {
        Surroundings {
            option: option.map(PathBuf::from),
            variable: Box::new(move |name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| PathBuf::from(value))
            }),
            root,
            directory: PathBuf::from("/srv"),
        }
    }

    #[test]
    fn the_option_wins_over_the_variable_and_that_over_the_default() {
        let set: &[_] = &[("ABIDE_HOME", "/var/env"), ("HOME", "/home/ada")];
        let home = |option, root, set| {
            Home::resolve(&around(option, root, set))
                .map(|home| home.directory)
                .ok()
        };
        assert_eq!(
            home(Some("./mine"), false, set),
            Some(PathBuf::from("/srv/mine"))
        );
        assert_eq!(home(None, false, set), Some(PathBuf::from("/var/env")));
        assert_eq!(
            home(None, true, &[("HOME", "/root")]),
            Some(PathBuf::from("/var/lib/abide"))
        );
        assert_eq!(
            home(None, false, &[("HOME", "/home/ada")]),
            Some(PathBuf::from("/home/ada/.local/state/abide"))
        );
        assert_eq!(
            home(
                None,
                false,
                &[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/s")]
            ),
            Some(PathBuf::from("/s/abide"))
        );
        assert_eq!(home(None, false, &[]), None);
    }

    #[test]
    fn a_hint_repeats_the_home_that_was_named() {
        let home = Home {
            directory: "/h".into(),
            named: true,
        };
        assert_eq!(home.hint("up"), "abide --home /h up");
        let home = Home {
            directory: "/h".into(),
            named: false,
        };
        assert_eq!(home.hint("up"), "abide up");
    }
}
