//! Everything that a child needs, laid out before it exists: from its birth to its program it
//! may only make system calls.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};

use abide_model::{Command, CpuSet, Launch, LimitUnsupported, RlimitKind, RunId, UnitId};
use rustix::fs::{Mode, OFlags};

use super::account::{Account, by_name, by_number, group, groups_of};
use super::child::{Action, SET};
use super::descriptors::{Ends, Layout, PidLine, listen_variables};
use super::known;
use super::table::Small;
use crate::exit::errno_text;
use crate::identity::Record;
use crate::keeper::KeeperSocket;
use crate::logon::Owner;
use crate::spawn::{Order, SpawnError, Step};
use crate::tree::{Place, RunTree};

const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Strings and the null-terminated array of pointers to them that execve wants.
pub(super) struct Strings {
    _strings: Vec<CString>,
    pid: Option<PidLine>,
    pointers: Vec<*const libc::c_char>,
}

impl Strings {
    fn new(strings: Vec<CString>, pid: Option<PidLine>) -> Self {
        let pointers = strings
            .iter()
            .map(|s| CStr::as_ptr(s))
            .chain(pid.as_ref().map(PidLine::as_ptr))
            .chain([std::ptr::null()])
            .collect();
        Self {
            _strings: strings,
            pid,
            pointers,
        }
    }

    /// Allocates nothing.
    pub(super) fn set_pid(&self, pid: u32) {
        if let Some(line) = &self.pid {
            line.set(pid);
        }
    }

    pub(super) fn as_ptr(&self) -> *const *const libc::c_char {
        self.pointers.as_ptr()
    }
}

/// Whom to become.
#[derive(Clone)]
pub(super) struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// One resource limit.
pub(super) struct Limit {
    pub resource: libc::c_int,
    pub soft: u64,
    pub hard: u64,
    /// The key in the configuration.
    pub name: &'static str,
    /// Not having it is no reason not to run.
    pub optional: bool,
}

pub(super) struct Plan<'a> {
    pub unit: UnitId,
    pub run: RunId,
    pub programs: Vec<CString>,
    pub argv: Strings,
    pub envp: Strings,
    pub directory: CString,
    pub layout: Layout,
    /// The child shares our table, and leaves it with what it needs.
    pub small: Option<Small>,
    /// Its socket, which the child may have to move.
    pub keeper: Option<AtomicI32>,
    /// The control group's directory.
    pub group: Option<OwnedFd>,
    /// `cgroup.procs` of the groups that it enters by itself: those of v1, and its own on kernels that
    /// cannot clone into a group.
    pub group_procs: Vec<OwnedFd>,
    pub record: Option<OwnedFd>,
    pub record_head: Vec<u8>,
    /// A pidfd's inode tells who a process is.
    pub by_inode: bool,
    pub limits: Vec<Limit>,
    pub nice: Option<i32>,
    /// The processors that it may run on, a bit each.
    pub affinity: Option<CpuMask>,
    /// The text for `/proc/self/oom_score_adj`, and whether it was asked for.
    pub oom_score: Option<(CString, bool)>,
    pub umask: u32,
    pub credentials: Option<Credentials>,
    pub tree: &'a RunTree,
    pub account: String,
    pub path: String,
    pub unsupported: Vec<LimitUnsupported>,
    pub warnings: Vec<String>,
    // Written by the child, whose memory is ours until it executes its program.
    /// Signals may have handlers in the child: it was made by clone, not by clone3.
    pub handled_signals: bool,
    /// Signals that this process ignores, a bit each from 1 on: a program would ignore them, too.
    pub ignored_signals: u64,
    pub begun: AtomicU32,
    pub failed_step: AtomicU32,
    pub failed_errno: AtomicI32,
    /// Which of several (limits), plus one.
    pub failed_at: AtomicU32,
    /// It runs on all processors: none of those that it was to run on can be had.
    pub without_affinity: AtomicBool,
    pub recorded: AtomicU32,
}

/// `cpu_set_t` of sched_setaffinity(2): a bit for each processor, as the kernel reads it on this machine.
pub(super) type CpuMask =
    [libc::c_ulong; (CpuSet::LAST as usize + 1) / libc::c_ulong::BITS as usize];

fn mask(cpus: &CpuSet) -> CpuMask {
    let mut mask = CpuMask::default();
    for number in cpus.numbers().map(u32::from) {
        let (word, bit) = (number / libc::c_ulong::BITS, number % libc::c_ulong::BITS);
        mask[word as usize] |= 1 << bit;
    }
    mask
}

fn failure(step: Step, errno: Option<i32>, text: String) -> SpawnError {
    SpawnError {
        step,
        errno,
        text,
        recorded: false,
    }
}

fn prepare(text: String) -> SpawnError {
    failure(Step::Prepare, None, text)
}

/// `/dev/null`, opened once.
fn null() -> io::Result<RawFd> {
    static NULL: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(fd) = NULL.get() {
        return Ok(fd.as_raw_fd());
    }
    let fd = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    Ok(NULL.get_or_init(|| fd).as_raw_fd())
}

impl<'a> Plan<'a> {
    pub(super) fn new(order: &'a Order, ends: &Ends<'_>) -> Result<Self, SpawnError> {
        let launch = &*order.launch;
        let (account, credentials) = credentials(launch.user.as_deref(), launch.group.as_deref())?;
        let root = credentials.as_ref().map_or_else(
            || rustix::process::geteuid().is_root(),
            |credentials| credentials.uid == 0,
        );
        let own = launch.environment.variables.iter().chain(&order.variables);
        let own = own.cloned().chain(order.tree.marker());
        let mut variables = environment(own.chain(listen_variables(order)), &account, root);
        let pid_line = (!order.sockets.is_empty()).then(PidLine::new);
        if pid_line.is_some() {
            variables.retain(|(name, _)| name != "LISTEN_PID");
        }
        let path = variables
            .iter()
            .find(|(name, _)| name == "PATH")
            .map_or(String::new(), |(_, value)| value.clone());
        let argv: Vec<String> = match &launch.command {
            Command::Argv(argv) => argv.clone(),
            Command::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        };
        let program = argv.first().filter(|p| !p.is_empty());
        let program = program.ok_or_else(|| prepare("execute an empty command".into()))?;
        let programs = candidates(program, &path)?;
        let strings = |list: Vec<String>, what: &str| {
            list.into_iter()
                .map(|text| c_string(text, what))
                .collect::<Result<Vec<_>, _>>()
        };
        let lines = variables
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let directory = launch
            .directory
            .to_str()
            .map(str::to_owned)
            .ok_or_else(|| {
                prepare(format!(
                    "enter the directory {}: its name is not UTF-8",
                    launch.directory.display()
                ))
            })?;
        let null = null().map_err(|e| prepare(format!("open /dev/null: {e}")))?;
        let layout = Layout::new(order, ends, null).map_err(prepare)?;
        let mut warnings = Vec::new();
        let place = enter(order)?;
        let record = order.record.as_deref().and_then(|path| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
                .inspect_err(|e| {
                    let why = errno_text(e.raw_os_error());
                    warnings.push(format!(
                        "cannot write {}: {why}; should keeper and daemon both die, this run would not be found again",
                        path.display()
                    ));
                })
                .ok()
        });
        let tag = order.tree.tag();
        let head = Record::head(
            order.unit,
            order.run,
            crate::clock::boot(),
            tag.is_some(),
            order.tree.group().as_deref(),
        );
        let mut limits: Vec<Limit> = launch.limits.process.iter().map(limit).collect();
        let keeper = order.keeper.as_ref();
        if let Some((soft, hard)) = keeper.and_then(KeeperSocket::open_files)
            && !limits
                .iter()
                .any(|l| l.resource == libc::RLIMIT_NOFILE as libc::c_int)
        {
            limits.push(Limit {
                resource: libc::RLIMIT_NOFILE as libc::c_int,
                soft,
                hard,
                name: "open_files",
                optional: true,
            });
        }
        if let Some(tag) = tag {
            limits.push(Limit {
                resource: libc::RLIMIT_LOCKS as libc::c_int,
                soft: tag.soft,
                hard: tag.hard,
                name: "tag",
                optional: false,
            });
        }
        let oom_score = match (launch.oom_score, keeper.and_then(KeeperSocket::oom_score)) {
            (Some(score), _) => Some((score, true)),
            (None, Some(base)) => Some((base, false)),
            (None, None) => None,
        };
        let keeper_number = keeper.map(|keeper| AtomicI32::new(keeper.raw()));
        let small = Small::new(&layout, keeper_number.as_ref());
        Ok(Self {
            unit: order.unit,
            run: order.run,
            programs,
            argv: Strings::new(strings(argv, "the command")?, None),
            envp: Strings::new(strings(lines, "the environment")?, pid_line),
            directory: c_string(directory, "the directory")?,
            layout,
            small,
            keeper: keeper_number,
            group: place.directory,
            group_procs: place.legacy,
            record,
            record_head: head.into_bytes(),
            by_inode: crate::identity::inodes_tell(),
            limits,
            nice: launch.priority,
            affinity: launch.cpu_affinity.as_ref().map(mask),
            oom_score: match oom_score {
                Some((score, asked)) => Some((c_string(score.to_string(), "oom_score")?, asked)),
                None => None,
            },
            umask: launch.umask,
            credentials,
            tree: &order.tree,
            account: account.name,
            path,
            unsupported: place.unsupported,
            warnings,
            handled_signals: true,
            ignored_signals: ignored_signals(),
            begun: AtomicU32::new(0),
            failed_step: AtomicU32::new(u32::MAX),
            failed_errno: AtomicI32::new(0),
            failed_at: AtomicU32::new(0),
            without_affinity: AtomicBool::new(false),
            recorded: AtomicU32::new(0),
        })
    }
}

/// Looked up once: what a daemon ignores it ignores from the beginning. SIGPIPE is ignored by every
/// program in Rust.
fn ignored_signals() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let mut ignored = 0;
        for signal in 1..=64_i32 {
            let mut action = Action::default();
            // SAFETY: `action` is the kernel's structure, which it fills.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    0_usize,
                    &raw mut action,
                    SET,
                )
            };
            if result != 0 || action.handler == libc::SIG_IGN {
                ignored |= 1_u64 << (signal - 1);
            }
        }
        ignored
    })
}

fn enter(order: &Order) -> Result<Place, SpawnError> {
    let entered = order.tree.enter(&order.launch.limits.tree);
    entered.map_err(|e| {
        let text = format!("make its control group: {e}");
        failure(Step::Group, e.raw_os_error(), text)
    })
}

impl Plan<'_> {
    /// Makes its control groups once more.
    pub(super) fn enter_anew(&mut self, order: &Order) -> Result<(), SpawnError> {
        let place = enter(order)?;
        self.group = place.directory;
        self.group_procs = place.legacy;
        self.unsupported = place.unsupported;
        Ok(())
    }
}

fn c_string(text: String, what: &str) -> Result<CString, SpawnError> {
    CString::new(text).map_err(|e| {
        let text = String::from_utf8_lossy(&e.into_vec()).into_owned();
        prepare(format!("use {what}: {text:?} has a zero byte in it"))
    })
}

/// Where to look for the program: in its own PATH when it has no `/` (execvp(3)).
fn candidates(program: &str, path: &str) -> Result<Vec<CString>, SpawnError> {
    if program.contains('/') {
        return Ok(vec![c_string(program.to_owned(), "the command")?]);
    }
    path.split(':')
        .map(|dir| if dir.is_empty() { "." } else { dir })
        .map(|dir| c_string(format!("{dir}/{program}"), "the command"))
        .collect()
}

/// Whom what is made for a unit belongs to; `None`: whom abide itself belongs to. May block.
///
/// # Errors
/// There is no such user or group, or it cannot be looked up.
pub fn owner(launch: &Launch) -> Result<Option<Owner>, SpawnError> {
    if launch.user.is_none() && launch.group.is_none() {
        return Ok(None);
    }
    let (_, credentials) = credentials(launch.user.as_deref(), launch.group.as_deref())?;
    Ok(credentials.map(|c| (c.uid, c.gid)))
}

/// The base, then what is the unit's own: later ones win.
fn environment(
    own: impl Iterator<Item = (String, String)>,
    account: &Account,
    root: bool,
) -> Vec<(String, String)> {
    let mut variables = vec![
        (
            "PATH".to_owned(),
            if root { ROOT_PATH } else { USER_PATH }.to_owned(),
        ),
        ("HOME".to_owned(), account.home.clone()),
        ("USER".to_owned(), account.name.clone()),
        ("LOGNAME".to_owned(), account.name.clone()),
        ("SHELL".to_owned(), account.shell.clone()),
    ];
    for (name, value) in own {
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some(place) => place.1 = value,
            None => variables.push((name, value)),
        }
    }
    variables
}

/// The account to run as, and what to change for it; nothing is changed when the daemon is an
/// ordinary user, who can only run as itself.
fn credentials(
    user: Option<&str>,
    group_name: Option<&str>,
) -> Result<(Account, Option<Credentials>), SpawnError> {
    known::look_up(user, group_name, || look_up(user, group_name))
}

fn look_up(
    user: Option<&str>,
    group_name: Option<&str>,
) -> Result<(Account, Option<Credentials>), SpawnError> {
    let uid = rustix::process::geteuid().as_raw();
    let account = match user {
        Some(name) => {
            let found = by_name(name).map_err(|e| look_up_failed(name, e))?;
            match (found, name.parse()) {
                (Some(account), _) => account,
                // A number without an account will do when its group is given.
                (None, Ok(uid)) if group_name.is_some() => nameless(uid, u32::MAX),
                (None, Ok::<u32, _>(_)) => {
                    return Err(failure(
                        Step::User,
                        None,
                        format!(
                            "run as user {name}: no account has that number, so its group is not known; set `group` too"
                        ),
                    ));
                }
                (None, Err(_)) => {
                    return Err(failure(
                        Step::User,
                        None,
                        format!(
                            "run as user {name:?}: there is no such user on this machine; make the account, or change `user`"
                        ),
                    ));
                }
            }
        }
        None => by_number(uid)
            .map_err(|e| look_up_failed(&uid.to_string(), e))?
            .unwrap_or_else(|| nameless(uid, rustix::process::getegid().as_raw())),
    };
    let gid = match group_name {
        Some(name) => group(name).map_err(|e| look_up_failed(name, e))?.ok_or_else(|| {
            failure(Step::User, None, format!(
                "run as group {name:?}: there is no such group on this machine; make it, or change `group`"
            ))
        })?,
        None => account.gid,
    };
    if uid == 0 {
        // Also without `user`: the groups of whoever started the daemon are not the program's.
        let groups = groups_of(&account.name, gid);
        let credentials = Credentials {
            uid: account.uid,
            gid,
            groups,
        };
        return Ok((account, Some(credentials)));
    }
    if account.uid != uid || (group_name.is_some() && gid != rustix::process::getegid().as_raw()) {
        let whom = if account.uid != uid {
            format!("user {}", account.name)
        } else {
            format!("group {}", group_name.unwrap_or_default())
        };
        return Err(failure(
            Step::User,
            Some(libc::EPERM),
            format!(
                "run as {whom}: abide itself runs as an ordinary user (number {uid}), and only root may change to another; \
             take `user` and `group` out, or run abide as root"
            ),
        ));
    }
    Ok((account, None))
}

fn look_up_failed(name: &str, errno: i32) -> SpawnError {
    failure(
        Step::User,
        Some(errno),
        format!("look up {name:?}: {}", errno_text(errno)),
    )
}

fn nameless(uid: u32, gid: u32) -> Account {
    Account {
        name: uid.to_string(),
        uid,
        gid,
        home: "/".into(),
        shell: "/bin/sh".into(),
    }
}

fn limit(rlimit: &abide_model::Rlimit) -> Limit {
    let (resource, name) = match rlimit.kind {
        RlimitKind::OpenFiles => (libc::RLIMIT_NOFILE, "open_files"),
        RlimitKind::CoreSize => (libc::RLIMIT_CORE, "core_size"),
        RlimitKind::FileSize => (libc::RLIMIT_FSIZE, "file_size"),
        RlimitKind::Stack => (libc::RLIMIT_STACK, "stack"),
        RlimitKind::AddressSpace => (libc::RLIMIT_AS, "address_space"),
        RlimitKind::LockedMemory => (libc::RLIMIT_MEMLOCK, "locked_memory"),
        RlimitKind::CpuTime => (libc::RLIMIT_CPU, "cpu_time"),
    };
    let value = rlimit.value.unwrap_or(libc::RLIM64_INFINITY);
    Limit {
        resource: resource as libc::c_int,
        soft: value,
        hard: value,
        name,
        optional: false,
    }
}
