//! What the one who loads a configuration brings along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use abide_model::{Accounts, LogEncoding, Unfit, UnitName};

use crate::source::quoted;

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

/// The accounts of `/etc/passwd` and `/etc/group`: no directory services. A number always is one.
#[derive(Clone, Copy, Debug)]
pub struct SystemFiles;

impl Accounts for SystemFiles {
    fn user(&self, name: &str) -> Result<(), Unfit> {
        listed(
            "user",
            name,
            "/etc/passwd",
            "create it: `useradd --system NAME`",
        )
    }

    fn group(&self, name: &str) -> Result<(), Unfit> {
        listed(
            "group",
            name,
            "/etc/group",
            "create it: `groupadd --system NAME`; a group of units stands at the top of the file instead",
        )
    }

    fn password(&self, _user: Option<&str>, file: Option<&Path>) -> Result<(), Unfit> {
        match file {
            None => Ok(()),
            Some(_) => Err(Unfit {
                why: "on Linux no unit logs on with a password".to_owned(),
                unknown: false,
                help: Some(
                    "take it out, or write it where it counts on Windows alone: `windows = { password_file = \"…\" }`"
                        .to_owned(),
                ),
            }),
        }
    }
}

/// Whether the first field of some line is `name`. A file that cannot be read lists nobody.
fn listed(what: &str, name: &str, file: &str, help: &str) -> Result<(), Unfit> {
    // The highest number means "no change" to the kernel.
    let number = name.parse::<u32>().is_ok_and(|number| number < u32::MAX);
    let text = std::fs::read(file).unwrap_or_default();
    let listed = !name.is_empty()
        && text
            .split(|b| *b == b'\n')
            .any(|line| line.split(|b| *b == b':').next() == Some(name.as_bytes()));
    if number || listed {
        return Ok(());
    }
    Err(Unfit {
        why: format!("there is no {what} {} on this machine", quoted(name)),
        unknown: true,
        help: Some(help.to_owned()),
    })
}
