//! How everyone else talks to the driver: a queue, and a bell that wakes its epoll.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};

/// The driver's end.
pub struct Inbox<T> {
    receiver: Receiver<T>,
    bell: Arc<Bell>,
}

/// Everyone else's end; cheap to clone.
pub struct Mailbox<T> {
    sender: Sender<T>,
    bell: Arc<Bell>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            bell: Arc::clone(&self.bell),
        }
    }
}

struct Bell {
    fd: OwnedFd,
    /// Rung and not yet answered: a burst of messages costs one system call.
    rung: AtomicBool,
}

/// Makes the two ends.
///
/// # Errors
/// No descriptor is to be had.
pub fn inbox<T>() -> io::Result<(Mailbox<T>, Inbox<T>)> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let bell = Arc::new(Bell {
        fd,
        rung: AtomicBool::new(false),
    });
    let (sender, receiver) = channel();
    Ok((
        Mailbox {
            sender,
            bell: Arc::clone(&bell),
        },
        Inbox { receiver, bell },
    ))
}

impl<T> Mailbox<T> {
    /// Queues a message; the driver wakes up for it. A driver that is gone gets none.
    pub fn send(&self, message: T) {
        if self.sender.send(message).is_err() {
            return;
        }
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            // Fails only when the counter is full, and then the bell rings already.
            let _ = rustix::io::write(&self.bell.fd, &1u64.to_ne_bytes());
        }
    }
}

impl<T> Inbox<T> {
    /// Takes all that is there; called when the bell rang.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        let mut count = [0; 8];
        // An empty bell is no error: a message may have been taken with an earlier ring.
        let _ = rustix::io::read(&self.bell.fd, &mut count);
        // Before the queue is looked at: whoever queues after this rings anew.
        self.bell.rung.store(false, Ordering::Release);
        self.receiver.try_iter()
    }
}

impl<T> AsFd for Inbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.fd.as_fd()
    }
}
