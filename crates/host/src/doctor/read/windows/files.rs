//! Files and folders of Windows.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use abide_platform::{access, machine, registry};

use crate::doctor::definition::Command;
use crate::doctor::scm::access::{Entry, Security};
use crate::doctor::scm::execution::{Found, Node, Place, Thing};
use crate::doctor::scm::image::{Image, executes};

/// What a program's name is looked up with: `PATHEXT`, as far as abide starts such files.
const EXTENSIONS: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

/// As much of a file as its header is in.
const HEAD: u64 = 4096;

/// What lies at a path, and on the way to it.
pub(super) fn thing(path: &Path) -> Thing {
    let found = found(path);
    let mut nodes = way(path);
    // Where links on the way lead, others may be able to write.
    if let Ok(real) = fs::canonicalize(path) {
        let mut all = way(&plain(&real));
        all.retain(|node| !nodes.iter().any(|there| is_same(&there.path, &node.path)));
        all.append(&mut nodes);
        nodes = all;
    }
    Thing {
        found,
        way: nodes,
        path: path.to_owned(),
    }
}

/// A path and the folders above it, from the root on.
fn way(path: &Path) -> Vec<Node> {
    let mut way: Vec<Node> = path
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .enumerate()
        .map(|(above, path)| Node {
            path: path.to_owned(),
            place: Place::of(above, path.parent().is_none()),
            security: security(path),
        })
        .collect();
    way.reverse();
    way
}

/// Without the prefix that lifts the limit of a path's length.
fn plain(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    match (text.strip_prefix(r"\\?\UNC\"), text.strip_prefix(r"\\?\")) {
        (Some(share), _) => PathBuf::from(format!(r"\\{share}")),
        (None, Some(disk)) => PathBuf::from(disk),
        (None, None) => path.to_owned(),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let lower = |path: &Path| path.to_string_lossy().replace('/', r"\").to_lowercase();
    lower(one) == lower(other)
}

/// `None`: it is not there, or this process may not look.
fn security(path: &Path) -> Option<Security> {
    let read = access::Security::of(path).ok()?;
    let entries = read.entries.map(|entries| {
        let entries = entries.into_iter().map(|entry| Entry {
            allows: entry.allows,
            conditional: entry.conditional,
            rights: entry.rights,
            sid: entry.sid,
        });
        entries.collect()
    });
    Some(Security {
        owner: read.owner,
        entries,
    })
}

fn found(path: &Path) -> Found {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Found::Hidden,
        Err(_) => Found::Nothing,
        Ok(meta) if meta.is_dir() => Found::Folder,
        Ok(_) => contents(path),
    }
}

fn contents(path: &Path) -> Found {
    let ending = path.extension().unwrap_or_default();
    if ending.eq_ignore_ascii_case("bat") || ending.eq_ignore_ascii_case("cmd") {
        return Found::Batch;
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() {
        // Whoever executes it may.
        return Found::Hidden;
    }
    match (Image::of(&head), machine::processor()) {
        (Image::Program(Some(theirs)), Ok(ours)) if !executes(ours, theirs) => Found::Foreign,
        (Image::Program(_), _) => Found::Program,
        (Image::Library, _) => Found::Library,
        (Image::Other, _) => Found::Other,
    }
}

/// What a unit's program is, as it is looked up; a path is one even where nothing is. `None`: nothing was found.
pub(super) fn resolved(name: &str, command: &Command) -> Option<PathBuf> {
    if name.contains(['/', '\\', ':']) {
        let path = command
            .directory
            .as_deref()
            .unwrap_or(Path::new(""))
            .join(name);
        return Some(with_ending(&path).unwrap_or(path));
    }
    let of_the_machine;
    let folders = if command.path.is_empty() {
        of_the_machine = machine_path();
        &of_the_machine
    } else {
        &command.path
    };
    folders
        .iter()
        .find_map(|folder| with_ending(&folder.join(name)))
}

/// The file as it is named, if it has an ending, or with one that programs have.
fn with_ending(path: &Path) -> Option<PathBuf> {
    let named = path.extension().map(|_| path.to_owned());
    let ended = EXTENSIONS.map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    named.into_iter().chain(ended).find(|file| file.is_file())
}

/// The folders that services look for programs in, but for those of their account.
fn machine_path() -> Vec<PathBuf> {
    const KEY: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
    match registry::value(KEY, "Path") {
        Ok(Some(registry::Value::Text(text) | registry::Value::Expanded(text))) => {
            std::env::split_paths(&expanded(&text)).collect()
        }
        _ => Vec::new(),
    }
}

/// The path up to `.exe`, if it has blanks and no quotes, and is not an argument of the program that the line begins with.
pub(super) fn without_quotes(line: &str, first: &Path) -> Option<PathBuf> {
    let line = line.trim_start();
    if line.starts_with('"') {
        return None;
    }
    let end = line.to_ascii_lowercase().find(".exe")? + ".exe".len();
    let path = line.get(..end)?;
    if !path.contains(' ') {
        return None;
    }
    let meant = PathBuf::from(expanded(path));
    (meant.is_file() || with_ending(first).is_none()).then_some(meant)
}

/// Names of variables replaced, as Windows does in `ImagePath` and `EventMessageFile`.
pub(super) fn expanded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(name) = parts.next() {
        match (std::env::var(name), parts.next()) {
            (Ok(value), Some(rest)) => {
                out.push_str(&value);
                out.push_str(rest);
            }
            (_, rest) => {
                out.push('%');
                out.push_str(name);
                if let Some(rest) = rest {
                    out.push('%');
                    out.push_str(rest);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_with_blanks_is_no_path_without_quotes() {
        let place = tempfile::tempdir().expect("a directory");
        let program = place.path().join("web.exe");
        fs::write(&program, "MZ").expect("written");
        let shown = place.path().join("web").display().to_string();
        let line = format!("{shown} --with other.exe");
        assert_eq!(without_quotes(&line, Path::new(&shown)), None);
        let folder = place.path().join("my shop");
        let line = format!("{} --port 80", folder.join("web.exe").display());
        let first = place.path().join("my");
        assert_eq!(without_quotes(&line, &first), Some(folder.join("web.exe")));
        assert_eq!(without_quotes(r#""C:\a b\c.exe""#, &program), None);
    }

    #[test]
    fn a_thing_is_known_with_every_folder_on_the_way_and_what_it_is() {
        let place = tempfile::tempdir().expect("a directory");
        let place = place.path();
        let own = std::env::current_exe().expect("it is known");
        let it = thing(&own);
        assert_eq!(it.found, Found::Program);
        let last = it.way.last().expect("the program");
        assert_eq!(last.path, own);
        assert!(it.way.iter().all(|node| node.security.is_some()), "{it:?}");
        assert!(it.way[0].path.parent().is_none());
        for (name, text, found) in [
            ("a.txt", "text", Found::Other),
            ("a.CMD", "echo", Found::Batch),
        ] {
            fs::write(place.join(name), text).expect("written");
            assert_eq!(thing(&place.join(name)).found, found);
        }
        assert_eq!(thing(place).found, Found::Folder);
        assert_eq!(thing(&place.join("none")).found, Found::Nothing);
    }
}
