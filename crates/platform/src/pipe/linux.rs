//! FIFOs, stage pipes and splice(2).
#![allow(unsafe_code)] // one block: the disposition of a signal

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::identity::open as open_process;
use crate::spawn::STAGE_END;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::pipe::{PipeFlags, SpliceFlags};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

/// By this a stage is known from a pipe of the program's own: no other has the sticky bit.
const STAGE_MODE: u32 = 0o1600;

/// What a new pipe has room for, where the kernel does not make it smaller (pipe(7)).
pub const USUAL_SIZE: usize = 64 << 10;

/// More than any pipe holds: "all of it" for one call.
const ALL: usize = 16 << 20;

/// Makes the FIFO that a unit writes its output to, or puts an existing one right.
///
/// Its mode is 0622: it lies in a directory of mode 0700, so nobody finds it by its path, but a
/// program that changed its user may reopen `/dev/stdout`. `owner` is the unit's user and group,
/// for programs (nginx, php-fpm) that can only reopen what belongs to them.
///
/// # Errors
/// Those of mkfifo(3), chmod(2) and chown(2); `AlreadyExists` if something else lies there.
pub fn create_fifo(path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    match rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => {
            if !std::fs::symlink_metadata(path)?.file_type().is_fifo() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is no FIFO is in its place",
                ));
            }
        }
        Err(error) => return Err(error.into()),
    }
    // Not through mknod's mode: the umask would take bits away.
    rustix::fs::chmod(path, Mode::from_raw_mode(0o622))?;
    if let Some((user, group)) = owner {
        let now = std::fs::symlink_metadata(path)?;
        if (now.uid(), now.gid()) != (user, group) {
            std::os::unix::fs::lchown(path, Some(user), Some(group))?;
        }
    }
    Ok(())
}

/// Opens a FIFO for holding and for pumping: read-write, so that it never sees an end of file, and
/// non-blocking.
///
/// # Errors
/// Those of open(2).
pub fn hold(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        path,
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )?)
}

/// A fresh write-only description of a held FIFO, blocking, for one run's stdout and stderr.
///
/// Fresh, so that a program that sets `O_NONBLOCK` does it to itself alone; write-only, because a
/// read-write one breaks programs that watch it for a hang-up (asyncio).
///
/// # Errors
/// Those of open(2) on `/proc/self/fd/N`.
pub fn writer(held: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    reopen(held, OFlags::WRONLY)
}

/// A read-only description of a held FIFO, for the run to inherit at a high number: as long as the
/// run has it, its own writes never meet a SIGPIPE, even when nobody else holds the FIFO any more.
///
/// # Errors
/// Those of open(2) on `/proc/self/fd/N`.
pub fn reader(held: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    reopen(held, OFlags::RDONLY | OFlags::NONBLOCK)
}

/// A stage pipe as one read-write, non-blocking descriptor: whoever holds it holds both ends.
///
/// # Errors
/// Those of pipe(2), and of open(2) on `/proc/self/fd/N`.
pub fn stage() -> io::Result<OwnedFd> {
    let (read, _write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fchmod(&read, Mode::from_raw_mode(STAGE_MODE))?;
    reopen(read.as_fd(), OFlags::RDWR | OFlags::NONBLOCK)
}

/// By descriptor and not by path: it is the same pipe even if its name has gone from the directory.
fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::open(
        path,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// The stage that a process of ours still has at [`STAGE_END`] plus `place`: of one description with the
/// process's own. What a process closes last of all waits for the pipe's lock, which is held while a disk
/// hangs; so whoever fills a stage must have the description that the process has, and not one of its own.
/// `None`: it has none there, or has ended.
///
/// # Errors
/// Those of pidfd_getfd(2): this kernel has none (before Linux 5.6), or does not let us.
pub fn stage_of(process: u32, place: u8) -> io::Result<Option<OwnedFd>> {
    use rustix::io::Errno;
    let pidfd = match open_process(process) {
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => return Ok(None),
        other => other?,
    };
    let flags = PidfdGetfdFlags::empty();
    match pidfd_getfd(&pidfd, STAGE_END + i32::from(place), flags) {
        Ok(found) => Ok(is_stage(&found).then_some(found)),
        Err(Errno::BADF | Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same where that is refused: opened anew. For after everybody else who held it has died.
///
/// # Errors
/// Those of open(2).
pub fn stage_reopened(process: u32, place: u8) -> io::Result<Option<OwnedFd>> {
    let link = format!("/proc/{process}/fd/{}", STAGE_END + i32::from(place));
    // Asked of its name: opening something else there may have effects.
    match rustix::fs::stat(&*link) {
        Ok(found) if is_stage_mode(found.st_mode) => {}
        Ok(_) | Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(Some(rustix::fs::open(&*link, flags, Mode::empty())?))
}

/// A program may have closed its stage, and have something of its own there.
fn is_stage(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|found| is_stage_mode(found.st_mode))
}

fn is_stage_mode(mode: u32) -> bool {
    FileType::from_raw_mode(mode) == FileType::Fifo && mode & 0o7777 == STAGE_MODE
}

/// Tells one pipe from another while this machine runs.
///
/// # Errors
/// Those of fstat(2).
pub fn number(pipe: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(rustix::fs::fstat(pipe)?.st_ino)
}

/// Moves what the FIFO holds into the empty stage; returns the bytes moved, 0 when there is nothing.
///
/// # Errors
/// Those of splice(2) but `EAGAIN`.
pub fn fill(fifo: BorrowedFd<'_>, stage: BorrowedFd<'_>) -> io::Result<u64> {
    moved(retry(|| {
        rustix::pipe::splice(fifo, None, stage, None, ALL, SpliceFlags::NONBLOCK)
    }))
}

/// Moves up to `limit` bytes of what the stage holds into `file` at `*offset`, which it advances;
/// returns the bytes moved, 0 when the stage is empty. What could not be moved stays in the stage.
///
/// # Errors
/// Those of the file system (`ENOSPC`, `EIO`, `EFBIG`, …), if nothing was moved; after a part was
/// moved the error comes at the next call. `EINVAL` for a file opened to append.
pub fn drain(stage: BorrowedFd<'_>, file: &File, offset: &mut u64, limit: u64) -> io::Result<u64> {
    let limit = usize::try_from(limit).unwrap_or(ALL).min(ALL);
    moved(retry(|| {
        rustix::pipe::splice(
            stage,
            None,
            file,
            Some(&mut *offset),
            limit,
            SpliceFlags::NONBLOCK,
        )
    }))
}

/// Moves what the FIFO (or stage) holds to `null`, an open `/dev/null`; returns the bytes thrown away.
///
/// # Errors
/// Those of splice(2) but `EAGAIN`.
pub fn discard(pipe: BorrowedFd<'_>, null: BorrowedFd<'_>) -> io::Result<u64> {
    moved(retry(|| {
        rustix::pipe::splice(pipe, None, null, None, ALL, SpliceFlags::NONBLOCK)
    }))
}

fn retry(mut step: impl FnMut() -> rustix::io::Result<usize>) -> rustix::io::Result<usize> {
    loop {
        match step() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}

fn moved(result: rustix::io::Result<usize>) -> io::Result<u64> {
    match result {
        Ok(n) => Ok(n as u64),
        Err(rustix::io::Errno::AGAIN) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Bytes that the pipe holds.
///
/// # Errors
/// Those of ioctl(2) FIONREAD.
pub fn available(pipe: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(pipe)?)
}

/// Whether a writer would have to wait. Asked of the kernel and not computed from the bytes: a pipe
/// is full when its slots are, and a slot may hold a single small write.
///
/// # Errors
/// Those of poll(2).
pub fn is_full(held: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(held, PollFlags::OUT)];
    rustix::event::poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )?;
    Ok(!fds[0].revents().contains(PollFlags::OUT))
}

/// Bytes that the pipe has room for, in all.
///
/// # Errors
/// Those of fcntl(2) F_GETPIPE_SZ.
pub fn size(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    Ok(rustix::pipe::fcntl_getpipe_size(pipe)?)
}

/// Gives the pipe room for this many bytes (rounded up to a power of two pages); returns what it has now.
///
/// # Errors
/// Those of fcntl(2) F_SETPIPE_SZ: `EPERM` beyond what an ordinary user may have, `EBUSY` when it
/// holds more already.
pub fn set_size(pipe: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(rustix::pipe::fcntl_setpipe_size(pipe, bytes)?)
}

/// What all our pipes together may take, and what a single one may, in bytes: half of the user's
/// share, since everything else that the user runs needs pipes too
/// (`/proc/sys/fs/pipe-user-pages-soft` and `pipe-max-size`, pipe(7)).
#[must_use]
pub fn user_budget() -> (u64, usize) {
    let number = |path: &str| {
        std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
    };
    let page = rustix::param::page_size() as u64;
    // 0 means no limit; the kernel's own default is a sane bound then too.
    let pages = number("/proc/sys/fs/pipe-user-pages-soft")
        .filter(|&n| n > 0)
        .unwrap_or(16_384);
    let single = number("/proc/sys/fs/pipe-max-size").unwrap_or(1 << 20);
    (pages * page / 2, usize::try_from(single).unwrap_or(1 << 20))
}

/// Turns the signal that a write beyond `RLIMIT_FSIZE` raises into the error `EFBIG`, for this whole
/// process. Children get the disposition of an ignored signal unless their spawn resets it.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN installs no handler, so no code of ours runs in signal context; the call has
    // no other precondition, and with a valid signal number it cannot fail.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
