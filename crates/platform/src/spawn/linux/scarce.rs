//! Which of the machine's limits a spawn has met: the kernel answers `EAGAIN` to several of them.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::exit::errno_text;

/// What the errno means here, and the way out. `user` is whom the process runs, or was to run, as.
pub(super) fn explain(errno: i32, group: Option<BorrowedFd<'_>>, user: u32) -> String {
    match errno {
        libc::EAGAIN => processes(group, user),
        libc::EMFILE => {
            let limit = getrlimit(Resource::Nofile).current.unwrap_or_default();
            format!(
                "abide has as many files open as it may, RLIMIT_NOFILE is {limit}; raise it (`ulimit -n`, or LimitNOFILE= of its service) and start abide again"
            )
        }
        libc::ENFILE => {
            "the machine has as many files open as it may; raise the sysctl fs.file-max".to_owned()
        }
        libc::ENOMEM => "the machine has no memory left for it".to_owned(),
        _ => errno_text(errno),
    }
}

/// fork(2): EAGAIN has four causes.
fn processes(group: Option<BorrowedFd<'_>>, user: u32) -> String {
    if let Some((path, limit)) = full_group(group) {
        return format!(
            "the control group {} has its {limit} processes (pids.max); raise that limit: `processes` of the unit, TasksMax= of a service, or --pids-limit of a container",
            path.display()
        );
    }
    let threads = number("/proc/sys/kernel/threads-max");
    let there = threads_there();
    for (sysctl, limit) in [
        ("kernel.threads-max", threads),
        ("kernel.pid_max", number("/proc/sys/kernel/pid_max")),
    ] {
        // The kernel keeps a few back; and some may have ended since.
        if let (Some(limit), Some(there)) = (limit, there)
            && there + there / 20 + 300 >= limit
        {
            return format!(
                "the machine has {there} processes and threads of at most {limit} (the sysctl {sysctl}); raise it, or end some"
            );
        }
    }
    if let Some(limit) = getrlimit(Resource::Nproc).current
        && user != 0
    {
        return format!(
            "user {user} has as many processes and threads as RLIMIT_NPROC allows, {limit}; raise it (`ulimit -u`, LimitNPROC= of abide's service, or /etc/security/limits.conf) and start abide again"
        );
    }
    format!(
        "{}: a limit of processes that cannot be seen from here was met (pids.max of a container around, RLIMIT_NPROC, kernel.threads-max)",
        errno_text(libc::EAGAIN)
    )
}

/// The group, or one around it, that can have no more processes, and how many it may.
fn full_group(group: Option<BorrowedFd<'_>>) -> Option<(PathBuf, u64)> {
    let path = match group {
        Some(group) => std::fs::read_link(format!("/proc/self/fd/{}", group.as_raw_fd())).ok()?,
        None => own_group()?,
    };
    path.ancestors()
        .take_while(|path| path.starts_with("/sys/fs/cgroup"))
        .find_map(|path| {
            let limit = number(path.join("pids.max"))?;
            let there = number(path.join("pids.current"))?;
            (there >= limit).then(|| (path.to_owned(), limit))
        })
}

/// Ours, where its limit of processes is: on v2 there is one group, on v1 one for the pids alone.
fn own_group() -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup").to_owned(),
            list if list.split(',').any(|c| c == "pids") => {
                Path::new("/sys/fs/cgroup/pids").to_owned()
            }
            _ => return None,
        };
        let path = root.join(path);
        path.join("pids.max").exists().then_some(path)
    })
}

/// All processes and threads: "running/all" is the fourth field of proc_loadavg(5).
fn threads_there() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let (_, all) = text.split_ascii_whitespace().nth(3)?.split_once('/')?;
    all.parse().ok()
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
