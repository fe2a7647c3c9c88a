#![allow(unsafe_code)]

mod account;
mod auxiliary;
mod child;
mod clone;
mod descriptors;
mod explain;
mod known;
mod order;
mod plan;
mod reserve;
mod scarce;
mod table;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub(super) use auxiliary::reap;
pub use auxiliary::spawn_auxiliary;
pub(crate) use order::ENDS;
pub use order::{FIRST_SOCKET, Order, READ_END, STAGE_END, Spawned, Stages};
pub use plan::owner;
pub(crate) use reserve::reserve_read_ends;
pub use table::{keep_tables_small, kept_numbers};

use self::clone::{Cloned, Into, clone};
use self::descriptors::Ends;
use self::plan::Plan;
use super::{SpawnError, Step};
use crate::fault::point;
use crate::identity::{Handle, Identity};

/// Starts the run, and returns when its program is executed or cannot be. Blocks: not for the driver.
/// Several threads may spawn at once.
///
/// # Errors
/// [`SpawnError`]; no process is left then.
pub fn spawn(order: &Order) -> Result<Spawned, SpawnError> {
    reserve_read_ends();
    let ends = Ends::open(order)?;
    let mut plan = Plan::new(order, &ends)?;
    point("spawn.planned");
    let cloned = match execute(&mut plan, order) {
        Err(e) if e.step == Step::Clone && is_gone(e.errno) => {
            plan.enter_anew(order)?;
            execute(&mut plan, order)?
        }
        result => result?,
    };
    point("spawn.cloned");
    let pidfd = cloned
        .pidfd
        .or_else(|| crate::identity::open(cloned.pid).ok());
    let inode = pidfd
        .as_ref()
        .and_then(|fd| crate::identity::inode(fd.as_fd()));
    let start = if inode.is_some() {
        None
    } else {
        crate::identity::stat_of(cloned.pid)
    };
    let identity = Identity {
        pid: cloned.pid,
        boot: crate::clock::boot(),
        inode,
        start: start.map(|stat| stat.start),
    };
    if plan.without_affinity.load(Ordering::Relaxed) {
        plan.unsupported.push(crate::limits::no_such_processor());
    }
    Ok(Spawned {
        pid: cloned.pid,
        handle: Handle::new(identity, pidfd),
        identity,
        unsupported: std::mem::take(&mut plan.unsupported),
        warnings: std::mem::take(&mut plan.warnings),
    })
}

/// Makes the process; it has executed its program when this returns.
fn execute(plan: &mut Plan<'_>, order: &Order) -> Result<Cloned, SpawnError> {
    let cloned = start(plan).map_err(|e| SpawnError {
        step: Step::Clone,
        errno: e.raw_os_error(),
        text: explain::no_process(plan, &e),
        recorded: false,
    })?;
    let told = plan.recorded.load(Ordering::Relaxed) != 0;
    if let Some(step) = Step::from_number(plan.failed_step.load(Ordering::Acquire)) {
        let errno = plan.failed_errno.load(Ordering::Relaxed);
        // This thread goes on a little before the process has left its group.
        if let Some(pidfd) = &cloned.pidfd {
            wait_for_end(pidfd);
        }
        if plan.keeper.is_none() {
            reap_own(cloned.pid);
        }
        return Err(SpawnError {
            step,
            errno: Some(errno),
            text: explain::explain(plan, order, step, errno),
            recorded: plan.keeper.is_some() && told,
        });
    }
    if !told {
        if plan.keeper.is_none() {
            reap_own(cloned.pid);
        }
        return Err(SpawnError {
            step: Step::Record,
            errno: None,
            text: "execute the program: something killed its process before".into(),
            recorded: false,
        });
    }
    Ok(cloned)
}

/// The group was taken for what an earlier run left, at this instant (`RunTree::make_way`): nothing can be born in
/// it (ENODEV), and its files are gone (ENOENT).
fn is_gone(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::ENODEV | libc::ENOENT))
}

/// Not in this kernel, or not through this sandbox.
fn is_refused(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EPERM | libc::E2BIG | libc::EINVAL)
    )
}

fn start(plan: &mut Plan<'_>) -> io::Result<Cloned> {
    let of_parent = plan.keeper.is_some();
    let shares = plan.small.is_some();
    plan.handled_signals = false;
    if let Some(group) = plan.group.as_ref().map(AsRawFd::as_raw_fd) {
        let argument = std::ptr::from_mut(plan).cast();
        // SAFETY: `begin` never returns and makes system calls only.
        match unsafe {
            clone(
                child::begin,
                argument,
                of_parent,
                shares,
                Into::Group(group),
            )
        } {
            // The child enters by itself.
            Err(e) if is_refused(&e) => {}
            // Ended at birth: the group was killed before, and could not be made anew. A process
            // that enters it afterwards is let live.
            Ok(cloned) if plan.begun.load(Ordering::Relaxed) == 0 => {
                if !of_parent {
                    reap_own(cloned.pid);
                }
            }
            result => return result,
        }
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
        let mode = rustix::fs::Mode::empty();
        if let Some(group) = &plan.group {
            let procs = rustix::fs::openat(group, "cgroup.procs", flags, mode)?;
            plan.group_procs.push(procs);
        }
    }
    let argument = std::ptr::from_mut(plan).cast();
    // SAFETY: as above.
    match unsafe { clone(child::begin, argument, of_parent, shares, Into::Nothing) } {
        Err(e) if is_refused(&e) => {}
        result => return result,
    }
    plan.handled_signals = true;
    let argument = std::ptr::from_mut(plan).cast();
    // SAFETY: as above.
    unsafe {
        clone(
            child::begin,
            argument,
            of_parent,
            shares,
            Into::NothingByClone,
        )
    }
}

/// One that is on its last steps; a second is for ever.
fn wait_for_end(pidfd: &OwnedFd) {
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    // An interrupted or failed wait is a short one.
    let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&second));
}

/// Without a keeper the child is ours.
fn reap_own(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    // A child that somebody else has reaped is reaped.
    let _ = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty());
}
