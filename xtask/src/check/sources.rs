//! Rules about the text of the sources that the compiler has no word for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command;

/// Where `unsafe` may stand.
const UNSAFE_ALLOWED: &[(&str, &str)] = &[
    (
        "crates/platform/",
        "all calls that the compiler cannot check are behind this crate",
    ),
    (
        "crates/host/",
        "so are those to service managers and system logs, behind this one",
    ),
    (
        "e2e/src/bin/escapee.rs",
        "a hostile program for the tests, not a part of abide",
    ),
];

/// Every Rust file of the repository, relative to its root, with its text.
pub fn rust_files() -> Result<Vec<(PathBuf, String)>, String> {
    let root = command::root();
    let mut files = Vec::new();
    for top in ["bench", "crates", "e2e", "examples", "xtask"] {
        collect(&root, &root.join(top), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<(), String> {
    let failed = |error| format!("cannot read {}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, files)?;
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            files.push((path.strip_prefix(root).unwrap_or(&path).to_owned(), text));
        }
    }
    Ok(())
}

/// Checks all files.
pub fn check() -> Result<(), String> {
    let mut found = Vec::new();
    for (path, text) in rust_files()? {
        unsafe_in_its_place(&path, &text, &mut found);
        systems_in_their_files(&path, &text, &mut found);
        reasons_in_one_list(&path, &text, &mut found);
    }
    lints_inherited(&mut found)?;
    super::verdict(&found)
}

/// The code of a line: without what follows `//`. Good enough for a rule about words.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|w| w == word)
}

fn unsafe_in_its_place(path: &Path, text: &str, found: &mut Vec<String>) {
    let allowed = UNSAFE_ALLOWED
        .iter()
        .any(|(place, _)| path.starts_with(place));
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let code = code(line);
        let quoted = code.contains('"');
        if !allowed && !quoted && (has_word(code, "unsafe") || code.contains("allow(unsafe_code)"))
        {
            found.push(format!(
                "{}:{}: `unsafe` outside crates/platform and crates/host\n  why not: whoever looks for memory errors reads two crates, not all of them; add a safe function there",
                path.display(),
                i + 1
            ));
        }
        let block = !quoted && code.contains("unsafe {") && !code.contains("unsafe fn");
        if allowed && block {
            let reasoned = lines[i.saturating_sub(8)..=i]
                .iter()
                .any(|line| line.contains("SAFETY"));
            if !reasoned {
                found.push(format!(
                    "{}:{}: an unsafe block without `// SAFETY:`\n  why not: the next reader has to find out alone why it is sound",
                    path.display(),
                    i + 1
                ));
            }
        }
    }
}

/// `linux.rs` and `windows.rs` hold one system each; which one is built is the parent's to say.
fn systems_in_their_files(path: &Path, text: &str, found: &mut Vec<String>) {
    // Which overlay of a configuration counts is a question about the system, not a call to it.
    if !path.starts_with("crates") || path.starts_with("crates/config") {
        return;
    }
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let parent = ["mod.rs", "lib.rs", "main.rs"].contains(&name.as_str());
    for (i, line) in text.lines().enumerate() {
        let code = code(line);
        let conditional =
            code.contains("cfg(") || code.contains("cfg!(") || code.contains("cfg_attr(");
        let system = ["target_os", "unix", "windows", "target_family"]
            .iter()
            .any(|word| has_word(code, word));
        if conditional && system && !parent {
            found.push(format!(
                "{}:{}: a system is chosen inside a file\n  why not: one file an OS, same item names in each, `cfg` only in the parent module; nobody can follow code that is two programs at once",
                path.display(),
                i + 1
            ));
        }
    }
}

/// What Windows has not is said with a reason that docs/parity.toml knows.
fn reasons_in_one_list(path: &Path, text: &str, found: &mut Vec<String>) {
    let windows = path.iter().any(|part| {
        let part = part.to_string_lossy();
        part == "windows" || part == "windows.rs"
    });
    if !windows || !path.starts_with("crates/platform/src") {
        return;
    }
    for (i, line) in text.lines().enumerate() {
        if code(line).contains("ErrorKind::Unsupported") {
            found.push(format!(
                "{}:{}: says `Unsupported` by itself\n  why not: the page of what differs on Windows is made from the reasons in crates/platform/src/absent.rs; add it there",
                path.display(),
                i + 1
            ));
        }
    }
}

/// Each member takes the workspace's lints, `unsafe_code = "deny"` among them.
fn lints_inherited(found: &mut Vec<String>) -> Result<(), String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .map_err(|error| format!("cannot read `cargo metadata`: {error}"))?;
    for package in metadata.workspace_packages() {
        let text = fs::read_to_string(&package.manifest_path)
            .map_err(|error| format!("cannot read {}: {error}", package.manifest_path))?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        if !lines
            .windows(2)
            .any(|pair| pair == ["[lints]", "workspace = true"])
        {
            found.push(format!(
                "{}: does not take the workspace's lints\n  add `[lints]` with `workspace = true`, else `unsafe` and banned calls pass unseen",
                package.manifest_path
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        unsafe_in_its_place(Path::new(path), text, &mut found);
        systems_in_their_files(Path::new(path), text, &mut found);
        found
    }

    #[test]
    fn unsafe_outside_the_platform_is_found_with_its_line() {
        let said = found(
            "crates/core/src/lib.rs",
            "fn a() {}\nfn b() { unsafe { c() } }\n",
        );
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("crates/core/src/lib.rs:2:"), "{said:?}");
        assert_eq!(
            found(
                "crates/core/src/lib.rs",
                "// unsafe would be wrong\nlet unsafely = 1;\n"
            ),
            [""; 0]
        );
        assert_eq!(
            found("crates/log/src/lib.rs", "#![allow(unsafe_code)]\n").len(),
            1
        );
    }

    #[test]
    fn an_unsafe_block_of_the_platform_needs_its_reason() {
        let bare = "fn a() {\n    unsafe { b() }\n}\n";
        assert_eq!(found("crates/platform/src/a/linux.rs", bare).len(), 1);
        let reasoned = "fn a() {\n    // SAFETY: b asks for nothing.\n    unsafe { b() }\n}\n";
        assert_eq!(found("crates/platform/src/a/linux.rs", reasoned), [""; 0]);
    }

    #[test]
    fn a_system_is_chosen_in_the_parent_module_only() {
        let choice = "#[cfg(target_os = \"linux\")]\nmod linux;\n";
        assert_eq!(found("crates/platform/src/a/mod.rs", choice), [""; 0]);
        assert_eq!(found("crates/platform/src/a/linux.rs", choice).len(), 1);
        assert_eq!(
            found(
                "crates/platform/src/a/linux.rs",
                "#[cfg(test)]\nmod tests {}\n"
            ),
            [""; 0]
        );
    }
}
