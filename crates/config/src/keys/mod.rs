//! The one table of all keys. What is not in it is an error; the reference in
//! `docs/configuration.md` is made from it.
//!
//! To add a key: add its row in `table.rs`, read it in `decode/`, and rewrite the reference with
//! `ABIDE_WRITE_DOCS=1 cargo test -p abide-config --test reference`. A test reads every example.

mod check;
mod foreign;
mod reference;
mod table;

pub(crate) use check::{check_table, nearest};
pub use reference::reference;
pub use table::ALL;

/// A table of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// The file itself.
    File,
    /// `[daemon]`.
    Daemon,
    /// `[daemon]`, a table of `listen`.
    Listen,
    /// `[service.NAME]` and `[defaults]`.
    Unit,
    /// `backoff`.
    Backoff,
    /// `give_up`.
    GiveUp,
    /// `stop`.
    Stop,
    /// One of `stop.steps`.
    StopStep,
    /// `reload`.
    Reload,
    /// `ready`.
    Ready,
    /// `heartbeat`.
    Heartbeat,
    /// `limits`.
    Limits,
    /// `log`.
    Log,
    /// `health`.
    Health,
    /// `socket`.
    Socket,
    /// `socket`, a table of `listen`.
    SocketListen,
    /// `before_start` and the other hooks, when they are tables.
    Hook,
    /// `[report]`.
    Report,
    /// `[monitor]`.
    Monitor,
    /// `system_log`, when it is a table.
    SystemLog,
}

impl Table {
    /// How the table is called in a message.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "a configuration file",
            Self::Daemon => "[daemon]",
            Self::Listen => "a table of `listen`",
            Self::Unit => "a unit",
            Self::Backoff => "`backoff`",
            Self::GiveUp => "`give_up`",
            Self::Stop => "`stop`",
            Self::StopStep => "a step of `stop`",
            Self::Reload => "`reload`",
            Self::Ready => "`ready`",
            Self::Heartbeat => "`heartbeat`",
            Self::Limits => "`limits`",
            Self::Log => "`log`",
            Self::Health => "`health`",
            Self::Socket => "`socket`",
            Self::SocketListen => "a table of `socket.listen`",
            Self::Hook => "a hook",
            Self::Report => "[report]",
            Self::Monitor => "[monitor]",
            Self::SystemLog => "`system_log`",
        }
    }
}

/// One key of one table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands.
    pub table: Table,
    /// Its name.
    pub name: &'static str,
    /// What values it takes, in words.
    pub kind: &'static str,
    /// What holds when it is absent, as one would write it; empty: nothing.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// A value, as one would write it; empty where there is none to show.
    pub example: &'static str,
    /// What is inside.
    pub inside: Inside,
}

/// What is inside a key's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inside {
    /// No keys of ours.
    Value,
    /// A table (or an array of tables) with these keys.
    Keys(Table),
    /// Tables by name, each with these keys.
    Named(Table),
    /// Reserved: refused, for this reason.
    NotYet(&'static str),
}

/// The keys of one table, in the order of the reference.
pub fn of(table: Table) -> impl Iterator<Item = &'static Key> {
    ALL.iter().filter(move |key| key.table == table)
}

/// The row of a key.
#[must_use]
pub fn find(table: Table, name: &str) -> Option<&'static Key> {
    of(table).find(|key| key.name == name)
}
