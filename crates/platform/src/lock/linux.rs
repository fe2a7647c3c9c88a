use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::LockError;
use crate::clock::{boot, now};

/// A home that is ours, until this is dropped and every child that we spawned has executed its program.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<Lock> for OwnedFd {
    fn from(lock: Lock) -> Self {
        lock.file.into()
    }
}

/// How long to wait between two tries. Only while a child of a dead daemon is about to execute.
const PAUSE: Duration = Duration::from_millis(2);

/// Locks a home (its file `lock`). A live daemon's lock is refused at once, with its process id; a
/// half-spawned child of a dead one is waited for, at most `wait`.
///
/// # Errors
/// [`LockError`].
pub fn acquire(home: &Path, wait: Duration) -> Result<Lock, LockError> {
    acquire_file(home, "lock", wait, false)
}

/// The keeper's own lock. A keeper that was just killed may hold it for an instant longer than its
/// socket. `insist`: waits for another keeper, too, that may be about to end.
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
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(io(e.into())),
        }
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
            reason = "flock has no time limit, and its end no other event"
        )]
        std::thread::sleep(PAUSE);
    }
    match write_holder(&mut file) {
        Ok(()) => {}
        // Who holds it is a courtesy; that it is held is what counts.
        Err(e) if e.kind() == io::ErrorKind::StorageFull => {}
        Err(e) => return Err(io(e)),
    }
    Ok(Lock { file })
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let pid = std::process::id();
    let start = crate::identity::stat_of(pid).map_or(0, |stat| stat.start);
    // Padded to one length, so that it is overwritten in place also on a full disk.
    let text = format!("{pid} {} {start}", boot());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{text:<126}\n").as_bytes())
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
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => live_holder(&mut file),
    }
}

fn open(path: &Path) -> io::Result<File> {
    // The standard library opens close-on-exec.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Who wrote itself into the file, if that very process is still alive.
fn live_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(256).read_to_string(&mut text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let pid: u32 = words.next()?.parse().ok()?;
    let then = words.next()?.parse().ok()?;
    let start: u64 = words.next()?.parse().ok()?;
    let now = crate::identity::stat_of(pid)?;
    let lives = !matches!(now.state, b'Z' | b'X') && now.start == start && boot() == then;
    lives.then_some(pid)
}
