use std::path::PathBuf;

use abide_host::Scope;

/// Where services of this scope are noted, and where their homes are; `None`: Windows has no services of users.
pub(super) fn places(scope: Scope) -> Option<(PathBuf, PathBuf)> {
    if scope == Scope::User {
        return None;
    }
    let data = std::env::var_os("ProgramData").map(PathBuf::from);
    let data = data.filter(|path| path.is_absolute())?.join("abide");
    Some((data.join("services"), data.join("hosted")))
}
