//! Making the process: with clone3 into its control group where the kernel can, else with clone.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// What the child runs on until its program has a stack of its own.
const STACK: usize = 32 * 1024;

#[repr(C, align(16))]
struct Stack([MaybeUninit<u8>; STACK]);

/// linux/sched.h, of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Linux 5.5: what has a handler is at its default in the child.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// A process that has executed its program, or ended.
pub(super) struct Cloned {
    pub pid: u32,
    pub pidfd: Option<OwnedFd>,
}

/// How the new process gets into its control group.
#[derive(Clone, Copy)]
pub(super) enum Into {
    /// It has none, or enters by itself. With clone3, so that no signal has a handler any more.
    Nothing,
    /// The same with clone, for older kernels and sandboxes.
    NothingByClone,
    /// It is born in it.
    Group(RawFd),
}

/// Blocks every signal of this thread until dropped: a handler in the child would run in our memory.
struct Blocked([u8; 8]);

impl Blocked {
    fn new() -> Self {
        let (all, mut before) = ([0xff_u8; 8], [0_u8; 8]);
        // SAFETY: both sets have the kernel's size of 8 bytes.
        unsafe {
            let (new, old) = (all.as_ptr(), before.as_mut_ptr());
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                new,
                old,
                8_usize,
            );
        }
        Self(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            let old = self.0.as_ptr();
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                old,
                0_usize,
                8_usize,
            );
        }
    }
}

/// Makes a child, of our parent when `of_parent`, that calls `begin(argument)` in our memory while
/// this thread waits until it has executed a program or ended. With `shares_table` it begins in our table of descriptors, and not with a copy.
///
/// # Safety
/// `begin` must not return, and must do nothing that may not be done between vfork and exec.
pub(super) unsafe fn clone(
    begin: extern "C" fn(*mut c_void) -> libc::c_int,
    argument: *mut c_void,
    of_parent: bool,
    shares_table: bool,
    into: Into,
) -> io::Result<Cloned> {
    let mut stack = Stack([MaybeUninit::uninit(); STACK]);
    let bottom: *mut u8 = (&raw mut stack).cast();
    let _blocked = Blocked::new();
    let mut pidfd: RawFd = -1;
    let flag = |wanted: bool, flag| if wanted { flag } else { 0 };
    let base = libc::CLONE_VM
        | libc::CLONE_VFORK
        | flag(of_parent, libc::CLONE_PARENT)
        | flag(shares_table, libc::CLONE_FILES);

    let group = match into {
        Into::Group(group) => Some(Some(group)),
        Into::Nothing => Some(None),
        Into::NothingByClone => None,
    };
    if let Some(group) = group {
        let into = if group.is_some() {
            CLONE_INTO_CGROUP
        } else {
            0
        };
        let flags = u64::from((base | libc::CLONE_PIDFD).cast_unsigned());
        let mut args = CloneArgs {
            flags: flags | CLONE_CLEAR_SIGHAND | into,
            pidfd: (&raw mut pidfd) as u64,
            // With CLONE_PARENT the parent's own is taken, and none may be given (clone(2)).
            exit_signal: if of_parent { 0 } else { libc::SIGCHLD as u64 },
            stack: bottom as u64,
            stack_size: STACK as u64,
            cgroup: group.map_or(0, |group| group as u64),
            ..CloneArgs::default()
        };
        // SAFETY: the stack is ours and large enough, the thread waits while it is used.
        return match unsafe { clone3(&raw mut args, begin, argument) } {
            pid if pid > 0 => Ok(Cloned {
                pid: pid as u32,
                pidfd: own(pidfd),
            }),
            error => Err(io::Error::from_raw_os_error(
                i32::try_from(-error).unwrap_or(libc::EINVAL),
            )),
        };
    }
    // SAFETY: as above; the stack grows down from its end, which is aligned to 16 bytes.
    unsafe {
        let top: *mut c_void = bottom.add(STACK).cast();
        let flags = base | libc::SIGCHLD;
        let mut pid = libc::clone(
            begin,
            top,
            flags | libc::CLONE_PIDFD,
            argument,
            &raw mut pidfd,
        );
        if pid < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
            // Before Linux 5.2.
            pid = libc::clone(begin, top, flags, argument);
        }
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Cloned {
            pid: pid as u32,
            pidfd: own(pidfd),
        })
    }
}

fn own(pidfd: RawFd) -> Option<OwnedFd> {
    // SAFETY: clone has just opened it for us, close-on-exec.
    (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) })
}

/// The system call, and in the child a call of `begin` on the stack that `args` names.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(
    args: *mut CloneArgs,
    begin: extern "C" fn(*mut c_void) -> libc::c_int,
    argument: *mut c_void,
) -> isize {
    let result: isize;
    // SAFETY: the caller's. The child has its own stack and registers and never leaves `begin`;
    // in the parent the call changes what a system call changes.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") args,
            in("rsi") size_of::<CloneArgs>(),
            in("r8") begin,
            in("r9") argument,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// The system call, and in the child a call of `begin` on the stack that `args` names.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(
    args: *mut CloneArgs,
    begin: extern "C" fn(*mut c_void) -> libc::c_int,
    argument: *mut c_void,
) -> isize {
    let result: isize;
    // SAFETY: as for x86-64.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            inout("x0") args as isize => result,
            in("x1") size_of::<CloneArgs>(),
            in("x8") libc::SYS_clone3,
            in("x9") begin,
            in("x10") argument,
        );
    }
    result
}

/// Elsewhere the child enters its group by itself.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn clone3(
    _: *mut CloneArgs,
    _: extern "C" fn(*mut c_void) -> libc::c_int,
    _: *mut c_void,
) -> isize {
    -(libc::ENOSYS as isize)
}
