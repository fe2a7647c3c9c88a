use std::path::{Path, PathBuf};

use abide_model::EnvironmentSpec;

use super::empty;
use crate::failure::Failure;

/// What a program's name is looked up with when it has no extension: `PATHEXT`, as far as abide starts such
/// files.
const EXTENSIONS: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

/// The last part of its path, without the extension that programs have.
pub fn base(program: &str) -> &str {
    let name = program.rsplit(['/', '\\', ':']).next().unwrap_or(program);
    match name.rsplit_once('.') {
        Some((base, extension))
            if EXTENSIONS
                .iter()
                .any(|known| known[1..].eq_ignore_ascii_case(extension)) =>
        {
            base
        }
        _ => name,
    }
}

/// Looks the program up as the guarded process will: with a separator or a drive from its directory, else
/// in its PATH.
///
/// # Errors
/// It is not there.
pub fn find(
    program: &str,
    directory: &Path,
    environment: &[(String, String)],
) -> Result<(), Failure> {
    if program.is_empty() {
        return Err(empty());
    }
    if program.contains(['/', '\\', ':']) {
        return is_there(&directory.join(program)).map_err(|why| {
            Failure::usage(format!("cannot execute {program}: {why}")).help(format!(
                "it is looked for in {}; --dir names another directory",
                directory.display()
            ))
        });
    }
    let path = environment
        .iter()
        .rev()
        .find(|(name, _)| name.eq_ignore_ascii_case("PATH"))
        .map(|(_, value)| value);
    // Without a PATH the account's decides; the daemon will say what it finds.
    let Some(path) = path else { return Ok(()) };
    let found = std::env::split_paths(path)
        .filter(|folder| !folder.as_os_str().is_empty())
        .any(|folder| is_there(&directory.join(folder).join(program)).is_ok());
    if found {
        return Ok(());
    }
    Err(
        Failure::usage(format!("cannot find a program called {program} in PATH"))
            .help(r"check its spelling, or give its path, as in .\server.exe"),
    )
}

/// The folders that a unit's programs are looked for in; none: those of its account, which nobody here knows.
pub fn folders(environment: &EnvironmentSpec) -> Vec<PathBuf> {
    let mut variables = environment.variables.iter().rev();
    let path = variables.find(|(name, _)| name.eq_ignore_ascii_case("PATH"));
    let path = path.map_or("", |(_, value)| value.as_str());
    let folders = std::env::split_paths(path);
    folders.filter(|folder| folder.is_absolute()).collect()
}

/// How a line of the shell is executed: by the system's, and not by what a folder of PATH has.
pub fn shell(line: &str) -> Vec<String> {
    let root = std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".to_owned());
    let interpreter = format!(r"{root}\System32\cmd.exe");
    vec![interpreter, "/c".to_owned(), line.to_owned()]
}

/// As it is named, if it has an extension, or with one of those that programs have.
fn is_there(path: &Path) -> Result<(), &'static str> {
    let named = path.extension().map(|_| path.to_owned());
    let extended = EXTENSIONS.map(|extension| {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    });
    if named.into_iter().chain(extended).any(|file| file.is_file()) {
        Ok(())
    } else if path.is_dir() {
        Err("it is a directory")
    } else {
        Err("no such file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_after_its_program_without_its_extension() {
        for (program, name) in [
            (r"C:\my shop\Web.EXE", "Web"),
            ("py", "py"),
            ("./server.v2", "server.v2"),
            ("C:tool.cmd", "tool"),
        ] {
            assert_eq!(base(program), name);
        }
    }

    #[test]
    fn a_program_is_looked_for_where_it_will_be_with_and_without_its_extension() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("my programs");
        std::fs::create_dir(&folder).expect("mkdir");
        std::fs::write(folder.join("tool.exe"), "MZ").expect("write");
        let path = [(
            "Path".to_owned(),
            format!(r"C:\nowhere;{}", folder.display()),
        )];
        let find = |program: &str| find(program, dir.path(), &path).map_err(|error| error.message);
        for name in [
            "tool",
            "tool.exe",
            r"my programs\tool",
            r"my programs\tool.exe",
        ] {
            assert_eq!(find(name), Ok(()), "{name}");
        }
        assert_eq!(
            find("nope"),
            Err("cannot find a program called nope in PATH".into())
        );
        assert_eq!(
            find(r".\nope"),
            Err(r"cannot execute .\nope: no such file".into())
        );
        assert_eq!(
            find(r".\my programs"),
            Err(r"cannot execute .\my programs: it is a directory".into())
        );
        assert!(find("").is_err());
    }
}
