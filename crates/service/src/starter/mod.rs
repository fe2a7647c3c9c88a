//! Who started this process: a person, or something that keeps services.

use std::fmt;
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(windows)]
use windows as os;

/// Who started this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Starter {
    /// A person at a terminal, a script, a container: somebody who reads what it writes.
    Person,
    /// systemd, of the machine or of a user.
    Systemd,
    /// abide.
    Abide,
    /// Another supervisor that keeps its children's output: runit, s6, supervisord, launchd.
    Supervisor,
    /// An init script, of OpenRC or SysV: nobody reads what it writes.
    Init,
    /// The service control manager of Windows.
    Scm,
}

impl fmt::Display for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "a person",
            Self::Systemd => "systemd",
            Self::Abide => "abide",
            Self::Supervisor => "a supervisor",
            Self::Init => "init",
            Self::Scm => "the service control manager",
        })
    }
}

/// Who started this process. Looked up once; costs a few small files of `/proc`.
///
/// On Linux the first of these that holds:
///
/// 1. systemd says so: `SYSTEMD_EXEC_PID` is this process (since 248), or there are `NOTIFY_SOCKET` or `JOURNAL_STREAM`
///    with `INVOCATION_ID`, the journal reads its stderr, and it is the manager's child;
/// 2. `ABIDE_UNIT` is set, and neither stdin nor stderr is a terminal: abide;
/// 3. stdin, stdout or stderr is a terminal: a person;
/// 4. its parent is a supervisor by name (`runsv`, `s6-supervise`, `supervise`, `supervisord`, …);
/// 5. its parent is process 1 or `supervise-daemon`, and this is no container: an init script;
/// 6. else a person: in a pipe, in a script, in a container.
///
/// On Windows: its parent is the Service Control Manager; else `ABIDE_UNIT` is set: abide; else a person. (A process that
/// has that parent and was not started as a service finds out when it [runs](crate::Service::run), and runs in the foreground.)
#[must_use]
pub fn starter() -> Starter {
    static FOUND: OnceLock<Starter> = OnceLock::new();
    *FOUND.get_or_init(os::find)
}

/// Whether somebody who reads its output started this program, and no service manager did: see [`starter`].
#[must_use]
pub fn interactive() -> bool {
    starter() == Starter::Person
}
