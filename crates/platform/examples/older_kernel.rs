//! Runs a program as if on an older kernel: `older_kernel VERSION PROGRAM [ARGUMENT]...`.
//!
//! System calls that came after that version of Linux answer what they answered before there were any,
//! mostly `ENOSYS`, to the program and to all that it starts: a seccomp filter, which nobody can take off
//! again. What is not behind a system call of its own (files in `/proc` and in control groups, the inode
//! numbers of pidfds) stays as it is; `cargo xtask vm` has a kernel that really lacks it.
//!
//! For tests only. `docs/kernels.md` has the table that this one is the other half of.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

/// One thing that a kernel has since a version.
struct Since {
    version: (u32, u32),
    call: libc::c_long,
    /// Only where this argument, as far as the mask goes, has this value.
    only: Option<(u32, u32, u32)>,
    /// What older ones answer.
    answer: i32,
}

const fn call(version: (u32, u32), call: libc::c_long) -> Since {
    Since {
        version,
        call,
        only: None,
        answer: libc::ENOSYS,
    }
}

const fn only(
    version: (u32, u32),
    call: libc::c_long,
    argument: u32,
    (mask, value): (u32, u32),
    answer: i32,
) -> Since {
    Since {
        version,
        call,
        only: Some((argument, mask, value)),
        answer,
    }
}

/// Any value of 32 bits.
const ALL: u32 = u32::MAX;
/// PIDFD_GET_INFO without the size that is coded in it (linux/pidfd.h).
const PIDFD_GET_INFO: (u32, u32) = (0xffff, 0xff0b);
const SO_PEERPIDFD: u32 = 77;
const CLONE_PIDFD: u32 = 0x1000;
const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

/// Later than 4.18, oldest first.
const TABLE: &[Since] = &[
    call((5, 1), libc::SYS_pidfd_send_signal),
    call((5, 1), libc::SYS_io_uring_setup),
    // Older ones take no notice of the flag, which a filter cannot do; both lead to the same way around.
    only(
        (5, 2),
        libc::SYS_clone,
        0,
        (CLONE_PIDFD, CLONE_PIDFD),
        libc::EINVAL,
    ),
    call((5, 2), libc::SYS_open_tree),
    call((5, 2), libc::SYS_move_mount),
    call((5, 2), libc::SYS_fsopen),
    call((5, 3), libc::SYS_pidfd_open),
    only((5, 4), libc::SYS_waitid, 0, (ALL, 3), libc::EINVAL), // P_PIDFD
    call((5, 6), libc::SYS_openat2),
    call((5, 6), libc::SYS_pidfd_getfd),
    // There since 5.3, but without CLONE_INTO_CGROUP, and a filter does not see its flags.
    call((5, 7), libc::SYS_clone3),
    call((5, 8), libc::SYS_faccessat2),
    call((5, 9), libc::SYS_close_range),
    only(
        (5, 11),
        libc::SYS_close_range,
        2,
        (CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_CLOEXEC),
        libc::EINVAL,
    ),
    call((5, 11), libc::SYS_epoll_pwait2),
    call((5, 12), libc::SYS_mount_setattr),
    call((5, 13), libc::SYS_landlock_create_ruleset),
    call((5, 16), libc::SYS_futex_waitv),
    only(
        (6, 5),
        libc::SYS_getsockopt,
        2,
        (ALL, SO_PEERPIDFD),
        libc::ENOPROTOOPT,
    ),
    call((6, 6), libc::SYS_fchmodat2),
    // Tells pidfds of their own file system from those that are all one inode. Nothing else here needs it.
    call((6, 9), libc::SYS_fstatfs),
    only((6, 13), libc::SYS_ioctl, 1, PIDFD_GET_INFO, libc::ENOTTY),
];

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xC000_003E; // AUDIT_ARCH_X86_64 (linux/audit.h)
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xC000_00B7; // AUDIT_ARCH_AARCH64

// struct seccomp_data (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The lower half of an argument, on a little-endian machine.
const fn argument(at: u32) -> u32 {
    16 + 8 * at
}

const fn step(code: u32, k: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: if_true,
        jf: if_false,
        k,
    }
}

const fn load(offset: u32) -> libc::sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

const fn answer(with: u32) -> libc::sock_filter {
    step(BPF_RET | BPF_K, with, 0, 0)
}

/// Goes on if equal, else passes over so many steps.
const fn equal_or_skip(value: u32, skip: u8) -> libc::sock_filter {
    step(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
}

fn filter(kernel: (u32, u32)) -> Vec<libc::sock_filter> {
    let mut steps = vec![
        load(ARCHITECTURE),
        step(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    for since in TABLE.iter().filter(|since| since.version > kernel) {
        let refused = answer(libc::SECCOMP_RET_ERRNO | since.answer.cast_unsigned());
        let number = u32::try_from(since.call).unwrap_or(u32::MAX);
        steps.push(load(NUMBER));
        match since.only {
            None => steps.extend([equal_or_skip(number, 1), refused]),
            Some((at, mask, value)) => steps.extend([
                equal_or_skip(number, 4),
                load(argument(at)),
                step(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0),
                equal_or_skip(value, 1),
                refused,
            ]),
        }
    }
    steps.push(answer(libc::SECCOMP_RET_ALLOW));
    steps
}

/// From here on, and for every program that is started from here.
fn become_older(kernel: (u32, u32)) -> io::Result<()> {
    let mut steps = filter(kernel);
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).unwrap_or(u16::MAX),
        filter: steps.as_mut_ptr(),
    };
    let install = || {
        // SAFETY: the program and its steps live; the kernel copies them.
        match unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const program,
            )
        } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    match install() {
        // Who is not root has to give up setuid programs for it (seccomp(2)).
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: prctl takes numbers here.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            install()
        }
        result => result,
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let kernel = words.next().and_then(|word| version(word.to_str()?));
    let (Some(kernel), Some(program)) = (kernel, words.next()) else {
        eprintln!(
            "usage: older_kernel VERSION PROGRAM [ARGUMENT]..., for example: older_kernel 4.18 abide up"
        );
        return ExitCode::from(2);
    };
    if let Err(error) = become_older(kernel) {
        eprintln!("cannot become an older kernel: {error}");
        return ExitCode::from(126);
    }
    let error = Command::new(&program).args(words).exec();
    eprintln!("cannot execute {}: {error}", program.display());
    ExitCode::from(127)
}
