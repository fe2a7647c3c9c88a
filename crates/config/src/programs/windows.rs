use std::fs::Metadata;
use std::path::{Path, PathBuf};

use abide_model::EnvironmentSpec;

use super::Found;

/// What a program's name may end in, and is looked up with when it does not: Windows' own `PATHEXT` as far as
/// abide starts such files.
const EXTENSIONS: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

/// Splits a line into words: at spaces, except in quotes of either kind. A backslash is a backslash, as it
/// stands in every path here; only before a double quote inside double quotes it says that the quote is
/// meant. `None`: a quote is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (Some('"'), '\\') if rest.peek() == Some(&'"') => {
                // The last one of a folder in quotes ("C:\x y\") is the folder's, where the line ends behind it.
                let mut behind = rest.clone();
                behind.next();
                let is_end = behind.clone().next().is_none_or(char::is_whitespace)
                    && !behind.any(|c| c == '"');
                word.get_or_insert_default()
                    .push(if is_end { '\\' } else { '"' });
                if !is_end {
                    rest.next();
                }
            }
            (None, '"' | '\'') => {
                open = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    open.is_none().then_some(words)
}

/// A name with a separator or a drive in it.
pub fn is_path(program: &str) -> bool {
    program.contains(['/', '\\', ':'])
}

/// The unit's own, whichever way it is written; empty: that of its account, which nobody here knows.
pub fn search_path(environment: &EnvironmentSpec) -> &str {
    let mut variables = environment.variables.iter().rev();
    variables
        .find(|(name, _)| name.eq_ignore_ascii_case("PATH"))
        .map_or("", |(_, value)| value)
}

/// The folders of a PATH; `None`: it is not known which.
pub fn folders(path: &str) -> Option<Vec<PathBuf>> {
    let folders = std::env::split_paths(path).filter(|folder| !folder.as_os_str().is_empty());
    (!path.is_empty()).then(|| folders.collect())
}

/// As it is named, if it has an extension; then with each that programs have.
pub fn files(file: &Path) -> Vec<PathBuf> {
    let named = file.extension().map(|_| file.to_owned());
    let extended = EXTENSIONS.map(|extension| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    });
    named.into_iter().chain(extended).collect()
}

/// What a file is.
pub fn look(file: &Path) -> Found {
    match std::fs::metadata(file) {
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => Found::Yes,
        Err(_) => Found::No,
        Ok(data) if data.is_dir() => Found::Directory,
        Ok(_) => Found::Yes,
    }
}

/// Sockets look like files to the standard library here.
pub fn is_socket(_: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_spaces_and_a_backslash_is_one() {
        let words = |line| split(line).expect("all quotes are closed");
        assert_eq!(
            words(r"C:\app\x.exe -d C:\data\"),
            [r"C:\app\x.exe", "-d", r"C:\data\"]
        );
        assert_eq!(
            words(r#""C:\my app\x.exe" 'a b' c"d e"f"#),
            [r"C:\my app\x.exe", "a b", "cd ef"]
        );
        assert_eq!(words(r#"x "say \"hi\"" """#), ["x", "say \"hi\"", ""]);
        assert_eq!(words(r#"x "C:\my data\""#), ["x", r"C:\my data\"]);
        assert_eq!(words("  "), [""; 0]);
        assert_eq!(split("x \"a"), None);
        assert_eq!(split("x 'a"), None);
    }

    #[test]
    fn a_program_is_known_with_and_without_its_extension() {
        let names = |name: &str| -> Vec<String> {
            let files = files(Path::new(name)).into_iter();
            files.map(|file| file.display().to_string()).collect()
        };
        assert_eq!(names("py"), ["py.com", "py.exe", "py.bat", "py.cmd"]);
        assert_eq!(names("py.exe")[0], "py.exe");
        assert_eq!(folders(""), None);
        let two = ["C:\\a", "D:\\b c"].map(PathBuf::from).to_vec();
        assert_eq!(folders(r"C:\a;;D:\b c"), Some(two));
    }
}
