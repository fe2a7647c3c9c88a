//! What a service's definition says, whichever manager reads it.

pub(super) mod launchd;
pub(super) mod script;
pub(super) mod systemd;

use std::path::PathBuf;

use super::facts::Questions;
use super::finding::Finding;
use crate::Scope;

/// What will be done when the service is started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Definition {
    /// The files that say so: who may write to them decides what runs.
    pub files: Vec<PathBuf>,
    /// What is executed, in order.
    pub commands: Vec<Command>,
    /// Files that must be there before it starts.
    pub reads: Vec<PathBuf>,
    /// Where its output goes.
    pub logs: Vec<Log>,
    /// Other services that must be there.
    pub dependencies: Vec<Dependency>,
    /// It is launchd's, and whose: launchd takes no files that others may write to.
    pub launchd: Option<Scope>,
    /// What is wrong with the text itself.
    pub findings: Vec<Finding>,
}

/// One command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// What names it, such as `ExecStart=`.
    pub by: String,
    /// Program and arguments.
    pub words: Vec<String>,
    /// Who executes it.
    pub account: Account,
    /// Where; `None`: wherever its manager is.
    pub directory: Option<PathBuf>,
    /// Where a program without a slash is looked for, in order.
    pub path: Vec<PathBuf>,
}

/// An account, as a definition names it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// Name or number; `None`: that of the manager.
    pub user: Option<String>,
    /// Name or number; `None`: the user's own.
    pub group: Option<String>,
    /// It is made when the service starts, and need not be there before.
    pub dynamic: bool,
}

/// Where output goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Log {
    /// A file that is made if it is not there; its folder must be.
    File(PathBuf),
    /// A folder with files in it.
    Folder(PathBuf),
    /// A socket that somebody must listen on.
    Socket {
        /// Where.
        path: PathBuf,
        /// Who listens there.
        listener: String,
    },
}

/// Another service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Dependency {
    /// As it is named.
    pub name: String,
    /// By what, such as `Requires=`.
    pub by: String,
}

/// Where programs are looked for when nothing else is said (systemd.exec(5), `exec.SearchPath`).
pub(super) fn usual_path() -> Vec<PathBuf> {
    [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    .map(PathBuf::from)
    .to_vec()
}

impl Definition {
    /// All that has to be known to judge it.
    pub(super) fn questions(&self) -> Questions {
        let mut questions = Questions::default();
        questions.paths.extend(self.files.iter().cloned());
        questions.paths.extend(self.reads.iter().cloned());
        for log in &self.logs {
            let (Log::File(path) | Log::Folder(path) | Log::Socket { path, .. }) = log;
            questions.paths.insert(path.clone());
            questions.paths.extend(path.parent().map(PathBuf::from));
        }
        for command in &self.commands {
            command.ask(&mut questions);
        }
        questions
    }
}

impl Command {
    fn ask(&self, questions: &mut Questions) {
        questions.users.extend(self.account.user.clone());
        questions.groups.extend(self.account.group.clone());
        questions.paths.extend(self.directory.clone());
        let programs = self.candidates();
        questions.paths.extend(programs.iter().cloned());
        questions.programs.extend(programs);
        for path in self.unquoted() {
            questions.paths.extend(path.parent().map(PathBuf::from));
            questions.paths.insert(path);
        }
    }

    /// The files that its first word may mean, in the order in which they are tried.
    pub(super) fn candidates(&self) -> Vec<PathBuf> {
        let Some(program) = self.words.first() else {
            return Vec::new();
        };
        if program.starts_with('/') {
            return vec![PathBuf::from(program)];
        }
        if program.contains('/') {
            return self
                .directory
                .iter()
                .map(|directory| directory.join(program))
                .collect();
        }
        self.path.iter().map(|place| place.join(program)).collect()
    }

    /// What the program would be if blanks between words were a part of its path.
    pub(super) fn unquoted(&self) -> Vec<PathBuf> {
        let absolute = self.words.first().is_some_and(|word| word.starts_with('/'));
        if !absolute {
            return Vec::new();
        }
        // Arguments of a program that is there look like this too; longer ones than these are no path.
        (2..=self.words.len().min(5))
            .map(|count| PathBuf::from(self.words[..count].join(" ")))
            .collect()
    }
}
