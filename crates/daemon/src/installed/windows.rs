use std::path::PathBuf;

use abide_host::{Kind, Manager, Scope};

/// Where services of this scope are noted, and where their homes are; `None`: Windows has no services of users.
pub(super) fn places(scope: Scope) -> Option<(PathBuf, PathBuf)> {
    if scope == Scope::User {
        return None;
    }
    let data = std::env::var_os("ProgramData").map(PathBuf::from);
    let data = data.filter(|path| path.is_absolute())?.join("abide");
    Some((data.join("services"), data.join("hosted")))
}

/// What services of abide's execute, as everybody may know it: notes are for administrators, and a daemon may have another
/// account.
pub(super) fn commands() -> Vec<(String, Vec<String>)> {
    let all = Manager::of(Kind::Scm, Scope::System).and_then(|manager| manager.commands());
    all.unwrap_or_else(|error| {
        tracing::warn!(%error, "services of the operating system that host units cannot be told");
        Vec::new()
    })
}
