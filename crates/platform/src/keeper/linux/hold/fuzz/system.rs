//! Processes that are only written down: each thread has a world of its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use abide_model::{Mono, Signal};
use rustix::io::Errno;

use super::super::CHILD;
use super::super::program::{Change, How, Program};
use crate::signals::Signals;

#[derive(Default)]
pub struct World {
    pub now: u64,
    /// Each process, and its wait status once it has ended.
    pub processes: BTreeMap<u32, Option<i32>>,
    pub changes: VecDeque<(u32, Change)>,
    /// The other ends of the sockets of daemons.
    pub daemons: BTreeMap<u32, OwnedFd>,
    pub next_pid: u32,
    /// No process can be made.
    pub full: bool,
    pub executed: u32,
    /// SIGCHLD: one for however many changes, until it is read.
    pub child: bool,
    /// Ends as soon as the keeper has been told that nobody has.
    pub late: Option<(u32, i32)>,
    /// Ends as soon as the keeper has read its signals.
    pub early: Option<(u32, i32)>,
}

thread_local! {
    pub static WORLD: RefCell<World> = RefCell::default();
}

pub fn with<T>(what: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(what)
}

pub fn process() -> u32 {
    with(|world| {
        world.next_pid += 1;
        let pid = 100 + world.next_pid;
        world.processes.insert(pid, None);
        pid
    })
}

pub fn end(pid: u32, status: i32) {
    with(|world| {
        if let Some(ended @ None) = world.processes.get_mut(&pid) {
            *ended = Some(status);
            world.child = true;
        }
    });
}

/// A process is stopped, or goes on.
pub fn change(pid: u32, change: Change) {
    with(|world| {
        world.changes.push_back((pid, change));
        world.child = true;
    });
}

pub fn next_signal(_: &Signals) -> Option<Signal> {
    let child = with(|world| std::mem::take(&mut world.child));
    if !child && let Some((pid, status)) = with(|world| world.early.take()) {
        end(pid, status);
    }
    child.then_some(CHILD)
}

pub fn now() -> Mono {
    with(|world| Mono(world.now))
}

pub fn next_ended() -> Option<(u32, bool)> {
    let found = with(|world| {
        let mut all = world.processes.iter();
        let (pid, status) = all.find_map(|(pid, ended)| Some((*pid, (*ended)?)))?;
        Some((pid, status == 127 << 8))
    });
    if found.is_none()
        && let Some((pid, status)) = with(|world| world.late.take())
    {
        end(pid, status);
    }
    found
}

pub fn reap(pid: u32) -> Option<i32> {
    with(|world| world.processes.remove(&pid).flatten())
}

pub fn next_change() -> Option<(u32, Change)> {
    with(|world| world.changes.pop_front())
}

pub fn exists(pid: u32) -> bool {
    with(|world| world.processes.contains_key(&pid))
}

pub fn signal(pid: u32, signal: Signal) {
    if signal == Signal::KILL {
        end(pid, 9);
    }
}

pub fn start(_: &Program, _: &How<'_>, theirs: &OwnedFd) -> Result<u32, Errno> {
    if with(|world| world.full) {
        return Err(Errno::AGAIN);
    }
    let pid = process();
    let end = theirs.try_clone().expect("a descriptor");
    with(|world| world.daemons.insert(pid, end));
    Ok(pid)
}

pub fn inherit(_: &OwnedFd, _: bool) {}

pub fn execute(_: Option<BorrowedFd<'_>>, _: &[CString], _: &[CString]) -> Errno {
    with(|world| world.executed += 1);
    Errno::NOENT
}
