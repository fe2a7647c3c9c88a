//! Which home a command is about.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::usual;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::usual;

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
    /// The caller is root; on Windows, acts as an administrator.
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
            root: abide_platform::account::is_administrator(),
            directory: std::env::current_dir()
                .map_err(|e| Failure::new(format!("cannot tell the working directory: {e}")))?,
        })
    }
}

impl Home {
    /// `--home`, else `ABIDE_HOME`, else where this system has such things: for the whole machine if the caller is
    /// root, else for this user.
    ///
    /// # Errors
    /// When the variables that would say so are not set.
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
        let directory = absolute(usual(around)?);
        Ok(Self {
            directory: clean(&directory),
            named: false,
        })
    }

    /// What units have written, a folder each.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.directory.join("logs")
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
impl Surroundings {
    /// With these variables set and no others.
    fn with(
        option: Option<&str>,
        root: bool,
        directory: &str,
        set: &'static [(&str, &str)],
    ) -> Self {
        Self {
            option: option.map(PathBuf::from),
            variable: Box::new(move |name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| PathBuf::from(value))
            }),
            root,
            directory: PathBuf::from(directory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
