//! Specs as they are kept: what is equal is there once.
//!
//! A [`Spec`] is 1 KiB and most of it is the same in all units of a file: when to restart, what to keep
//! of the output, which limits. So the parts that are written per file are shared by the units that have
//! them alike, and what is left is what tells units apart: name, command, place. The whole is put
//! together again for whoever needs it: a start, `show`, the journal.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use abide_model::{Command, EnvironmentSpec, Launch, LogSpec, Policy, Source, Spec, UnitName};

/// So many different parts are looked through for an equal one: units alike are mostly near each other
/// in a file, and more would make a unit's cost grow with the number of units.
const RECENT: usize = 16;

/// One unit's spec.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptSpec {
    /// Full name.
    pub name: UnitName,
    /// One line for people.
    pub description: Option<Box<str>>,
    /// When to start, restart and stop; without the digest of what it runs, which is 0 here.
    pub policy: Arc<Policy>,
    /// What to keep of its output.
    pub log: Arc<LogSpec>,
    /// The configuration file that it stands in.
    pub file: Arc<Path>,
    /// Its line there.
    pub line: u32,
    digest: u64,
    command: Words,
    environment: Arc<EnvironmentSpec>,
    /// Without command and environment.
    around: Arc<Launch>,
}

impl KeptSpec {
    /// All of it, as it was given.
    #[must_use]
    pub fn whole(&self) -> Spec {
        Spec {
            name: self.name.clone(),
            description: self.description.as_deref().map(str::to_owned),
            policy: Policy {
                launch_digest: self.digest,
                ..Policy::clone(&self.policy)
            },
            launch: self.launch(),
            log: LogSpec::clone(&self.log),
            source: Source {
                file: self.file.to_path_buf(),
                line: self.line,
            },
        }
    }

    /// How to run it.
    #[must_use]
    pub fn launch(&self) -> Launch {
        Launch {
            command: self.command.command(),
            environment: EnvironmentSpec::clone(&self.environment),
            ..Launch::clone(&self.around)
        }
    }

    /// How to run it, but for command and environment, which are empty here.
    #[must_use]
    pub fn around(&self) -> &Launch {
        &self.around
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, spec: &Spec) -> bool {
        // Rare enough that putting it together costs less than a comparison to be kept complete.
        self.whole() == *spec
    }
}

/// What was kept last, to be shared.
#[derive(Debug, Default)]
pub struct Keep {
    policies: Recent<Policy>,
    logs: Recent<LogSpec>,
    environments: Recent<EnvironmentSpec>,
    launches: Recent<Launch>,
    files: VecDeque<Arc<Path>>,
}

impl Keep {
    /// Takes a spec apart, and shares with those before it what is equal.
    pub fn keep(&mut self, spec: Spec) -> KeptSpec {
        let Spec {
            name,
            description,
            mut policy,
            mut launch,
            log,
            source,
        } = spec;
        let digest = std::mem::take(&mut policy.launch_digest);
        let command = std::mem::replace(&mut launch.command, Command::Argv(Vec::new()));
        let environment = std::mem::take(&mut launch.environment);
        KeptSpec {
            name,
            description: description.map(String::into_boxed_str),
            policy: self.policies.share(policy),
            log: self.logs.share(log),
            file: self.file(source.file),
            line: source.line,
            digest,
            command: Words::of(command),
            environment: self.environments.share(environment),
            around: self.launches.share(launch),
        }
    }

    fn file(&mut self, file: PathBuf) -> Arc<Path> {
        if let Some(known) = self.files.iter().find(|known| ***known == *file) {
            return Arc::clone(known);
        }
        let file: Arc<Path> = file.into();
        self.files.truncate(RECENT - 1);
        self.files.push_front(Arc::clone(&file));
        file
    }
}

/// A command in one piece of memory.
#[derive(Clone, PartialEq, Debug)]
enum Words {
    /// A line for the shell.
    Shell(Box<str>),
    /// Each word with a zero behind it.
    Argv(Box<str>),
    /// Words that have a zero in them, which no program can be given.
    Odd(Box<[String]>),
}

impl Words {
    fn of(command: Command) -> Self {
        match command {
            Command::Shell(line) => Self::Shell(line.into()),
            Command::Argv(words) if words.iter().any(|word| word.contains('\0')) => {
                Self::Odd(words.into())
            }
            Command::Argv(words) => {
                let mut all = String::with_capacity(words.iter().map(|word| word.len() + 1).sum());
                for word in &words {
                    all.push_str(word);
                    all.push('\0');
                }
                Self::Argv(all.into())
            }
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Shell(line) => Command::Shell(line.to_string()),
            Self::Argv(all) => {
                Command::Argv(all.split_terminator('\0').map(str::to_owned).collect())
            }
            Self::Odd(words) => Command::Argv(words.to_vec()),
        }
    }
}

/// The last values of one type.
#[derive(Debug)]
struct Recent<T>(VecDeque<Weak<T>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: PartialEq> Recent<T> {
    fn share(&mut self, value: T) -> Arc<T> {
        self.0.retain(|known| known.strong_count() > 0);
        let known = self.0.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.into_iter().find(|known| **known == value) {
            return known;
        }
        let value = Arc::new(value);
        self.0.truncate(RECENT - 1);
        self.0.push_front(Arc::downgrade(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_same_after_it_was_kept() {
        let argv = |words: &[&str]| Command::Argv(words.iter().map(|&w| w.to_owned()).collect());
        for command in [
            argv(&[]),
            argv(&[""]),
            argv(&["", "a", "", ""]),
            argv(&["/bin/echo", "two words", "\u{e4}"]),
            argv(&["a\0b", "c"]),
            Command::Shell("exec a | b".to_owned()),
            Command::Shell(String::new()),
        ] {
            assert_eq!(Words::of(command.clone()).command(), command);
        }
    }
}
