//! The machine's limits, and a home.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{StatVfsMountFlags, inotify, statfs, statvfs};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::Error;
use crate::doctor::machine::{Clock, Disk, Folder, Kernel, Machine, Use};

/// File systems of other machines (statfs(2), `linux/magic.h`).
const NETWORK: [(u32, &str); 5] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0000_517b, "SMB"),
    (0x00c3_6400, "Ceph"),
];

/// The longest name of a socket (unix(7): `sun_path` is 108 bytes with its end).
const SOCKET: usize = 107;

/// Reads what there is of the machine and of this home. What cannot be read is not judged.
///
/// # Errors
/// This system cannot be examined.
pub fn machine(home: &Path) -> Result<Machine, Error> {
    let folder = fs::metadata(home).ok();
    Ok(Machine {
        home: home.to_owned(),
        socket: Some(SOCKET),
        long_paths: None,
        home_folder: folder.map(|meta| Folder::Modes {
            mode: meta.mode() & 0o7777,
            owner: meta.uid(),
            user: crate::process::user(),
        }),
        disk: disk(home),
        clock: clock(home),
        kernel: kernel(),
    })
}

/// The disk that a path is on, or will be.
fn disk(path: &Path) -> Option<Disk> {
    let there = path.ancestors().find(|path| path.exists())?;
    let found = statvfs(there).ok()?;
    let kind = statfs(there).ok().map(|found| found.f_type);
    // The field's type differs between architectures; the magic numbers have 32 bits.
    let kind = kind.map(|kind| kind as u32);
    let network = NETWORK.iter().find(|(magic, _)| Some(*magic) == kind);
    Some(Disk {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        // Some file systems count none.
        free_files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        network: network.map(|(_, name)| (*name).to_owned()),
    })
}

fn clock(home: &Path) -> Clock {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    };
    let dated = [
        std::env::current_exe().ok(),
        Some(PathBuf::from("/etc/passwd")),
        Some(home.join("state")),
    ];
    let newest = dated
        .into_iter()
        .flatten()
        .filter_map(|path| fs::metadata(path).ok()?.modified().ok())
        .map(seconds)
        .max();
    Clock {
        now: seconds(SystemTime::now()),
        newest: newest.unwrap_or_default(),
    }
}

fn kernel() -> Kernel {
    let files = getrlimit(Resource::Nofile);
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC);
    Kernel {
        open_files: (files.current, files.maximum),
        file_size: getrlimit(Resource::Fsize).current,
        files: open_files(),
        threads: threads(),
        group_processes: group_processes(),
        memory: memory(),
        commit: commit(),
        inotify_instances: number("/proc/sys/fs/inotify/max_user_instances"),
        // This process's own table may be full as well, which is another matter.
        inotify_used_up: inotify.is_err_and(|error| error == Errno::MFILE)
            && fs::File::open("/dev/null").is_ok(),
        control_groups: control_groups(),
    }
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    text(path)?.trim().parse().ok()
}

/// `/proc/sys/fs/file-nr`: allocated, unused, limit.
fn open_files() -> Option<Use> {
    let text = text("/proc/sys/fs/file-nr")?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let used = numbers.next()?.ok()?;
    let of = numbers.nth(1)?.ok()?;
    Some(Use { used, of })
}

/// The fourth field of `/proc/loadavg` has all threads; two limits hold for them.
fn threads() -> Option<Use> {
    let text = text("/proc/loadavg")?;
    let used = text.split_whitespace().nth(3)?.split('/').nth(1)?;
    let limits = ["threads-max", "pid_max"];
    let limits = limits.map(|name| number(format!("/proc/sys/kernel/{name}")));
    Some(Use {
        used: used.parse().ok()?,
        of: limits.into_iter().flatten().min()?,
    })
}

/// `pids.current` and `pids.max` of the group of version 2 that this process is in.
fn group_processes() -> Option<Use> {
    let groups = text("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = Path::new("/sys/fs/cgroup").join(own);
    Some(Use {
        used: number(folder.join("pids.current"))?,
        of: number(folder.join("pids.max"))?,
    })
}

/// `MemAvailable` and `MemTotal` of `/proc/meminfo`.
fn memory() -> Option<(u64, u64)> {
    Some((meminfo("MemAvailable:")?, meminfo("MemTotal:")?))
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(name: &str) -> Option<u64> {
    let text = text("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// `Committed_AS` and `CommitLimit` of `/proc/meminfo`, where the limit holds (proc_sys_vm(5), `overcommit_memory`).
fn commit() -> Option<Use> {
    const NEVER_MORE: u64 = 2;
    if number("/proc/sys/vm/overcommit_memory")? != NEVER_MORE {
        return None;
    }
    Some(Use {
        used: meminfo("Committed_AS:")?,
        of: meminfo("CommitLimit:")?,
    })
}

fn control_groups() -> Option<&'static str> {
    let v2 = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .any(|place| Path::new(place).join("cgroup.procs").exists());
    if v2 {
        return Some("v2");
    }
    Path::new("/sys/fs/cgroup/memory/cgroup.procs")
        .exists()
        .then_some("v1")
}
