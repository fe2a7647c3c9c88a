use std::path::PathBuf;

use super::Surroundings;
use crate::failure::Failure;

/// `/var/lib/abide` for root, else `$XDG_STATE_HOME/abide` or `~/.local/state/abide` (XDG Base Directory
/// Specification).
///
/// # Errors
/// When a user has neither XDG_STATE_HOME nor HOME.
pub(super) fn usual(around: &Surroundings) -> Result<PathBuf, Failure> {
    if around.root {
        return Ok(PathBuf::from("/var/lib/abide"));
    }
    let state = (around.variable)("XDG_STATE_HOME").filter(|path| path.is_absolute());
    if let Some(state) = state {
        return Ok(state.join("abide"));
    }
    match (around.variable)("HOME") {
        Some(home) => Ok(home.join(".local/state/abide")),
        None => Err(Failure::usage(
            "cannot tell where abide's home is: neither HOME nor ABIDE_HOME is set".to_owned(),
        )
        .help("name a directory with --home DIR")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    #[test]
    fn the_option_wins_over_the_variable_and_that_over_the_default() {
        let set: &[_] = &[("ABIDE_HOME", "/var/env"), ("HOME", "/home/ada")];
        let home = |option, root, set| {
            Home::resolve(&Surroundings::with(option, root, "/srv", set))
                .map(|home| home.directory)
                .ok()
        };
        assert_eq!(
            home(Some("./mine"), false, set),
            Some(PathBuf::from("/srv/mine"))
        );
        assert_eq!(home(None, false, set), Some(PathBuf::from("/var/env")));
        assert_eq!(
            home(None, true, &[("HOME", "/root")]),
            Some(PathBuf::from("/var/lib/abide"))
        );
        assert_eq!(
            home(None, false, &[("HOME", "/home/ada")]),
            Some(PathBuf::from("/home/ada/.local/state/abide"))
        );
        assert_eq!(
            home(
                None,
                false,
                &[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/s")]
            ),
            Some(PathBuf::from("/s/abide"))
        );
        assert_eq!(home(None, false, &[]), None);
    }
}
