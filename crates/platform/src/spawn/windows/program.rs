//! Which file a command means, and with which command line it is started.

use std::io;
use std::path::{Path, PathBuf};

use abide_model::Command;

use super::environment::Environment;
use super::{batch, quote};
use crate::spawn::{SpawnError, Step};

/// What Windows takes for a path without a prefix that lifts the limit.
const LONGEST_PATH: usize = 259;

/// The most that CreateProcess takes, with the zero at its end.
const LONGEST_LINE: usize = 32_766;

/// A file and the line that it gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Program {
    /// Absolute.
    pub file: PathBuf,
    pub line: String,
}

/// Finds out what a command means.
pub(super) fn resolve(
    command: &Command,
    directory: &Path,
    environment: &Environment,
) -> Result<Program, SpawnError> {
    let refuse = |text: String| super::refused(Step::Execute, None, text);
    let program = match command {
        Command::Shell(line) => {
            let file = interpreter(environment).map_err(refuse)?;
            let line = batch::shell_line(&file.display().to_string(), line).map_err(refuse)?;
            Program { file, line }
        }
        Command::Argv(words) => {
            let Some((name, arguments)) = words.split_first() else {
                return Err(refuse("execute nothing: the command is empty".to_owned()));
            };
            let file = find(name, directory, environment, &is_file)
                .map_err(|(code, text)| super::refused(Step::Execute, code, text))?;
            let text = file
                .to_str()
                .ok_or_else(|| refuse(format!("execute {}: its name is no text", file.display())))?
                .to_owned();
            if batch::is_command_file(&text) {
                let file = interpreter(environment).map_err(refuse)?;
                let interpreter = file.display().to_string();
                let line = batch::command_line(&interpreter, &text, arguments).map_err(refuse)?;
                Program { file, line }
            } else {
                let line = quote::command_line(&text, arguments).map_err(refuse)?;
                Program { file, line }
            }
        }
    };
    let length = program.line.encode_utf16().count();
    if length > LONGEST_LINE {
        return Err(refuse(format!(
            "execute {}: its command line has {length} characters, and Windows takes {LONGEST_LINE}",
            program.file.display()
        )));
    }
    Ok(program)
}

/// cmd.exe of the system, and not what `ComSpec` or a folder of PATH say.
fn interpreter(environment: &Environment) -> Result<PathBuf, String> {
    let root = environment
        .get("SystemRoot")
        .ok_or("find cmd.exe: the variable SystemRoot is not set")?;
    Ok(Path::new(&root).join("System32").join("cmd.exe"))
}

type Missing = (Option<i32>, String);

/// Whether there is a file, as far as who the thread acts for may know.
fn is_file(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.is_file())
}

/// With a separator or a drive in it a name is a path, relative to the unit's directory; else it is looked
/// up in the unit's own PATH, and nowhere else: not in the current directory, not beside abide. Without an
/// extension it gets those of `PATHEXT`, in their order.
pub(super) fn find(
    name: &str,
    directory: &Path,
    environment: &Environment,
    is_file: &dyn Fn(&Path) -> io::Result<bool>,
) -> Result<PathBuf, Missing> {
    let extensions = environment
        .get("PATHEXT")
        .unwrap_or_else(|| ".COM;.EXE;.BAT;.CMD".to_owned());
    let extensions: Vec<&str> = extensions.split(';').filter(|e| !e.is_empty()).collect();
    let is_path = name.contains(['/', '\\', ':']);
    let folders = if is_path {
        vec![directory.to_owned()]
    } else {
        let path = environment.get("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(|folder| directory.join(folder))
            .collect()
    };
    let mut closed = None;
    for folder in &folders {
        for file in candidates(&folder.join(name), &extensions) {
            match is_file(&file) {
                Ok(true) => return Ok(long(file)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    closed.get_or_insert((error.raw_os_error(), file));
                }
                _ => {}
            }
        }
    }
    if let Some((code, file)) = closed {
        let file = file.display();
        let text = format!(
            "execute {name}: its account may not look at {file}; let it read and execute that"
        );
        return Err((code, text));
    }
    let not_found = io::Error::from_raw_os_error(2);
    let why = crate::exit::errno_text(2);
    let way_out = if is_path {
        format!("relative names are looked up in {}", directory.display())
    } else {
        "it is in no folder of the unit's PATH; write its whole path, or set PATH".to_owned()
    };
    Err((
        not_found.raw_os_error(),
        format!("execute {name}: {why}; {way_out}"),
    ))
}

/// The file as it is named, then with each extension.
fn candidates<'a>(file: &'a Path, extensions: &'a [&str]) -> impl Iterator<Item = PathBuf> + 'a {
    let named = file.extension().is_some().then(|| file.to_owned());
    let extended = extensions.iter().map(move |extension| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    });
    named.into_iter().chain(extended)
}

/// A path as CreateProcess takes it.
fn long(file: PathBuf) -> PathBuf {
    crate::win32::long(file, LONGEST_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.set(name, value).expect("it can be set");
        }
        environment
    }

    #[test]
    fn a_name_is_looked_up_in_the_units_path_with_its_extensions() {
        let place = tempfile::tempdir().expect("a directory");
        let (one, two) = (place.path().join("one ö"), place.path().join("two"));
        for folder in [&one, &two] {
            std::fs::create_dir(folder).expect("made");
        }
        for file in [
            one.join("tool.cmd"),
            two.join("tool.exe"),
            two.join("other"),
        ] {
            std::fs::write(file, "").expect("written");
        }
        let path = format!("{};{}", one.display(), two.display());
        let there = environment(&[("Path", &path), ("PATHEXT", ".EXE;.CMD")]);
        let found = |name: &str| find(name, place.path(), &there, &is_file);
        let is = |name: &str, file: PathBuf| {
            let found = found(name).expect("there");
            assert_eq!(
                found.to_string_lossy().to_lowercase(),
                file.to_string_lossy().to_lowercase()
            );
        };
        is("tool", one.join("tool.cmd"));
        is("tool.exe", two.join("tool.exe"));
        is(r"two\tool", two.join("tool.exe"));
        is("two/tool.exe", two.join("tool.exe"));
        let (code, text) = found("other").expect_err("no extension of a program");
        assert_eq!(code, Some(2));
        assert!(text.contains("in no folder of the unit's PATH"), "{text}");
        let (_, text) = found(r".\none").expect_err("not there");
        assert!(text.contains("looked up in"), "{text}");
    }

    #[test]
    fn a_program_that_its_account_may_not_look_at_is_not_said_to_be_missing() {
        let there = environment(&[("PATH", r"C:\one;C:\two"), ("PATHEXT", ".EXE;.CMD")]);
        let one_is_closed = |file: &Path| match file.starts_with(r"C:\one") {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(file.ends_with("tool.CMD")),
        };
        let found = |name: &str| find(name, Path::new(r"C:\shop"), &there, &one_is_closed);
        assert_eq!(found("tool"), Ok(r"C:\two\tool.CMD".into()));
        let (code, text) = found("other").expect_err("it is nowhere else");
        assert_eq!(code, Some(5));
        assert!(
            text.contains(r"its account may not look at C:\one\other.EXE"),
            "{text}"
        );
    }

    #[test]
    fn a_path_beyond_the_limit_gets_the_prefix_that_lifts_it() {
        let deep = format!(r"C:\{}", r"some folder\".repeat(30));
        let file = PathBuf::from(format!(r"{deep}x.exe"));
        assert_eq!(
            long(file.clone()),
            PathBuf::from(format!(r"\\?\{}", file.display()))
        );
        let share = PathBuf::from(format!(r"\\server\share\{}x.exe", r"f\".repeat(200)));
        let expected = share.display().to_string().replacen(r"\\", r"\\?\UNC\", 1);
        assert_eq!(long(share), PathBuf::from(expected));
        assert_eq!(long(r"C:\x.exe".into()), PathBuf::from(r"C:\x.exe"));
    }

    #[test]
    fn a_line_for_the_shell_goes_to_cmd_of_the_system() {
        let there = environment(&[("SystemRoot", r"C:\windows"), ("ComSpec", r"C:\evil.exe")]);
        let line = Command::Shell("echo a & echo \"b c\"".to_owned());
        let program = resolve(&line, Path::new(r"C:\"), &there).expect("it can be said");
        assert_eq!(program.file, Path::new(r"C:\windows\System32\cmd.exe"));
        let expected = r#""C:\windows\System32\cmd.exe" /d /s /c "echo a & echo "b c"""#;
        assert_eq!(program.line, expected);
    }
}
