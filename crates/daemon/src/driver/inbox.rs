//! How everyone else talks to the driver: a queue, and a bell that wakes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use abide_platform::poll::{self, Poll};

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
    bell: poll::Bell,
    /// Rung and not yet answered: a burst of messages costs one system call.
    rung: AtomicBool,
}

/// Makes the two ends. `poll` tells this token when there is something to drain.
///
/// # Errors
/// Those of [`poll::Bell::new`].
pub fn inbox<T>(poll: &Poll, token: u64) -> io::Result<(Mailbox<T>, Inbox<T>)> {
    let bell = Arc::new(Bell {
        bell: poll::Bell::new(poll, token)?,
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
            self.bell.bell.ring();
        }
    }
}

impl<T> Inbox<T> {
    /// Takes all that is there; called when the bell rang.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        // It may be silent already: a message may have been taken with an earlier ring.
        self.bell.bell.clear();
        // Before the queue is looked at: whoever queues after this rings anew.
        self.bell.rung.store(false, Ordering::Release);
        self.receiver.try_iter()
    }
}
