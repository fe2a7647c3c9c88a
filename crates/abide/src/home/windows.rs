use std::path::PathBuf;

use super::Surroundings;
use crate::failure::Failure;

/// `%ProgramData%\abide` for administrators, else `%LOCALAPPDATA%\abide`.
///
/// # Errors
/// When that variable is not set.
pub(super) fn usual(around: &Surroundings) -> Result<PathBuf, Failure> {
    let variable = if around.root {
        "ProgramData"
    } else {
        "LOCALAPPDATA"
    };
    match (around.variable)(variable) {
        Some(folder) => Ok(folder.join("abide")),
        None => Err(Failure::usage(format!(
            "cannot tell where abide's home is: neither {variable} nor ABIDE_HOME is set"
        ))
        .help("name a directory with --home DIR")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    #[test]
    fn the_option_wins_over_the_variable_and_that_over_the_default() {
        const FOLDERS: (&str, &str) = ("ProgramData", r"C:\ProgramData");
        const OWN: (&str, &str) = ("LOCALAPPDATA", r"C:\Users\ada\AppData\Local");
        let home = |option, root, set| {
            Home::resolve(&Surroundings::with(option, root, r"D:\srv", set))
                .map(|home| home.directory)
                .ok()
        };
        let set: &[_] = &[("ABIDE_HOME", r"E:\env"), FOLDERS, OWN];
        assert_eq!(
            home(Some(r".\mine"), false, set),
            Some(PathBuf::from(r"D:\srv\mine"))
        );
        assert_eq!(home(None, true, set), Some(PathBuf::from(r"E:\env")));
        assert_eq!(
            home(None, true, &[FOLDERS, OWN]),
            Some(PathBuf::from(r"C:\ProgramData\abide"))
        );
        assert_eq!(
            home(None, false, &[FOLDERS, OWN]),
            Some(PathBuf::from(r"C:\Users\ada\AppData\Local\abide"))
        );
        assert_eq!(home(None, false, &[FOLDERS]), None);
    }
}
