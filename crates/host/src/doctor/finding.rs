use std::fmt;
use std::path::PathBuf;

/// What is looked at. In the order in which a start comes past it: registration, rights, path, and then
/// what is around it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Check {
    /// The manager knows the service, and it as it is on the disk.
    Registered,
    /// Unit file, run script or init script say what a manager can carry out.
    Definition,
    /// A path with a blank in it is quoted.
    Quoting,
    /// Something has it come up at boot, or nothing was meant to.
    Boot,
    /// What it needs is there.
    Dependency,
    /// User and group exist.
    Account,
    /// Nobody else may write to what is executed, or to what says what is executed.
    Writable,
    /// The account may execute the program.
    Executable,
    /// The working directory is there, and the account may enter it.
    Directory,
    /// The program is there and one that this machine can execute.
    Program,
    /// Files that are read before it starts are there.
    Environment,
    /// Where its output goes is there.
    Log,
    /// The unit that it hosts is valid.
    Unit,
    /// Its ports are free.
    Ports,
    /// The home is this account's own, and can be written to.
    Home,
    /// There is room on the disk.
    Disk,
    /// The clock is not behind.
    Clock,
    /// Descriptors, of a process and of the machine.
    OpenFiles,
    /// Processes and threads.
    Processes,
    /// Watches of files.
    Inotify,
    /// Memory.
    Memory,
    /// Groups by which limits of whole trees are set.
    ControlGroups,
}

impl Check {
    /// Those of a service.
    pub const OF_SERVICE: [Self; 14] = [
        Self::Registered,
        Self::Definition,
        Self::Quoting,
        Self::Boot,
        Self::Dependency,
        Self::Account,
        Self::Writable,
        Self::Executable,
        Self::Directory,
        Self::Program,
        Self::Environment,
        Self::Log,
        Self::Unit,
        Self::Ports,
    ];

    /// Those of a home and of the machine.
    pub const OF_MACHINE: [Self; 8] = [
        Self::Home,
        Self::Disk,
        Self::Clock,
        Self::OpenFiles,
        Self::Processes,
        Self::Inotify,
        Self::Memory,
        Self::ControlGroups,
    ];

    /// The word for it; stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Definition => "definition",
            Self::Quoting => "quoting",
            Self::Boot => "boot",
            Self::Dependency => "dependency",
            Self::Account => "account",
            Self::Writable => "writable",
            Self::Executable => "executable",
            Self::Directory => "directory",
            Self::Program => "program",
            Self::Environment => "environment",
            Self::Log => "log",
            Self::Unit => "unit",
            Self::Ports => "ports",
            Self::Home => "home",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::OpenFiles => "open-files",
            Self::Processes => "processes",
            Self::Inotify => "inotify",
            Self::Memory => "memory",
            Self::ControlGroups => "control-groups",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// It keeps the service from running, or lets others take it over.
    Fault,
    /// It will bite some day.
    Warning,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Found by which check.
    pub check: Check,
    /// How much it matters.
    pub level: Level,
    /// The file or folder that it is about, if it is about one.
    pub about: Option<PathBuf>,
    /// What is wrong: a whole sentence without the stop.
    pub what: String,
    /// How to put it right.
    pub fix: String,
}

impl Finding {
    /// It keeps the service from running, or lets others take it over.
    pub(super) fn fault(check: Check, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Fault,
            about: None,
            what: what.into(),
            fix: fix.into(),
        }
    }

    /// It will bite some day.
    pub(super) fn warning(check: Check, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::fault(check, what, fix)
        }
    }

    /// With the file that it is about.
    pub(super) fn about(mut self, path: impl Into<PathBuf>) -> Self {
        self.about = Some(path.into());
        self
    }
}
