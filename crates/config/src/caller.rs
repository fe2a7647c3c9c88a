//! What the one who loads a configuration brings along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use abide_model::{LogEncoding, UnitName};

/// What the one who loads a configuration brings along. `Caller::default()` brings nothing.
pub struct Caller {
    /// The variables that `inherit` takes from; [`crate::inherits`] says which are wanted.
    pub environment: BTreeMap<String, String>,
    /// Absolute; relative file arguments are taken from here.
    pub directory: PathBuf,
    /// Units that exist already and come from other files than those being loaded: a dependency may
    /// name them, and nobody may define them again.
    pub known: BTreeSet<UnitName>,
    /// Numbers of instances set by `abide scale`, by full name without instance (`shop:web`);
    /// they win over the file's `instances`.
    pub scale: BTreeMap<String, u32>,
    /// The first port that abide may listen on. By default what this process may: 1 with the right to all
    /// (`CAP_NET_BIND_SERVICE`), else what the system says, else 1024 (ip(7)).
    pub first_port: u16,
    /// Whether [`crate::Resolved::settings`] is wanted: to note where each value came from takes longer than all the
    /// rest, and who only starts programs does not ask. By default it is.
    pub origins: bool,
    /// Who knows which users and groups exist.
    pub accounts: Box<dyn Accounts + Send + Sync>,
    /// Why output in an encoding cannot be read here; `None`: it can. By default all can.
    pub unreadable: fn(LogEncoding) -> Option<String>,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            environment: BTreeMap::new(),
            directory: PathBuf::from("/"),
            known: BTreeSet::new(),
            scale: BTreeMap::new(),
            first_port: first_port(),
            origins: true,
            accounts: Box::new(SystemFiles),
            unreadable: |_| None,
        }
    }
}

/// The first port that this process may listen on. What cannot be read is taken for the usual.
fn first_port() -> u16 {
    /// `CAP_NET_BIND_SERVICE` of capabilities(7).
    const BIND: u64 = 1 << 10;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if capabilities.is_some_and(|all| all & BIND != 0) {
        return 1;
    }
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}

/// Which users and groups exist. A number always does.
pub trait Accounts {
    /// Whether there is a user of this name.
    fn has_user(&self, name: &str) -> bool;
    /// Whether there is a group of this name.
    fn has_group(&self, name: &str) -> bool;
    /// Why no unit can have another account than abide's own, and the way out; `None`: it can.
    fn refused(&self) -> Option<&str> {
        None
    }
}

/// No unit can have another account, for this reason.
#[derive(Clone, Copy, Debug)]
pub struct NoAccounts(pub &'static str);

impl Accounts for NoAccounts {
    fn has_user(&self, _name: &str) -> bool {
        false
    }

    fn has_group(&self, _name: &str) -> bool {
        false
    }

    fn refused(&self) -> Option<&str> {
        Some(self.0)
    }
}

/// The accounts of `/etc/passwd` and `/etc/group`: no directory services.
#[derive(Clone, Copy, Debug)]
pub struct SystemFiles;

impl Accounts for SystemFiles {
    fn has_user(&self, name: &str) -> bool {
        listed("/etc/passwd", name)
    }

    fn has_group(&self, name: &str) -> bool {
        listed("/etc/group", name)
    }
}

/// Whether the first field of some line is `name`. A file that cannot be read lists nobody.
fn listed(file: &str, name: &str) -> bool {
    let text = std::fs::read(file).unwrap_or_default();
    text.split(|b| *b == b'\n')
        .any(|line| line.split(|b| *b == b':').next() == Some(name.as_bytes()))
}
