//! What is wrong with a service, before anything is written.

#[cfg(all(test, unix))]
mod tests;

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::manager::{Kind, Scope};
use crate::plan::{Call, below};
use crate::{Error, RecoveryKind, Service, disk};

/// The longest name: `.service` and the beginning of a temporary file's name fit beside it (255 bytes).
const LONGEST: usize = 200;

/// How long the system may take to say whether an account exists: it may have to ask a directory server.
const ACCOUNT: Duration = Duration::from_secs(10);

/// A name that this manager can have.
pub(crate) fn name(name: &str, kind: Kind) -> Result<(), Error> {
    let at = kind == Kind::Systemd;
    let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c) || (at && c == '@');
    let first = name.chars().next();
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > LONGEST {
        format!("it is longer than {LONGEST} bytes")
    } else if let Some(bad) = name.chars().find(|c| !known(*c)) {
        format!("{bad:?} cannot be in it; letters, digits, '_', '-' and '.' can")
    } else if !first.is_some_and(|c| c.is_ascii_alphanumeric()) {
        "it does not begin with a letter or a digit".to_owned()
    } else if name.ends_with(".service") || name.ends_with(".sh") {
        "it has an ending; leave that out".to_owned()
    } else if at && (name.starts_with('@') || name.ends_with('@') || name.matches('@').count() > 1)
    {
        "systemd takes it for a template".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Invalid(format!("call a service {name:?}: {why}")))
}

/// Everything about the settings that can be told without a look at the machine.
pub(crate) fn settings(service: &Service, kind: Kind, scope: Scope) -> Result<(), Error> {
    name(&service.name, kind)?;
    let of = format!("install {}", service.name);
    let invalid = |why: String| Err(Error::Invalid(format!("{of}: {why}")));
    for (what, path) in [
        ("its program", Some(&service.program)),
        ("its directory", service.directory.as_ref()),
        ("its log", service.log_file.as_ref()),
    ] {
        let Some(path) = path else { continue };
        let Some(text) = path.to_str() else {
            return invalid(format!(
                "{what} has a name that is no text: {}",
                path.display()
            ));
        };
        if !absolute(path, kind) {
            return invalid(format!(
                "{what}, {text:?}, is not an absolute path; give it from the root on"
            ));
        }
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            return invalid(format!("{what} has {bad:?} in its name"));
        }
    }
    for path in service.sandbox.iter().flat_map(|sandbox| &sandbox.writable) {
        if !absolute(path, kind) || path.to_str().is_none() {
            return invalid(format!("{} is not an absolute path", path.display()));
        }
    }
    for (what, text) in [
        ("display name", &service.display_name),
        ("description", &service.description),
    ] {
        if text
            .as_ref()
            .is_some_and(|text| text.chars().any(char::is_control))
        {
            return invalid(format!("its {what} is more than one line"));
        }
    }
    if let Some(argument) = service.arguments.iter().find(|text| text.contains('\0')) {
        return invalid(format!("the argument {argument:?} has a zero byte in it"));
    }
    for (name, value) in &service.environment {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(word)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return invalid(format!("{name:?} is no name of a variable"));
        }
        if value.contains('\0') {
            return invalid(format!("the variable {name} has a zero byte in it"));
        }
    }
    for (what, account) in [("user", &service.user), ("group", &service.group)] {
        let Some(account) = account else { continue };
        let known = |c: char| {
            c.is_alphanumeric() || "_-.$".contains(c) || (kind == Kind::Scm && "\\@ ".contains(c))
        };
        if account.is_empty() || account.starts_with('-') || !account.chars().all(known) {
            return invalid(format!("{account:?} is no name of a {what}"));
        }
        if scope == Scope::User {
            return invalid(format!(
                "a user's manager cannot run it as {what} {account}; leave that out, or make it a service of the machine"
            ));
        }
    }
    if kind == Kind::Scm {
        scm(service).map_err(|why| Error::Invalid(format!("{of}: {why}")))?;
    }
    for dependency in &service.dependencies {
        let known = |c: char| {
            c.is_ascii_alphanumeric()
                || "_-.@:\\".contains(c)
                || (kind == Kind::Scm && " $()&".contains(c))
        };
        if dependency.is_empty() || !dependency.chars().all(known) {
            return invalid(format!(
                "{dependency:?}, which it depends on, is no name of a service"
            ));
        }
    }
    if let Some(signal) = &service.reload_signal
        && !signal
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "+-".contains(c))
    {
        return invalid(format!(
            "{signal:?} is no signal; write it as in HUP or USR1"
        ));
    }
    Ok(())
}

/// From the root on, as the manager's own system has it: it can be shown on any machine what would be written.
fn absolute(path: &Path, kind: Kind) -> bool {
    let text = path.to_string_lossy();
    if kind != Kind::Scm {
        return text.starts_with('/');
    }
    let drive = text
        .strip_prefix(|c: char| c.is_ascii_alphabetic())
        .is_some_and(|rest| rest.starts_with(":\\") || rest.starts_with(":/"));
    drive || text.starts_with(r"\\")
}

/// What Windows does not take; else it would say so with a number, half-way.
fn scm(service: &Service) -> Result<(), String> {
    let scm = &service.scm;
    if service.group.is_some() {
        return Err("Windows has no groups that a service runs as; leave that out".to_owned());
    }
    if service
        .display_name
        .as_ref()
        .is_some_and(|name| name.chars().count() > 256)
    {
        return Err("its display name is longer than 256 characters".to_owned());
    }
    if let Some(privilege) = scm
        .privileges
        .iter()
        .find(|name| !(name.starts_with("Se") && name.chars().all(char::is_alphanumeric)))
    {
        return Err(format!(
            "{privilege:?} is no privilege; they are called as in SeChangeNotifyPrivilege"
        ));
    }
    if let Some(group) = scm
        .groups
        .iter()
        .find(|name| name.is_empty() || name.starts_with('+') || name.chars().any(char::is_control))
    {
        return Err(format!("{group:?} is no name of a group of services"));
    }
    let Some(recovery) = &scm.recovery else {
        return Ok(());
    };
    let runs = recovery
        .actions
        .iter()
        .any(|action| action.kind == RecoveryKind::Run);
    if runs && recovery.command.is_none() {
        return Err("a command is to be run when it fails, and none is given".to_owned());
    }
    Ok(())
}

/// What the settings name is there, in the system below `root`.
pub(crate) fn machine(service: &Service, kind: Kind, root: &Path) -> Result<(), Error> {
    let invalid = |why: String| Err(Error::Invalid(format!("install {}: {why}", service.name)));
    let program = below(root, &service.program);
    let shown = service.program.display();
    match fs::metadata(&program) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return invalid(format!("its program, {shown}, is not there"));
        }
        Err(e) => return invalid(format!("its program, {shown}, cannot be looked at: {e}")),
        Ok(meta) if meta.is_dir() => {
            return invalid(format!("its program, {shown}, is a directory"));
        }
        Ok(meta) if !disk::executable(&meta) => {
            return invalid(format!(
                "its program, {shown}, is not executable; `chmod +x` makes it so"
            ));
        }
        Ok(_) => {}
    }
    if let Some(directory) = &service.directory
        && !below(root, directory).is_dir()
    {
        return invalid(format!(
            "its directory, {}, is not there",
            directory.display()
        ));
    }
    if kind == Kind::Scm {
        // Whom it is to run as, Windows itself is asked.
        return Ok(());
    }
    for (account, what, file, question) in [
        (&service.user, "user", "etc/passwd", ["id", "-u"]),
        (&service.group, "group", "etc/group", ["getent", "group"]),
    ] {
        let Some(account) = account else { continue };
        if !exists(account, root, file, question)? {
            return invalid(format!("there is no {what} {account} on this machine"));
        }
    }
    Ok(())
}

fn exists(
    account: &str,
    root: &Path,
    file: &str,
    [program, option]: [&str; 2],
) -> Result<bool, Error> {
    if account.parse::<u32>().is_ok() {
        return Ok(true);
    }
    let listed = fs::read_to_string(root.join(file)).unwrap_or_default();
    if listed
        .lines()
        .any(|line| line.split(':').next() == Some(account))
    {
        return Ok(true);
    }
    // It may come from a directory server, which only the system itself knows how to ask.
    let ask = root == Path::new("/");
    Ok(ask && Call::new([program, option, account]).run(ACCOUNT)?.ok())
}
