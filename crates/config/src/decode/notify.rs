//! The notify socket: whose messages are taken, who wants one, and the store of descriptors behind it.

use abide_model::NotifyAccess;

use super::Reader;
use crate::values::{Int, Wrong};

/// Reads `main`, `exec` or `all`.
pub(super) fn whose(reader: &Reader<'_>, name: &str) -> Option<NotifyAccess> {
    reader.get(name)
}

/// What a unit says about its notify socket.
#[derive(Clone, Copy)]
pub(super) struct Notify {
    /// Whose messages are taken; `None`: it gets no socket.
    pub access: Option<NotifyAccess>,
    /// Something but its heartbeat wants the socket. Units with a heartbeat were there before the socket
    /// was: for them alone it must not mean a new process.
    pub asked_for: bool,
    /// How many descriptors it may leave with abide.
    pub fd_store: u32,
}

/// Reads `notify` and `fd_store`. `ready`: readiness is told on the socket, and by whom if that is said;
/// `confirms`: a reload is; `beats`: it owes heartbeats.
pub(super) fn notify(
    reader: &Reader<'_>,
    ready: Option<Option<NotifyAccess>>,
    confirms: bool,
    beats: bool,
) -> Notify {
    let written = reader.get::<NotifyAccess>("notify");
    let fd_store = reader.get_or::<Int<0, 128>>("fd_store", Int(0)).0;
    let fd_store = u32::try_from(fd_store).unwrap_or_default();
    if let (Some(whole), Some(Some(there)), Some(field)) = (written, ready, reader.field("notify"))
        && whole != there
    {
        let wrong = Wrong::new("`ready.notify` says something else")
            .help("write `ready = { notify = true }` beside it: one of the two is enough");
        reader.wrong(&field, wrong);
    }
    let asked_for = reader.field("notify").is_some() || ready.is_some() || confirms || fd_store > 0;
    let standard = (asked_for || beats).then_some(NotifyAccess::Main);
    Notify {
        access: written.or(ready.flatten()).or(standard),
        asked_for,
        fd_store,
    }
}
