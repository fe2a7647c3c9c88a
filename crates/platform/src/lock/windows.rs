#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::Path;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
};
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};

use super::LockError;
use crate::clock::now;
use crate::identity::{Identity, identify};
use crate::win32::{checked, code, raw};

/// A home that is ours, until this is dropped or this process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl AsHandle for Lock {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.file.as_handle()
    }
}

/// Who has locked some bytes is the only one who may read them: so it is one that no file has.
const FAR_BEYOND: u32 = 0x4000_0000;

/// How long to wait between two tries, while the last daemon's end is not yet through.
const PAUSE: Duration = Duration::from_millis(2);

/// Locks a home (its file `lock`). A live daemon's lock is refused at once, with its process id; that of one
/// which has just been killed is waited for, at most `wait`. A program that it was just starting is not:
/// it dies with its job before its first instruction.
///
/// # Errors
/// [`LockError`].
pub fn acquire(home: &Path, wait: Duration) -> Result<Lock, LockError> {
    acquire_file(home, "lock", wait, false)
}

/// The keeper's own lock. A keeper that was just killed may hold it for an instant longer than its
/// line. `insist`: waits for another keeper, too, that may be about to end.
pub(crate) fn acquire_keeper(home: &Path, insist: bool) -> Result<Lock, LockError> {
    acquire_file(home, "keeper.lock", Duration::from_secs(2), insist)
}

fn acquire_file(home: &Path, name: &str, wait: Duration, insist: bool) -> Result<Lock, LockError> {
    let path = home.join(name);
    let io = |source| LockError::Io {
        path: path.clone(),
        source,
    };
    let mut file = open(&path).map_err(io)?;
    let deadline = now().mono.after(wait);
    while !try_lock(&file).map_err(io)? {
        let over = now().mono >= deadline;
        if let Some(pid) = live_holder(&mut file).filter(|_| over || !insist) {
            return Err(LockError::Held {
                home: home.to_owned(),
                pid,
            });
        }
        if over {
            return Err(LockError::Busy {
                home: home.to_owned(),
            });
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a lock's end has no event that can be waited for with a limit"
        )]
        std::thread::sleep(PAUSE);
    }
    write_holder(&mut file).map_err(io)?;
    Ok(Lock { file })
}

/// The process id of the live daemon that holds a home, if one does.
#[must_use]
pub fn holder(home: &Path) -> Option<u32> {
    holder_of(&home.join("lock"))
}

/// The process id of the live keeper of a home, if there is one.
#[must_use]
pub fn keeper(home: &Path) -> Option<u32> {
    holder_of(&home.join("keeper.lock"))
}

fn holder_of(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    // Whoever let go of it may still live. The file is closed with this, and so is the lock.
    if try_lock(&file).unwrap_or(false) {
        return None;
    }
    live_holder(&mut file)
}

fn open(path: &Path) -> io::Result<File> {
    // The standard library opens so that nobody inherits it.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn try_lock(file: &File) -> io::Result<bool> {
    let mut place = OVERLAPPED {
        Anonymous: OVERLAPPED_0 {
            Anonymous: OVERLAPPED_0_0 {
                Offset: 0,
                OffsetHigh: FAR_BEYOND,
            },
        },
        ..OVERLAPPED::default()
    };
    let flags = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the file is ours, and was opened so that this is through when it returns.
    let locked = checked(unsafe { LockFileEx(raw(file), flags, 0, 1, 0, &mut place) });
    match locked {
        Ok(()) => Ok(true),
        Err(error) => match code(&error) {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        },
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let Identity { pid, start, .. } = identify(std::process::id()).unwrap_or_default();
    let text = format!("{pid} {}", start.unwrap_or_default());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{text:<62}\n").as_bytes())
}

/// Who wrote itself into the file, if that very process is still alive.
fn live_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(256).read_to_string(&mut text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let pid: u32 = words.next()?.parse().ok()?;
    let start: u64 = words.next()?.parse().ok()?;
    let now = identify(pid)?;
    (now.pid == pid && now.start == Some(start)).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_owner_who_is_known_and_the_next_one_follows() {
        let home = tempfile::tempdir().expect("a directory");
        let home = home.path();
        assert_eq!(holder(home), None);
        let lock = acquire(home, Duration::ZERO).expect("it is free");
        assert_eq!(holder(home), Some(std::process::id()));
        let refused = acquire(home, Duration::from_secs(60)).expect_err("it is taken");
        assert!(
            matches!(refused, LockError::Held { pid, .. } if pid == std::process::id()),
            "{refused}"
        );
        assert_eq!(keeper(home), None);
        drop(lock);
        assert_eq!(holder(home), None);
        acquire(home, Duration::from_secs(60)).expect("it is free again");
    }
}
