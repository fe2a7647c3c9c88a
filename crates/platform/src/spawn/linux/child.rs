//! The child, from its birth to its program. It runs in the memory of the daemon, which waits:
//! system calls only, no allocation, no lock, no panic.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::Ordering;

use super::plan::Plan;
use super::table::leave;
use crate::fault::point;
use crate::identity::record_size;
use crate::keeper::wire::Frame;
use crate::keeper::{RunEntry, RunState};
use crate::spawn::Step;

/// The highest signal number, and the bytes of the kernel's signal set.
const SIGNALS: i32 = 64;
pub(super) const SET: usize = 8;

/// The kernel's struct sigaction, by default SIG_DFL. Its words are as long as the machine's, and the set is not.
#[repr(C)]
#[derive(Default)]
pub(super) struct Action {
    pub(super) handler: libc::sighandler_t,
    flags: libc::c_ulong,
    restorer: usize,
    mask: [u8; SET],
}

/// What a program that was not executed exits with (as in a shell).
const NOT_EXECUTED: i32 = 127;

/// Where the child begins; `plan` is a [`Plan`].
pub(super) extern "C" fn begin(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent gives a pointer to a Plan that lives, and that nobody else touches, until
    // this process has executed its program or ended.
    unsafe {
        let plan = &*plan.cast::<Plan<'_>>().cast_const();
        plan.begun.store(1, Ordering::Relaxed);
        let pid = libc::syscall(libc::SYS_getpid) as u32;
        if let Err((step, errno)) = go(plan, pid) {
            plan.failed_errno.store(errno, Ordering::Relaxed);
            plan.failed_step.store(step as u32, Ordering::Release);
            // It did not even begin when this fails too; then the exit code says it.
            let _ = tell_keeper(plan, pid, RunState::ExecFailed { step, errno });
        }
        libc::_exit(NOT_EXECUTED)
    }
}

pub(super) fn errno() -> i32 {
    // SAFETY: the location is that of the thread that waits for us.
    unsafe { *libc::__errno_location() }
}

fn check(step: Step, result: libc::c_int) -> Result<(), (Step, i32)> {
    if result == -1 {
        Err((step, errno()))
    } else {
        Ok(())
    }
}

/// Returns only with an error.
unsafe fn go(plan: &Plan<'_>, pid: u32) -> Result<(), (Step, i32)> {
    // SAFETY: plain system calls on numbers and on memory of the plan.
    unsafe {
        point("spawn.born");
        plan.tree.set_leader(pid);
        default_signals(plan);
        check(Step::Session, libc::setsid())?;
        for procs in &plan.group_procs {
            let wrote = libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1);
            check(Step::Group, if wrote < 0 { -1 } else { 0 })?;
        }
        tell_keeper(plan, pid, RunState::Running).map_err(|errno| (Step::Record, errno))?;
        plan.recorded.store(1, Ordering::Relaxed);
        point("spawn.told");
        write_record(plan, pid);
        point("spawn.recorded");
        plan.envp.set_pid(pid);
        descriptors(plan)?;
        limits(plan)?;
        if let Some(nice) = plan.nice {
            check(
                Step::Priority,
                libc::setpriority(libc::PRIO_PROCESS, 0, nice),
            )?;
        }
        if let Some(mask) = &plan.affinity {
            // Processors that are not there are left out by the kernel; it refuses when none is left.
            let size = std::mem::size_of_val(mask);
            let set = libc::syscall(libc::SYS_sched_setaffinity, 0, size, mask.as_ptr());
            plan.without_affinity.store(set < 0, Ordering::Relaxed);
        }
        if let Some((text, asked)) = &plan.oom_score {
            let done = write_file(c"/proc/self/oom_score_adj", text.to_bytes());
            if let Err(errno) = done
                && *asked
            {
                return Err((Step::OomScore, errno));
            }
        }
        credentials(plan)?;
        libc::umask(plan.umask);
        check(Step::Directory, libc::chdir(plan.directory.as_ptr()))?;
        point("spawn.execute");
        execute(plan)
    }
}

/// All dispositions at their default; programs inherit those that are ignored.
unsafe fn default_signals(plan: &Plan<'_>) {
    let default = Action::default();
    for signal in 1..=SIGNALS {
        if !plan.handled_signals && plan.ignored_signals >> (signal - 1) & 1 == 0 {
            continue;
        }
        // SAFETY: `default` is the kernel's structure. SIGKILL and SIGSTOP are refused, rightly.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                0_usize,
                SET,
            );
        }
    }
}

/// One datagram to the keeper. It may wait until the keeper has read others.
unsafe fn tell_keeper(plan: &Plan<'_>, pid: u32, state: RunState) -> Result<(), i32> {
    let Some(socket) = &plan.keeper else {
        return Ok(());
    };
    let socket = socket.load(Ordering::Relaxed);
    let entry = RunEntry {
        unit: plan.unit,
        run: plan.run,
        pid,
        state,
    };
    let bytes = Frame::of_run(entry).to_bytes();
    loop {
        // SAFETY: sends and polls plain memory of this function.
        unsafe {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            if libc::send(socket, bytes.as_ptr().cast(), bytes.len(), flags) >= 0 {
                return Ok(());
            }
            match errno() {
                libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM => {
                    let mut fd = libc::pollfd {
                        fd: socket,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    libc::poll(&raw mut fd, 1, 1000);
                }
                libc::EINTR => {}
                error => return Err(error),
            }
        }
    }
}

/// A line put together without allocation; what does not fit is dropped.
struct Line {
    bytes: [u8; record_size()],
    len: usize,
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, mut number: u64) {
        let mut digits = [0_u8; 20];
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
            used += 1;
            if number == 0 {
                break;
            }
        }
        for digit in digits.iter().skip(20 - used) {
            self.push(std::slice::from_ref(digit));
        }
    }
}

/// Writes `run/UNIT/record`. Not being able to is no reason not to run: the keeper knows.
unsafe fn write_record(plan: &Plan<'_>, pid: u32) {
    let Some(record) = &plan.record else { return };
    let mut line = Line {
        bytes: [b' '; record_size()],
        len: 0,
    };
    line.push(&plan.record_head);
    line.push(b"pid=");
    line.push_number(u64::from(pid));
    // SAFETY: system calls on numbers and on memory of this function.
    unsafe {
        if plan.by_inode {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as RawFd;
            if fd >= 0 {
                let mut stat: libc::stat = std::mem::zeroed();
                if libc::fstat(fd, &raw mut stat) == 0 {
                    line.push(b"\ninode=");
                    line.push_number(stat.st_ino);
                }
                libc::close(fd);
            }
        } else if let Some(start) = start_time() {
            line.push(b"\nstart=");
            line.push_number(start);
        }
        line.push(b"\nend=1\n");
        libc::pwrite(
            record.as_raw_fd(),
            line.bytes.as_ptr().cast(),
            line.bytes.len(),
            0,
        );
    }
}

/// Field 22 of our own `/proc/self/stat`.
unsafe fn start_time() -> Option<u64> {
    let mut text = [0_u8; 1024];
    // SAFETY: reads at most the size of `text`.
    let read = unsafe {
        let fd = libc::open(
            c"/proc/self/stat".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if fd < 0 {
            return None;
        }
        let read = libc::read(fd, text.as_mut_ptr().cast(), text.len());
        libc::close(fd);
        read
    };
    let text = text.get(..usize::try_from(read).ok()?)?;
    crate::identity::parse_stat(text).map(|stat| stat.start)
}

unsafe fn write_file(path: &std::ffi::CStr, text: &[u8]) -> Result<(), i32> {
    // SAFETY: system calls on a path and a slice that live.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(errno());
        }
        let wrote = libc::write(fd, text.as_ptr().cast(), text.len());
        let error = errno();
        libc::close(fd);
        if wrote < 0 { Err(error) } else { Ok(()) }
    }
}

/// Everything closes on exec (and not before: the home's lock and the keeper's socket are needed
/// until then), but for what the program is to find.
unsafe fn descriptors(plan: &Plan<'_>) -> Result<(), (Step, i32)> {
    const CLOEXEC: u32 = 1 << 2; // CLOSE_RANGE_CLOEXEC, Linux 5.11
    // SAFETY: system calls on numbers; in a table of its own if it leaves the shared one, and in none other.
    unsafe {
        if let Some(small) = &plan.small {
            leave(small.cut()).map_err(|errno| (Step::Descriptors, errno))?;
        }
        if libc::syscall(libc::SYS_close_range, 3, u32::MAX, CLOEXEC) != 0 {
            close_all_on_exec();
        }
        let laid_out = plan.layout.lay_out(plan.keeper.as_ref());
        laid_out.map_err(|errno| (Step::Descriptors, errno))
    }
}

/// For kernels without close_range: every number that is open, or where `/proc` does not tell, that may be.
/// (There may be a million of those, which takes as long as many spawns.)
unsafe fn close_all_on_exec() {
    // SAFETY: system calls on numbers and on a structure of this function.
    unsafe {
        if close_listed_on_exec() {
            return;
        }
        let mut limit: libc::rlimit64 = std::mem::zeroed();
        let most = match libc::getrlimit64(libc::RLIMIT_NOFILE, &raw mut limit) {
            0 => limit.rlim_cur.min(1 << 20),
            _ => 1 << 16,
        };
        for fd in 3..i32::try_from(most).unwrap_or(i32::MAX) {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// False: the list cannot be read.
unsafe fn close_listed_on_exec() -> bool {
    let mut list = [0_u8; 2048];
    // SAFETY: system calls on numbers; the kernel writes at most the size of `list`.
    unsafe {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let dir = libc::open(c"/proc/self/fd".as_ptr(), flags);
        if dir < 0 {
            return false;
        }
        let whole = loop {
            let read = libc::syscall(libc::SYS_getdents64, dir, list.as_mut_ptr(), list.len());
            let Some(mut entries) = usize::try_from(read).ok().and_then(|n| list.get(..n)) else {
                break false;
            };
            if entries.is_empty() {
                break true;
            }
            while let Some((fd, rest)) = next_number(entries) {
                if let Some(fd) = fd.filter(|fd| *fd > 2) {
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                }
                entries = rest;
            }
        };
        libc::close(dir);
        whole
    }
}

/// The number that is an entry's name, if it is one, and the entries after it: struct linux_dirent64 of
/// getdents64(2).
fn next_number(entries: &[u8]) -> Option<(Option<RawFd>, &[u8])> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = u16::from_ne_bytes([*entries.get(LENGTH)?, *entries.get(LENGTH + 1)?]).into();
    let name = entries.get(NAME..length)?;
    let mut number: Option<RawFd> = None;
    for byte in name.iter().take_while(|byte| **byte != 0) {
        if !byte.is_ascii_digit() {
            number = None;
            break;
        }
        let digit = RawFd::from(byte - b'0');
        let before = number.unwrap_or(0).checked_mul(10)?;
        number = Some(before.checked_add(digit)?);
    }
    Some((number, entries.get(length..)?))
}

unsafe fn limits(plan: &Plan<'_>) -> Result<(), (Step, i32)> {
    for (at, limit) in plan.limits.iter().enumerate() {
        let value = libc::rlimit64 {
            rlim_cur: limit.soft.min(limit.hard),
            rlim_max: limit.hard,
        };
        // SAFETY: prlimit64 reads one structure. The raw call, since libcs differ in its type.
        let result = unsafe {
            libc::syscall(
                libc::SYS_prlimit64,
                0,
                limit.resource,
                &raw const value,
                0_usize,
            )
        };
        if result != 0 && !limit.optional {
            plan.failed_at
                .store(u32::try_from(at).unwrap_or(0) + 1, Ordering::Relaxed);
            return Err((Step::Limits, errno()));
        }
    }
    Ok(())
}

/// The calls that take numbers of 32 bits. On ARM the plain names are those of older ones, which take 16.
#[cfg(not(target_arch = "arm"))]
const SET_GROUPS: libc::c_long = libc::SYS_setgroups;
#[cfg(not(target_arch = "arm"))]
const SET_GID: libc::c_long = libc::SYS_setresgid;
#[cfg(not(target_arch = "arm"))]
const SET_UID: libc::c_long = libc::SYS_setresuid;
#[cfg(target_arch = "arm")]
const SET_GROUPS: libc::c_long = libc::SYS_setgroups32;
#[cfg(target_arch = "arm")]
const SET_GID: libc::c_long = libc::SYS_setresgid32;
#[cfg(target_arch = "arm")]
const SET_UID: libc::c_long = libc::SYS_setresuid32;

/// The raw calls: those of the C library would change every thread of the daemon (nptl(7)).
unsafe fn credentials(plan: &Plan<'_>) -> Result<(), (Step, i32)> {
    let Some(whom) = &plan.credentials else {
        return Ok(());
    };
    // SAFETY: system calls on numbers and on a list of known length.
    let failed = unsafe {
        libc::syscall(SET_GROUPS, whom.groups.len(), whom.groups.as_ptr()) != 0
            || libc::syscall(SET_GID, whom.gid, whom.gid, whom.gid) != 0
            || libc::syscall(SET_UID, whom.uid, whom.uid, whom.uid) != 0
    };
    if failed {
        Err((Step::User, errno()))
    } else {
        Ok(())
    }
}

/// Tries every place that the program may be at, like execvp(3).
unsafe fn execute(plan: &Plan<'_>) -> Result<(), (Step, i32)> {
    let nothing = [0_u8; SET];
    let mut error = libc::ENOENT;
    // SAFETY: strings and arrays of the plan, null-terminated; the empty mask is SET bytes.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            nothing.as_ptr(),
            0_usize,
            SET,
        );
        for program in &plan.programs {
            libc::execve(program.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr());
            match errno() {
                // Not here, or not for us: perhaps in the next place.
                libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ESTALE => {}
                libc::EACCES => error = libc::EACCES,
                other => return Err((Step::Execute, other)),
            }
        }
    }
    Err((Step::Execute, error))
}
