use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use abide_model::EnvironmentSpec;

use super::empty;
use crate::failure::Failure;

/// The last part of its path.
pub fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Looks the program up as the guarded process will: with a `/` from its directory, else in its PATH.
///
/// # Errors
/// It is not there, or nobody may execute it.
pub fn find(
    program: &str,
    directory: &Path,
    environment: &[(String, String)],
) -> Result<(), Failure> {
    if program.is_empty() {
        return Err(empty());
    }
    if program.contains('/') {
        return executable(&directory.join(program)).map_err(|why| {
            Failure::usage(format!("cannot execute {program}: {why}")).help(format!(
                "it is looked for in {}; --dir names another directory",
                directory.display()
            ))
        });
    }
    let path = environment
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map(|(_, value)| value);
    // Without a PATH the account's base decides; the daemon will say what it finds.
    let Some(path) = path else { return Ok(()) };
    let mut denied = None;
    for entry in path.split(':').filter(|entry| !entry.is_empty()) {
        match executable(&directory.join(entry).join(program)) {
            Ok(()) => return Ok(()),
            Err(why) if why == DENIED => denied = Some(entry),
            Err(_) => {}
        }
    }
    Err(match denied {
        Some(entry) => Failure::usage(format!("cannot execute {entry}/{program}: {DENIED}"))
            .help("`chmod +x` makes it a program"),
        None => Failure::usage(format!("cannot find a program called {program} in PATH"))
            .help("check its spelling, or give its path, as in ./server"),
    })
}

/// The folders that a unit's programs are looked for in.
pub fn folders(environment: &EnvironmentSpec) -> Vec<PathBuf> {
    let path = environment.get("PATH");
    let path = path.unwrap_or(EnvironmentSpec::DEFAULT_PATH).split(':');
    let folders = path.filter(|place| place.starts_with('/'));
    folders.map(PathBuf::from).collect()
}

/// How a line of the shell is executed.
pub fn shell(line: &str) -> Vec<String> {
    ["/bin/sh", "-c", line].map(str::to_owned).into()
}

const DENIED: &str = "it is not executable";

fn executable(path: &Path) -> Result<(), &'static str> {
    match std::fs::metadata(path) {
        // Another user may see what we cannot.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        Err(_) => Err("no such file"),
        Ok(meta) if meta.is_dir() => Err("it is a directory"),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Err(DENIED),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_where_it_will_be() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("bin")).expect("mkdir");
        let file = dir.path().join("bin/tool");
        std::fs::write(&file, "#!/bin/sh").expect("write");
        let path = [(
            "PATH".to_owned(),
            format!("/nowhere:{}", dir.path().join("bin").display()),
        )];
        let find = |program: &str| find(program, dir.path(), &path).map_err(|error| error.message);
        assert!(find("tool").is_err_and(|why| why.ends_with("it is not executable")));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        assert_eq!(find("tool"), Ok(()));
        assert_eq!(find("./bin/tool"), Ok(()));
        assert_eq!(
            find("nope"),
            Err("cannot find a program called nope in PATH".into())
        );
        assert_eq!(
            find("./nope"),
            Err("cannot execute ./nope: no such file".into())
        );
        assert_eq!(
            find("./bin"),
            Err("cannot execute ./bin: it is a directory".into())
        );
        assert!(find("").is_err());
    }
}
