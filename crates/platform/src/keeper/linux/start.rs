//! How a keeper comes to be.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use abide_model::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::hold::{CHILD, FORWARDED, Keeper, Program};
use super::inherited::{BASE, Base, close_on_exec, descriptor, expect_children};
use super::link::take_starter;
use super::socket::{Out, Received, Sent, pair, receive, send};
use super::{KEEPER, KEEPER_FD, READY_FD, SAFE_MODE, SUCCESSOR, TABLE_FD};
use crate::fault::point;
use crate::keeper::wire::{BATCH, Frame, Kind, VERSION};
use crate::keeper::{Key, Launch, StartError};
use crate::signals::Signals;

/// glibc keeps the stacks of threads that ended, touched pages and all: 1.5 MiB after a launch of many.
const STACKS: &std::ffi::CStr = c"GLIBC_TUNABLES=glibc.pthread.stack_cache_size=0";

/// What a detached daemon keeps of the environment of whoever typed the command.
const KEPT_VARIABLES: [&str; 15] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "RUST_BACKTRACE",
    "ABIDE_RECORD",
    "ABIDE_CGROUP_V1",
    "ABIDE_FAULT_FILE",
];

/// First of all in `main`, before arguments are parsed: if this process was started as a keeper,
/// be one, and return the code to exit with when all is over. `None`: it was not.
#[must_use]
pub fn enter() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_none_or(|first| first.as_bytes() != KEEPER.to_bytes())
    {
        if std::env::var_os(KEEPER_FD).is_some() {
            crate::spawn::reserve_read_ends();
            let _ = rustix::thread::set_name(c"abide");
        }
        for name in [KEEPER_FD, READY_FD] {
            // In the daemon: no program is to inherit these.
            if let Some(fd) = std::env::var(name).ok().and_then(|n| n.parse().ok()) {
                close_on_exec(fd);
            }
        }
        return None;
    }
    let home = arguments.next().map(PathBuf::from).unwrap_or_default();
    let mut number = || arguments.next().and_then(|n| descriptor(n.to_str()?));
    let (starter, adopt) = (number(), number());
    Some(keep(&home, starter, adopt, arguments.collect()))
}

fn keep(
    home: &Path,
    starter: Option<OwnedFd>,
    adopt: Option<OwnedFd>,
    arguments: Vec<OsString>,
) -> i32 {
    // It is only a name; without it the process is called after the file.
    let _ = rustix::thread::set_name(c"abide");
    let table = std::env::var(TABLE_FD).ok();
    let prepared = || -> Result<_, String> {
        let me = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(me))
            .map_err(|e| format!("become the parent of orphans: {e}"))?;
        expect_children();
        let signals: Vec<Signal> = FORWARDED.into_iter().chain([CHILD]).collect();
        let signals = Signals::new(&signals).map_err(|e| format!("listen to signals: {e}"))?;
        rustix::process::chdir("/").map_err(|e| format!("enter /: {e}"))?;
        Ok(signals)
    };
    let signals = match prepared() {
        Ok(signals) => signals,
        Err(error) => {
            say(starter, &error);
            return 1;
        }
    };
    let keeper = match table {
        Some(table) => again(program(home, arguments), &table),
        None => match crate::lock::acquire_keeper(home, adopt.is_some()) {
            Ok(lock) => {
                if let Some(daemon) = &adopt {
                    // Whoever does not hear it takes this keeper for one that was refused.
                    send(
                        daemon.as_fd(),
                        Frame::new(Kind::WELCOME, VERSION, [0; 4]),
                        None,
                    );
                }
                let lock = OwnedFd::from(lock);
                Ok(Keeper::new(program(home, arguments), lock, starter, adopt))
            }
            Err(error) => {
                say(starter, &error.to_string());
                return 1;
            }
        },
    };
    match keeper {
        Ok(keeper) => keeper.run(&signals),
        Err(error) => {
            // Its daemon sees that there is no keeper, and makes a new one.
            say(None, &format!("take over the table: {error}"));
            1
        }
    }
}

/// This process was a keeper before it executed this file.
fn again(program: Program, table: &str) -> io::Result<Keeper> {
    let table = descriptor(table).ok_or(io::ErrorKind::NotFound)?;
    Keeper::again(program, table, |number| descriptor(&number.to_string()))
}

/// What the daemon is started with.
fn program(home: &Path, arguments: Vec<OsString>) -> Program {
    let (base, oom_score) = Base::raise();
    let name = std::env::args_os().next().unwrap_or_else(|| "abide".into());
    let own = [KEEPER_FD, READY_FD, SAFE_MODE, SUCCESSOR, TABLE_FD, BASE];
    let environment = std::env::vars_os()
        .filter(|(name, _)| !own.iter().any(|own| name == own))
        .filter_map(|(name, value)| {
            let mut line = name.into_vec();
            line.push(b'=');
            line.extend_from_slice(value.as_bytes());
            CString::new(line).ok()
        })
        .chain(CString::new(base.to_variable()))
        .chain(
            std::env::var_os("GLIBC_TUNABLES")
                .is_none()
                .then(|| STACKS.to_owned()),
        )
        .collect();
    let argv = std::iter::once(name)
        .chain(arguments)
        .filter_map(|argument| CString::new(argument.into_vec()).ok())
        .collect();
    Program {
        argv,
        environment,
        home: CString::new(home.as_os_str().as_bytes()).unwrap_or_default(),
        oom_score,
    }
}

/// Tells whoever started us, or else standard error.
fn say(starter: Option<OwnedFd>, error: &str) {
    // There is nobody left to tell when this fails.
    let _ = match starter {
        Some(fd) => std::fs::File::from(fd).write_all(format!("error: {error}\n").as_bytes()),
        None => io::stderr().write_all(format!("abide: cannot {error}\n").as_bytes()),
    };
}

fn command(launch: &Launch, starter: Option<RawFd>, adopt: Option<RawFd>) -> Command {
    let number = |fd: Option<RawFd>| fd.map_or("-".to_owned(), |fd| fd.to_string());
    // The very file that we are, also after it was replaced or removed.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(std::env::args_os().next().unwrap_or_else(|| "abide".into()))
        .arg(OsStr::from_bytes(KEEPER.to_bytes()))
        .arg(&launch.home)
        .arg(number(starter))
        .arg(number(adopt))
        .args(&launch.daemon);
    command
}

/// In a session of its own, with these descriptors.
fn detach<const N: usize>(command: &mut Command, passed: [Option<RawFd>; N]) {
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            libc::umask(0o022);
            for fd in passed.iter().flatten() {
                if libc::fcntl(*fd, libc::F_SETFD, 0) == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// Starts keeper and daemon in a session of their own, without a terminal, in `/`, with little of
/// this process's environment; standard error goes to the end of `log`, a file of mode 0600.
///
/// # Errors
/// Those of opening `log`, and of making a pipe and a process.
pub fn start_detached(launch: &Launch, log: &Path) -> Result<Starting, StartError> {
    let (reader, writer) = io::pipe()?;
    let stderr = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)?;
    let mut command = command(launch, Some(writer.as_raw_fd()), None);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    for name in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    detach(&mut command, [Some(writer.as_raw_fd())]);
    point("cli.launch");
    let keeper = command.spawn()?.id();
    point("cli.launched");
    Ok(Starting {
        keeper,
        reader,
        log: log.to_owned(),
    })
}

/// Turns this process into the keeper, in the foreground (same process id, same standard streams).
/// Returns only when that cannot be done.
#[must_use]
pub fn become_keeper(launch: &Launch) -> io::Error {
    command(launch, None, None).exec()
}

/// A daemon on its way up.
#[derive(Debug)]
pub struct Starting {
    keeper: u32,
    reader: PipeReader,
    log: PathBuf,
}

impl Starting {
    /// The keeper's process.
    #[must_use]
    pub fn keeper(&self) -> u32 {
        self.keeper
    }

    /// Waits until the daemon is ready, or has said why not.
    ///
    /// # Errors
    /// [`StartError`] has the daemon's own words where it said some.
    pub fn wait(mut self, timeout: Duration) -> Result<(), StartError> {
        let deadline = crate::clock::now().mono.after(timeout);
        let mut text = Vec::new();
        loop {
            let left = deadline.since(crate::clock::now().mono);
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut fds = [PollFd::new(&self.reader, PollFlags::IN)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => {
                    return Err(StartError::Slow {
                        seconds: timeout.as_secs(),
                        log: self.log,
                    });
                }
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(StartError::Io(e.into())),
            }
            let mut part = [0; 4096];
            let read = self.reader.read(&mut part)?;
            text.extend_from_slice(part.get(..read).unwrap_or(&[]));
            if text == b"ready\n" {
                return Ok(());
            }
            if read == 0 {
                let text = String::from_utf8_lossy(&text);
                return Err(match text.trim_end().strip_prefix("error: ") {
                    Some(error) => StartError::Refused(error.to_owned()),
                    None => StartError::Silent { log: self.log },
                });
            }
        }
    }
}

/// The keeper is gone: starts a new one, gives it these descriptors, and has it start a new daemon as
/// soon as this process ends, which it should at once (runs go on and are adopted). Whoever waits for this
/// daemon to be ready waits for that one then. When this returns the new keeper has the home.
///
/// # Errors
/// Those of starting the keeper; another keeper has the home, and keeps it.
pub fn hand_over(launch: &Launch, descriptors: &[(Key, BorrowedFd<'_>)]) -> io::Result<()> {
    point("handover.begin");
    let starter = take_starter();
    let starter = starter.as_ref().map(AsRawFd::as_raw_fd);
    let (ours, theirs) = pair()?;
    let mut command = command(launch, starter, Some(theirs.as_raw_fd()));
    detach(&mut command, [starter, Some(theirs.as_raw_fd())]);
    command.spawn()?;
    drop(theirs);
    point("handover.started");
    poll(&mut [PollFd::new(&ours, PollFlags::IN)], None)?;
    if !matches!(receive(ours.as_fd()), Received::Message(_)) {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "the new keeper found another one in this home, or was ended",
        ));
    }
    for batch in descriptors.chunks(BATCH) {
        let mut out = Out::to(ours.as_fd());
        for (key, fd) in batch {
            out.push(Frame::of_key(Kind::HOLD, *key, 0), Some(*fd));
        }
        while out.send() == Sent::Later {
            poll(&mut [PollFd::new(&ours, PollFlags::OUT)], None)?;
        }
    }
    point("handover.sent");
    // Left open: its end tells the keeper that this process, and what it was spawning, is through.
    let _ = ours.into_raw_fd();
    Ok(())
}
