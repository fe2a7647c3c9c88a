//! Scripts: `run` of runit, and those in `/etc/init.d` of OpenRC and SysV.
//!
//! A script can do anything. What is read here is what ours say, and what others mostly say in the same way:
//! assignments, and a last line that executes the program. What cannot be told is not judged.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::{Account, Command, Definition, Dependency, Log, usual_path};
use crate::doctor::finding::{Check, Finding};

/// `run` of a service directory, and the folder that its log service writes to.
pub(in crate::doctor) fn runit(run: &Path, text: &str, log: Option<&str>) -> Definition {
    let mut definition = begin(run, text);
    let mut directory = run.parent().map(PathBuf::from);
    let mut last = None;
    for line in lines(text) {
        let Some(words) = words(&line) else { continue };
        match words.first().map(String::as_str) {
            Some("sv") => {
                let mut rest = words.iter().skip_while(|word| *word != "check").skip(1);
                if let Some(name) = rest.next() {
                    definition.dependencies.push(Dependency {
                        name: name.clone(),
                        by: "sv check".to_owned(),
                    });
                }
            }
            Some("cd") => directory = words.get(1).map(PathBuf::from),
            Some("exec") if words.len() > 1 && !words[1].starts_with(['<', '>', '2', '&']) => {
                last = Some(words[1..].to_vec());
            }
            _ => {}
        }
    }
    let Some(words) = last else {
        definition.findings.push(
            Finding::warning(
                Check::Definition,
                format!("{} executes nothing with `exec`, so a stop ends the script and not the program", run.display()),
                "let its last line be `exec PROGRAM`",
            )
            .about(run),
        );
        return definition;
    };
    let (words, account) = without_chpst(words);
    definition
        .commands
        .extend(command("exec", words, account, directory));
    if let Some(text) = log {
        let folder = lines(text)
            .iter()
            .filter_map(|line| words_of_svlogd(line))
            .next_back();
        definition.logs.extend(folder.map(Log::Folder));
    }
    definition
}

/// A script that `openrc-run` reads.
pub(in crate::doctor) fn openrc(file: &Path, text: &str) -> Definition {
    let mut definition = begin(file, text);
    let value = |key| assigned(text, key);
    let account = value("command_user").map_or_else(Account::default, |user| account(&user));
    let mut words: Vec<String> = value("command").into_iter().collect();
    if words.is_empty() && !text.contains("start()") {
        definition.findings.push(
            Finding::fault(
                Check::Definition,
                format!(
                    "{} has neither command= nor start(): there is nothing to execute",
                    file.display()
                ),
                "say there what is to be executed",
            )
            .about(file),
        );
    }
    words.extend(
        value("command_args")
            .and_then(|line| self::words(&line))
            .unwrap_or_default(),
    );
    let directory = value("directory").map(PathBuf::from);
    definition
        .commands
        .extend(command("command=", words, account, directory));
    for key in ["output_log", "error_log"] {
        let log = value(key).filter(|path| path.starts_with('/'));
        let log = log.map(|path| Log::File(PathBuf::from(path)));
        if let Some(log) = log.filter(|log| !definition.logs.contains(log)) {
            definition.logs.push(log);
        }
    }
    for line in lines(text) {
        let needs = line.trim().strip_prefix("need ").map(str::to_owned);
        let names = needs.iter().flat_map(|names| names.split_whitespace());
        // A facility, such as a network, has many providers.
        let names = names.filter(|name| !["net", "localmount", "logger", "dns"].contains(name));
        definition.dependencies.extend(names.map(|name| Dependency {
            name: name.to_owned(),
            by: "need".to_owned(),
        }));
    }
    definition
}

/// A script with an LSB header.
pub(in crate::doctor) fn sysv(file: &Path, text: &str) -> Definition {
    let mut definition = begin(file, text);
    let header = |key: &str| {
        text.lines()
            .skip_while(|line| !line.starts_with("### BEGIN INIT INFO"))
            .take_while(|line| !line.starts_with("### END INIT INFO"))
            .find_map(|line| {
                line.strip_prefix("# ")?
                    .strip_prefix(key)?
                    .strip_prefix(':')
            })
            .map(str::trim)
    };
    let mut fault = |check, what: String, fix: &str| {
        definition
            .findings
            .push(Finding::fault(check, what, fix).about(file));
    };
    if !text.contains("### BEGIN INIT INFO") {
        fault(
            Check::Definition,
            format!(
                "{} has no LSB header, so nothing knows when to start it",
                file.display()
            ),
            "give it one (`### BEGIN INIT INFO`, see insserv(8)), or install the service again",
        );
    } else if header("Default-Start").is_none() {
        fault(
            Check::Boot,
            format!(
                "{} has no Default-Start in its header, so nothing starts it at boot",
                file.display()
            ),
            "add `# Default-Start: 2 3 4 5`, then `update-rc.d NAME defaults`",
        );
    }
    let needs = header("Required-Start").unwrap_or_default();
    let names = needs
        .split_whitespace()
        .filter(|name| !name.starts_with('$'));
    definition.dependencies.extend(names.map(|name| Dependency {
        name: name.to_owned(),
        by: "Required-Start".to_owned(),
    }));
    let program = assigned(text, "PROGRAM").or_else(|| assigned(text, "DAEMON"));
    let account = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("--reuid="))
        .map_or_else(Account::default, account);
    let directory = lines(text).iter().find_map(|line| {
        let words = words(line)?;
        (words.first()? == "cd").then(|| words.get(1).map(PathBuf::from))?
    });
    let words = program.into_iter().collect();
    definition
        .commands
        .extend(command("PROGRAM=", words, account, directory));
    let log = assigned(text, "LOG").filter(|path| path.starts_with('/'));
    definition
        .logs
        .extend(log.map(|path| Log::File(PathBuf::from(path))));
    definition
}

/// What every script has to begin with.
fn begin(file: &Path, text: &str) -> Definition {
    let mut definition = Definition {
        files: vec![file.to_owned()],
        ..Definition::default()
    };
    // It is executed itself, by its manager.
    definition.commands.push(Command {
        by: "the manager".to_owned(),
        words: vec![file.to_string_lossy().into_owned()],
        ..Command::default()
    });
    if text.contains('\r') {
        definition.findings.push(
            Finding::fault(
                Check::Definition,
                format!("{} has the line ends of Windows", file.display()),
                format!("`sed -i 's/\\r$//' {}` takes them away", file.display()),
            )
            .about(file),
        );
    }
    definition
}

/// A command line whose program can be told.
fn command(
    by: &str,
    words: Vec<String>,
    account: Account,
    directory: Option<PathBuf>,
) -> Option<Command> {
    let known = words.first().is_some_and(|word| !word.contains(['$', '`']));
    known.then(|| Command {
        by: by.to_owned(),
        words,
        account,
        directory: directory.filter(|path| is_absolute(path)),
        path: usual_path(),
    })
}

/// Lines without comments, those that go on put together.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if open && let Some(last) = lines.last_mut() {
            last.push('\n');
            last.push_str(line);
        } else if !line.trim_start().starts_with('#') {
            lines.push(line.trim_start().to_owned());
        } else {
            continue;
        }
        // A quote that has not ended, or a backslash at the end.
        open = lines
            .last()
            .is_some_and(|last| last.ends_with('\\') || shlex::split(last).is_none());
    }
    lines
}

/// The words of a line up to what is no word of the command any more.
fn words(line: &str) -> Option<Vec<String>> {
    let words = shlex::split(line)?;
    let end = words
        .iter()
        .position(|word| ["||", "&&", ";", "|", "&"].contains(&word.as_str()));
    Some(words[..end.unwrap_or(words.len())].to_vec())
}

/// What a variable is set to, if that is a plain word.
fn assigned(text: &str, key: &str) -> Option<String> {
    lines(text).iter().rev().find_map(|line| {
        let value = line.strip_prefix(key)?.strip_prefix('=')?;
        shlex::split(value)?.into_iter().next()
    })
}

/// `user:group`, or `user`.
fn account(text: &str) -> Account {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group.to_owned())),
        None => (text, None),
    };
    Account {
        user: Some(user.trim_start_matches(':').to_owned()).filter(|user| !user.is_empty()),
        group,
        dynamic: false,
    }
}

/// The program that `chpst` executes, and as whom (chpst(8)).
fn without_chpst(words: Vec<String>) -> (Vec<String>, Account) {
    let mut as_whom = Account::default();
    let is_chpst = words
        .first()
        .is_some_and(|word| word.rsplit('/').next() == Some("chpst"));
    if !is_chpst {
        return (words, as_whom);
    }
    let mut rest = words.into_iter().skip(1).peekable();
    while let Some(option) = rest.next_if(|word| word.starts_with('-')) {
        match option.as_str() {
            "-u" => {
                as_whom = rest
                    .next()
                    .map_or_else(Account::default, |user| account(&user))
            }
            // Those that take a value.
            "-U" | "-b" | "-e" | "-/" | "-n" | "-l" | "-L" | "-m" | "-d" | "-o" | "-p" | "-f"
            | "-c" | "-t" | "-C" => {
                rest.next();
            }
            _ => {}
        }
    }
    (rest.collect(), as_whom)
}

/// The folder of `svlogd [OPTIONS] FOLDER`.
fn words_of_svlogd(line: &str) -> Option<PathBuf> {
    let words = words(line)?;
    let at = words.iter().position(|word| word.ends_with("svlogd"))?;
    let folder = words[at + 1..]
        .iter()
        .rfind(|word| !word.starts_with('-'))?;
    Some(PathBuf::from(folder)).filter(|path| is_absolute(path))
}

/// By the rules of Unix, whichever system reads it.
fn is_absolute(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"/")
}
