use std::path::PathBuf;

use abide_host::Scope;

/// Where services of this scope are noted, and where their homes are; `None`: this user has no HOME.
pub(super) fn places(scope: Scope) -> Option<(PathBuf, PathBuf)> {
    if scope == Scope::System {
        return Some((
            "/etc/abide/services".into(),
            "/var/lib/abide/services".into(),
        ));
    }
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let place = |own: &str, below: &str| {
        variable(own).or_else(|| variable("HOME").map(|home| home.join(below)))
    };
    Some((
        place("XDG_CONFIG_HOME", ".config")?.join("abide/services"),
        place("XDG_STATE_HOME", ".local/state")?.join("abide/services"),
    ))
}

/// None: notes can be read by everybody.
pub(super) fn commands() -> Vec<(String, Vec<String>)> {
    Vec::new()
}
