use std::fmt;
use std::str::FromStr;

/// A service manager.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// systemd, of the machine or of a user.
    Systemd,
    /// runit, or a runsvdir that runs under something else.
    Runit,
    /// OpenRC.
    OpenRc,
    /// System V init scripts.
    SysV,
    /// launchd of macOS.
    Launchd,
    /// The Service Control Manager of Windows.
    Scm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Systemd,
        Self::Runit,
        Self::OpenRc,
        Self::SysV,
        Self::Launchd,
        Self::Scm,
    ];

    /// The word for it on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Runit => "runit",
            Self::OpenRc => "openrc",
            Self::SysV => "sysv",
            Self::Launchd => "launchd",
            Self::Scm => "scm",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::as_str).join(", ");
                format!("{text:?} is no service manager; there are {names}")
            })
    }
}

/// Whose services.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Scope {
    /// The machine's; to change them takes root.
    #[default]
    System,
    /// This user's own.
    User,
}
