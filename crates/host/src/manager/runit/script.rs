//! The scripts of a service directory.

use std::fmt::Write as _;
use std::path::Path;

use crate::manager::mark;
use crate::service::{Restart, Service};
use crate::shell;

/// `run`: becomes the program.
pub(super) fn run(service: &Service) -> String {
    let mut text = format!(
        "#!/bin/sh\n# {}\nexec 2>&1\nrm -f failed\n",
        mark(&service.name)
    );
    for dependency in &service.dependencies {
        let dependency = shell::quote(dependency);
        // Writing to a String cannot fail; the same below.
        let _ = writeln!(text, "sv -w 1 check {dependency} >/dev/null || exit 75");
    }
    for (name, value) in &service.environment {
        let _ = writeln!(text, "export {name}={}", shell::quote(value));
    }
    if let Some(directory) = &service.directory {
        let _ = writeln!(
            text,
            "cd {} || exit 111",
            shell::quote(&directory.to_string_lossy())
        );
    }
    text.push_str("exec ");
    let account = match (&service.user, &service.group) {
        (Some(user), Some(group)) => Some(format!("{user}:{group}")),
        (Some(user), None) => Some(user.clone()),
        // chpst wants a user with a group.
        (None, Some(group)) => Some(format!("root:{group}")),
        (None, None) => None,
    };
    if let Some(account) = account {
        let _ = write!(text, "chpst -u {} ", shell::quote(&account));
    }
    let program = service.program.to_string_lossy();
    let words = std::iter::once(&*program).chain(service.arguments.iter().map(String::as_str));
    text.push_str(&shell::line(words));
    text.push('\n');
    text
}

/// `finish CODE STATUS`: runsv starts `run` again after every end, unless it is told not to here. CODE is -1 after a
/// signal, 75 is what `run` says while a dependency is missing.
pub(super) fn finish(service: &Service) -> Option<String> {
    let ends = match service.restart {
        Restart::Always => return None,
        Restart::OnFailure => "0) sv down . ;;",
        Restart::OnAbnormal => {
            "-1|75) ;;\n0) sv down . ;;\n*) echo \"$1 $2\" >failed; sv down . ;;"
        }
        Restart::Never => "75) ;;\n0) sv down . ;;\n*) echo \"$1 $2\" >failed; sv down . ;;",
    };
    Some(format!(
        "#!/bin/sh\n# {}\ncase \"$1\" in\n{ends}\nesac\n",
        mark(&service.name)
    ))
}

/// `log/run`: keeps what it writes.
pub(super) fn log(service: &Service, directory: &Path) -> String {
    let directory = shell::quote(&directory.to_string_lossy());
    format!(
        "#!/bin/sh\n# {}\nexec svlogd -tt {directory}\n",
        mark(&service.name)
    )
}
