//! A small table of descriptors for each child, whatever this process has open.
//!
//! A child begins with a copy of its parent's table, and closes all of it when it executes its program: with four
//! descriptors a unit that is n² for n units, and a millisecond a start with some thousand. So a child
//! shares the table at first (`CLONE_FILES`) and leaves it, before it changes anything in it, with a copy of
//! the lowest numbers only (`CLOSE_RANGE_UNSHARE`, Linux 5.9). Below that *cut* are the home's lock and
//! some numbers that are reserved here, where the parent puts what the child is to find.
//! Where that cannot be had, a child gets its copy of the whole table as ever.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::descriptors::Layout;

/// `CLOSE_RANGE_UNSHARE` of linux/close_range.h.
const UNSHARE: u32 = 1 << 1;

/// So many children can be on their way at a time; more get a copy of the whole table.
const BLOCKS: usize = 6;
/// Numbers for each: the standard streams, two read ends, the keeper's socket, and some sockets.
const BLOCK: usize = 8;

/// With fewer descriptors than these for all, none are reserved.
const ENOUGH: u64 = 1024;

struct Reserved {
    /// Above all reserved numbers and the home's lock.
    cut: RawFd,
    null: OwnedFd,
    free: Mutex<Vec<Vec<OwnedFd>>>,
}

static RESERVED: OnceLock<Reserved> = OnceLock::new();

/// Reserves low numbers for the children to come, so that what a start costs does not grow with the descriptors of this
/// process. To be called when it has few, and `lock`, which a child has to keep until it executes its program.
pub fn keep_tables_small(lock: BorrowedFd<'_>) {
    if RESERVED.get().is_none()
        && let Some(reserved) = reserve(lock)
    {
        // Somebody else's, made at the same instant, would be as good.
        let _ = RESERVED.set(reserved);
    }
}

/// How many descriptors this process has for the children to come.
#[must_use]
pub fn kept_numbers() -> usize {
    // And `/dev/null`, which they are copies of.
    RESERVED.get().map_or(0, |_| BLOCKS * BLOCK + 1)
}

/// `None`: not with this kernel or these limits.
fn reserve(lock: BorrowedFd<'_>) -> Option<Reserved> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if limit.is_some_and(|limit| limit < ENOUGH) {
        return None;
    }
    // SAFETY: no descriptor has that number, so that nothing is closed. The flag that counts is as old as the call, and not to
    // be tried: it would take this thread's table from the others.
    if unsafe { libc::syscall(libc::SYS_close_range, u32::MAX, u32::MAX, 0) } != 0 {
        return None;
    }
    let null: OwnedFd = std::fs::File::open("/dev/null").ok()?.into();
    let copy = || rustix::io::fcntl_dupfd_cloexec(&null, 3);
    let block = || (0..BLOCK).map(|_| copy()).collect::<Result<Vec<_>, _>>();
    let free = (0..BLOCKS)
        .map(|_| block())
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let numbers = free.iter().flatten().map(AsRawFd::as_raw_fd);
    let highest = numbers.chain([lock.as_raw_fd()]).max()?;
    Some(Reserved {
        cut: highest + 1,
        null,
        free: Mutex::new(free),
    })
}

/// What one child needs is below the cut, until this is dropped.
pub(super) struct Small {
    reserved: &'static Reserved,
    block: Vec<OwnedFd>,
    used: usize,
}

impl Small {
    /// Copies what the child needs, and changes the numbers to those of the copies. `None`: it needs a copy of the
    /// whole table; nothing was changed.
    pub(super) fn new(layout: &Layout, keeper: Option<&AtomicI32>) -> Option<Self> {
        let reserved = RESERVED.get()?;
        let block = reserved.lock().pop()?;
        let mut small = Self {
            reserved,
            block,
            used: 0,
        };
        let mut copies: Vec<(RawFd, RawFd)> = Vec::with_capacity(BLOCK);
        let sources = || layout.sources().chain(keeper);
        for source in sources() {
            let from = source.load(Ordering::Relaxed);
            if from >= reserved.cut && !copies.iter().any(|(of, _)| *of == from) {
                copies.push((from, small.copy(from)?));
            }
        }
        for source in sources() {
            let from = source.load(Ordering::Relaxed);
            if let Some((_, to)) = copies.iter().find(|(of, _)| *of == from) {
                source.store(*to, Ordering::Relaxed);
            }
        }
        Some(small)
    }

    /// `None`: there is no number left for it.
    fn copy(&mut self, from: RawFd) -> Option<RawFd> {
        let to = self.block.get(self.used)?.as_raw_fd();
        self.used += 1;
        // SAFETY: dup3 takes numbers; what it closes is a copy of /dev/null that is ours.
        (unsafe { libc::dup3(from, to, libc::O_CLOEXEC) } == to).then_some(to)
    }

    /// What is not below this number the child does not need.
    pub(super) fn cut(&self) -> RawFd {
        self.reserved.cut
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        for copy in self.block.iter_mut().take(self.used) {
            // Fails never: both are open. If it did, a descriptor would live until the number's next use.
            let _ = rustix::io::dup3(&self.reserved.null, copy, rustix::io::DupFlags::CLOEXEC);
        }
        self.reserved.lock().push(std::mem::take(&mut self.block));
    }
}

impl Reserved {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<OwnedFd>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the child: leaves the table that it shares, with what is below `cut`.
///
/// # Safety
/// To be called by a child that shares its parent's table.
pub(super) unsafe fn leave(cut: RawFd) -> Result<(), i32> {
    // SAFETY: a system call on numbers. The table that anything is closed in is the child's own.
    match unsafe { libc::syscall(libc::SYS_close_range, cut, u32::MAX, UNSHARE) } {
        0 => Ok(()),
        _ => Err(super::child::errno()),
    }
}
