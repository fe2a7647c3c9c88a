//! Why a program was not executed, in words that say what to do.

use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::plan::Plan;
use super::scarce;
use crate::exit::errno_text;
use crate::spawn::{Order, Step};

/// A text that reads after "cannot".
pub(super) fn explain(plan: &Plan<'_>, order: &Order, step: Step, errno: i32) -> String {
    let why = errno_text(errno);
    let directory = order.launch.directory.display();
    match step {
        Step::Execute => execute(plan, order, errno, &why),
        Step::Directory => match errno {
            libc::ENOENT => {
                format!("enter the directory {directory}: {why}; make it, or change `directory`")
            }
            libc::EACCES => format!(
                "enter the directory {directory}: user {} may not; change its permissions, `directory` or `user`",
                plan.account
            ),
            libc::ENOTDIR => {
                format!("enter {directory}: it is not a directory; change `directory`")
            }
            _ => format!("enter the directory {directory}: {why}"),
        },
        Step::User => {
            format!(
                "change to user {} and its groups: {why}; only root may",
                plan.account
            )
        }
        Step::Limits => {
            let at = plan.failed_at.load(Ordering::Relaxed) as usize;
            match at.checked_sub(1).and_then(|at| plan.limits.get(at)) {
                Some(limit) => format!(
                    "set the limit {}: {why}; an ordinary user may not go above the hard limit (see `ulimit -H -a`)",
                    limit.name
                ),
                None => format!("set resource limits: {why}"),
            }
        }
        Step::Priority => {
            let nice = plan.nice.unwrap_or_default();
            format!("set the priority {nice}: {why}; an ordinary user may only raise the number")
        }
        Step::OomScore => {
            format!("set oom_score: {why}; an ordinary user may only raise it")
        }
        Step::Descriptors => format!(
            "lay out its descriptors: {why}; abide's own limit of open files may be too low for their numbers (see `ulimit -H -n`)"
        ),
        Step::Record => {
            format!("tell the keeper of the new process: {why}")
        }
        _ => format!("{step}: {why}"),
    }
}

/// The process could not be made. Reads after "cannot".
pub(super) fn no_process(plan: &Plan<'_>, error: &std::io::Error) -> String {
    let why = match error.raw_os_error() {
        Some(errno) => {
            let me = rustix::process::geteuid().as_raw();
            scarce::explain(errno, plan.group.as_ref().map(AsFd::as_fd), me)
        }
        None => error.to_string(),
    };
    format!("make a process: {why}")
}

fn execute(plan: &Plan<'_>, order: &Order, errno: i32, why: &str) -> String {
    let name = plan
        .programs
        .first()
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_default();
    let candidates: Vec<PathBuf> = plan
        .programs
        .iter()
        .map(|p| order.launch.directory.join(OsStr::from_bytes(p.as_bytes())))
        .collect();
    // Which of the places is meant: the one that has such a file.
    let found = candidates
        .iter()
        .find(|p| std::fs::metadata(p).is_ok_and(|m| !m.is_dir()));
    let shown = match (plan.programs.len(), found, candidates.first()) {
        (1, _, Some(path)) => path.display().to_string(),
        (_, Some(path), _) => path.display().to_string(),
        _ => Path::new(&name)
            .file_name()
            .map_or(name.clone(), |n| n.to_string_lossy().into_owned()),
    };
    let hint = match (errno, found) {
        (libc::ENOENT, None) if plan.programs.len() > 1 => format!(
            "no such program in its PATH ({}); write the full path, or set PATH in `environment`",
            plan.path
        ),
        (libc::ENOENT, None) => {
            format!("{why}; check `command` for a typo, or install the program")
        }
        (libc::ENOENT, Some(path)) => missing_interpreter(path),
        (libc::EACCES, Some(path)) => {
            if std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o111 == 0) {
                format!(
                    "{why}; the file is not executable: `chmod +x {}`",
                    path.display()
                )
            } else {
                format!(
                    "{why}; user {} may not execute it, or the file system is mounted noexec",
                    plan.account
                )
            }
        }
        (libc::EACCES, None) if candidates.iter().any(|p| p.is_dir()) => {
            "it is a directory; name the program in it".to_owned()
        }
        (libc::ENOEXEC, _) => format!(
            "{why}; it is not a program for this machine, or a script whose first line is not `#!` and its interpreter"
        ),
        (libc::E2BIG, _) => format!("{why}; its arguments and environment are too large together"),
        // It changed to a user that has too many already (execve(2)).
        (libc::EAGAIN, _) => {
            let me = || rustix::process::geteuid().as_raw();
            let user = plan.credentials.as_ref().map_or_else(me, |whom| whom.uid);
            scarce::explain(errno, plan.group.as_ref().map(AsFd::as_fd), user)
        }
        (libc::ETXTBSY, _) => format!("{why}; somebody is writing to the file"),
        _ => why.to_owned(),
    };
    format!("execute {shown}: {hint}")
}

/// The file is there, and "no such file" all the same.
fn missing_interpreter(path: &Path) -> String {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(512).read_to_end(&mut start));
    if read.is_ok()
        && let Some(line) = start
            .strip_prefix(b"#!")
            .and_then(|rest| rest.split(|b| *b == b'\n').next())
    {
        let line = String::from_utf8_lossy(line);
        let interpreter = line
            .trim_start()
            .split([' ', '\t'])
            .next()
            .unwrap_or_default();
        let carriage = if line.ends_with('\r') {
            " (the line ends with a carriage return, as files from Windows do)"
        } else {
            ""
        };
        return format!(
            "its interpreter {} does not exist; correct the first line of the file, or install it{carriage}",
            interpreter.trim_end()
        );
    }
    "the file is there, but the loader it needs is not: it was built for another system or C library"
        .to_owned()
}
