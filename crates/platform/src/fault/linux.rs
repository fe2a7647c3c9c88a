//! Only system calls and atomic numbers in shared memory: a half-spawned child, which runs in the
//! memory of its daemon, passes points too.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::{POINTS, SLOT};

const KILL: u32 = 1;
const STOP: u32 = 2;
const HANG: u32 = 3;

/// How often one that hangs looks whether it still is to.
static LOOK: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// See the table in the parent module.
#[repr(C)]
struct Slot {
    passed: AtomicU32,
    done: AtomicU32,
    action: AtomicU32,
    countdown: AtomicU32,
    target: AtomicU32,
    other: AtomicU32,
    spare: [u32; 2],
}

const _: () = assert!(size_of::<Slot>() == SLOT);

/// Where the file is mapped: null until the first point, [`NOWHERE`] if there is none.
static FILE: AtomicPtr<Slot> = AtomicPtr::new(null_mut());

/// No file was named, or it cannot be used.
const NOWHERE: *mut Slot = NonNull::dangling().as_ptr();

/// A process passes here. May be called between clone and exec: nothing is allocated or locked.
///
/// `name` has to be one of [`POINTS`].
pub fn point(name: &'static str) {
    let Some(at) = POINTS.iter().position(|(known, _, _)| *known == name) else {
        return;
    };
    let mut file = FILE.load(Ordering::Acquire);
    if file.is_null() {
        file = map();
        FILE.store(file, Ordering::Release);
    }
    if file != NOWHERE {
        // SAFETY: the mapping has a slot for every point, is never unmapped, and holds nothing but
        // atomic numbers.
        pass(unsafe { &*file.add(at) });
    }
}

/// Maps the file. Of two threads that do so at once one has mapped it in vain, which costs a page.
fn map() -> *mut Slot {
    const NAME: &CStr = c"ABIDE_FAULT_FILE";
    let size = POINTS.len() * SLOT;
    // SAFETY: getenv reads an environment that nothing here changes; the file is opened, measured and
    // mapped with plain numbers, and what is mapped is as large as is used of it.
    unsafe {
        let path = libc::getenv(NAME.as_ptr());
        if path.is_null() {
            return NOWHERE;
        }
        let fd = libc::open(path, libc::O_RDWR | libc::O_CLOEXEC);
        if fd < 0 {
            return NOWHERE;
        }
        let mut stat: libc::stat = std::mem::zeroed();
        let large = libc::fstat(fd, &raw mut stat) == 0 && stat.st_size >= size as i64;
        let mapped = if large {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(null_mut(), size, access, libc::MAP_SHARED, fd, 0)
        } else {
            libc::MAP_FAILED
        };
        libc::close(fd);
        if mapped == libc::MAP_FAILED {
            NOWHERE
        } else {
            mapped.cast()
        }
    }
}

fn pass(slot: &Slot) {
    slot.passed.fetch_add(1, Ordering::Relaxed);
    let action = slot.action.load(Ordering::Acquire);
    if action == 0 {
        return;
    }
    let due = slot
        .countdown
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
    if due != Ok(1) {
        return;
    }
    slot.done.fetch_add(1, Ordering::AcqRel);
    if action == HANG {
        while slot.action.load(Ordering::Acquire) == HANG {
            // SAFETY: sleeps; a signal ends it early.
            unsafe { libc::nanosleep(&raw const LOOK, null_mut()) };
        }
        return;
    }
    slot.action.store(0, Ordering::Release);
    let signal = match action {
        KILL => libc::SIGKILL,
        STOP => libc::SIGSTOP,
        _ => return,
    };
    let other = slot.other.load(Ordering::Acquire);
    if other != 0 {
        send(other, signal);
    }
    match slot.target.load(Ordering::Acquire) {
        // SAFETY: asks for a number. The raw call: in a half-spawned child a cached answer would be
        // the daemon's.
        0 => send(unsafe { libc::syscall(libc::SYS_getpid) } as u32, signal),
        pid => send(pid, signal),
    }
}

/// A process that is gone needs no signal.
fn send(pid: u32, signal: i32) {
    // SAFETY: kill takes numbers.
    unsafe { libc::syscall(libc::SYS_kill, pid, signal) };
}
