//! Looking through `/proc` for the processes of runs that have no control group.
//!
//! A list of `/proc` is old as soon as it is read: a program that forks and exits every 0.3 ms is never
//! in it. So a scan remembers the number that the kernel gave out last (`/proc/loadavg` shows it), looks at
//! the list newest first, then at every number that was given out meanwhile, until none is. A number is
//! given out a little before its process can be seen, and by then its parent may have ended. So the list is read
//! once more at the end: when all that is new in it could be seen for what it is, nothing was missed.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use abide_model::Signal;

use super::tag::{Tag, parse_limits};
use crate::identity::{ended, open, send_through, stat_of};

/// How often the numbers given out meanwhile are looked at before a scan is called inexact.
const ROUNDS: usize = 2000;

/// More new numbers than this at once: the list is read anew instead.
const MOST_NEW: u32 = 5000;

/// By what the processes of one run are known.
#[derive(Clone, Debug)]
pub(in crate::tree) struct Quarry {
    pub tag: Option<Tag>,
    /// Where there is no tag: a variable, as `NAME=value`.
    pub marker: Option<String>,
    /// Number of the session and process group; 0: not known.
    pub leader: u32,
    /// Processes are to be ended when found.
    pub kill: bool,
}

/// What was found of one run.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Living processes.
    pub alive: Vec<Member>,
    /// In the run's session, but without its tag.
    pub doubtful: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub pid: u32,
    pub pidfd: Option<OwnedFd>,
    /// It may not be ended by us.
    pub forbidden: bool,
}

/// Looks for all these runs at once: what a process costs does not grow with the number of runs that are
/// looked for. The second value: nothing can have been missed.
pub(super) fn scan(quarries: &[Quarry]) -> (Vec<Found>, bool) {
    let wanted = Wanted::new(quarries);
    let mut found: Vec<Found> = quarries.iter().map(|_| Found::default()).collect();
    let mut text = Vec::new();
    let before = last_pid();
    let mut known = pids();
    for pid in known.iter().rev() {
        wanted.look(*pid, &mut found, &mut text);
    }
    let Some(mut seen) = before else {
        return (found, false);
    };
    for _ in 0..ROUNDS {
        let Some(last) = last_pid() else {
            return (found, false);
        };
        if last == seen {
            let there = pids();
            let mut settled = true;
            for pid in there.iter().rev() {
                if known.binary_search(pid).is_err() {
                    settled &= wanted.look(*pid, &mut found, &mut text);
                }
            }
            if settled {
                return (found, true);
            }
            known = there;
        }
        // Numbers began anew at the bottom, or too many are new.
        if last < seen || last - seen > MOST_NEW {
            return (found, false);
        }
        for pid in (seen + 1..=last).rev() {
            wanted.look(pid, &mut found, &mut text);
        }
        seen = last;
    }
    (found, false)
}

/// The runs that are looked for, by what a process can show. Numbers are places in `quarries`.
struct Wanted<'a> {
    quarries: &'a [Quarry],
    /// Outermost tags, by their hard limit alone, as [`Tag::covers`] says.
    outer: HashMap<u64, usize>,
    /// Nested tags, by both limits.
    nested: HashMap<(u64, u64), usize>,
    /// Tagged runs by their session.
    sessions: HashMap<u32, usize>,
    untagged: Vec<usize>,
}

impl<'a> Wanted<'a> {
    fn new(quarries: &'a [Quarry]) -> Self {
        let mut wanted = Self {
            quarries,
            outer: HashMap::new(),
            nested: HashMap::new(),
            sessions: HashMap::new(),
            untagged: Vec::new(),
        };
        for (at, quarry) in quarries.iter().enumerate() {
            let Some(tag) = quarry.tag else {
                wanted.untagged.push(at);
                continue;
            };
            if tag.soft == tag.hard {
                wanted.outer.insert(tag.hard, at);
            } else {
                wanted.nested.insert((tag.soft, tag.hard), at);
            }
            if quarry.leader != 0 {
                wanted.sessions.insert(quarry.leader, at);
            }
        }
        wanted
    }

    fn owner(&self, tag: Tag) -> Option<usize> {
        let nested = self.nested.get(&(tag.soft, tag.hard));
        nested.or_else(|| self.outer.get(&tag.hard)).copied()
    }

    /// False: it has ended, and what it may have started last is not known.
    fn look(&self, pid: u32, found: &mut [Found], text: &mut Vec<u8>) -> bool {
        let tagged = !(self.outer.is_empty() && self.nested.is_empty());
        let tag = if tagged { tag_of(pid, text) } else { None };
        let owner = tag.and_then(|tag| self.owner(tag)).or_else(|| {
            let mut untagged = self.untagged.iter().copied();
            untagged.find(|at| {
                let quarry = self.quarries.get(*at);
                quarry.is_some_and(|quarry| belongs(pid, quarry, text))
            })
        });
        if let Some(at) = owner {
            let (Some(quarry), Some(found)) = (self.quarries.get(at), found.get_mut(at)) else {
                return false;
            };
            let Some(member) = catch(pid, quarry, text) else {
                return false;
            };
            if !found.alive.iter().any(|m| m.pid == pid) {
                found.alive.push(member);
            }
            return true;
        }
        self.doubt(pid, found, text);
        // One that has ended shows no environment any more, but still its tag.
        if self.untagged.is_empty() {
            tag.is_some()
        } else {
            lives(pid)
        }
    }

    /// Notes one that is in the session of a run, but does not carry its tag.
    fn doubt(&self, pid: u32, found: &mut [Found], text: &mut Vec<u8>) {
        if self.sessions.is_empty() {
            return;
        }
        let of_session = session(pid).and_then(|session| self.sessions.get(&session));
        if let Some(at) = of_session
            && let (Some(quarry), Some(found)) = (self.quarries.get(*at), found.get_mut(*at))
        {
            // Looked at again: it may have ended between the two looks.
            if lives(pid) && !belongs(pid, quarry, text) {
                found.doubtful.push(pid);
            }
        }
    }
}

fn lives(pid: u32) -> bool {
    stat_of(pid).is_some_and(|s| !matches!(s.state, b'Z' | b'X'))
}

fn belongs(pid: u32, quarry: &Quarry, text: &mut Vec<u8>) -> bool {
    match (quarry.tag, &quarry.marker) {
        (Some(tag), _) => tag_of(pid, text).is_some_and(|other| tag.covers(other)),
        (None, Some(marker)) => {
            (quarry.leader != 0 && session(pid) == Some(quarry.leader))
                || read(&format!("/proc/{pid}/environ"), text)
                    && text
                        .split(|b| *b == 0)
                        .any(|variable| variable == marker.as_bytes())
        }
        (None, None) => quarry.leader != 0 && session(pid) == Some(quarry.leader),
    }
}

/// Holds on to a process, makes sure that it is still the one that was looked at, and ends it if it is to
/// be. `None`: it has ended.
fn catch(pid: u32, quarry: &Quarry, text: &mut Vec<u8>) -> Option<Member> {
    let pidfd = match open(pid) {
        Ok(fd) => Some(fd),
        // A thread's number, not a process's: its process is found under its own.
        Err(e) if e.raw_os_error() != Some(libc::ENOSYS) => return None,
        Err(_) => None,
    };
    if pidfd.is_some() && !belongs(pid, quarry, text) {
        return None;
    }
    if pidfd.as_ref().is_some_and(|fd| ended(fd.as_fd())) {
        return None;
    }
    let stat = stat_of(pid)?;
    // A process whose first thread has ended may have others.
    if matches!(stat.state, b'X') || (stat.state == b'Z' && stat.threads <= 1) {
        return None;
    }
    let mut forbidden = false;
    if quarry.kill {
        let sent = match &pidfd {
            Some(fd) => send_through(fd.as_fd(), Signal::KILL),
            None => super::send(i32::try_from(pid).ok()?, Signal::KILL),
        };
        forbidden = sent.is_err_and(|e| e.raw_os_error() == Some(libc::EPERM));
    }
    Some(Member {
        pid,
        pidfd,
        forbidden,
    })
}

/// The tag that a process carries. One system call where we may ask (prlimit(2)), else a file that everybody
/// may read and that costs the kernel a hundred times as much to write.
pub(super) fn tag_of(pid: u32, text: &mut Vec<u8>) -> Option<Tag> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: prlimit64 writes one structure. The raw call, since libcs differ in its type.
    let result = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            pid,
            libc::RLIMIT_LOCKS,
            0_usize,
            &raw mut limit,
        )
    };
    if result == 0 {
        return Some(Tag {
            soft: limit.rlim_cur,
            hard: limit.rlim_max,
        });
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ESRCH) => None,
        _ => tag_in_proc(pid, text),
    }
}

/// The tag of a process as `/proc` shows it; of one that has ended and was not reaped it shows none.
pub(super) fn tag_in_proc(pid: u32, text: &mut Vec<u8>) -> Option<Tag> {
    read(&format!("/proc/{pid}/limits"), text).then(|| parse_limits(text))?
}

fn read(path: &str, text: &mut Vec<u8>) -> bool {
    text.clear();
    File::open(path).is_ok_and(|mut file| file.read_to_end(text).is_ok())
}

/// The number of its session; threads of the kernel have none.
fn session(pid: u32) -> Option<u32> {
    // SAFETY: getsid takes a number. (rustix takes 0, a kernel thread's, for impossible.)
    let session = unsafe { libc::getsid(i32::try_from(pid).ok()?) };
    u32::try_from(session).ok().filter(|session| *session != 0)
}

/// All processes, oldest number first.
pub(crate) fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids
}

/// The number that was given out last in this pid namespace (proc_loadavg(5)).
fn last_pid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_ascii_whitespace()
        .next_back()?
        .parse()
        .ok()
        .filter(|pid| *pid != 0)
}
