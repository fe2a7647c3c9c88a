//! How the sweeper sleeps.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::Hunt;
use crate::clock::now;

/// Wakes the sweeper, from any thread.
#[derive(Clone, Debug)]
pub(in crate::tree) struct Wake(Arc<OwnedFd>);

impl Wake {
    pub(in crate::tree) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?)))
    }

    pub(in crate::tree) fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    pub(in crate::tree) fn clear(&self) {
        // Nothing to read is as good as read.
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

/// Sleeps until a hunt is due, something that it waits for has happened, or it is woken.
pub(in crate::tree) fn wait(hunts: &mut [Hunt], wake: &Wake) {
    let timeout = hunts.iter().map(Hunt::next).min().map(|next| {
        let left = next.since(now().mono);
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        }
    });
    let mut owners = vec![usize::MAX];
    let mut fds = vec![PollFd::new(&*wake.0, PollFlags::IN)];
    for (at, hunt) in hunts.iter().enumerate() {
        for (fd, events) in hunt.descriptors() {
            owners.push(at);
            fds.push(PollFd::from_borrowed_fd(fd, events));
        }
    }
    // An interrupted or failed wait is a short one.
    let _ = poll(&mut fds, timeout.as_ref());
    let ready: Vec<usize> = fds
        .iter()
        .zip(owners)
        .filter(|(fd, _)| !fd.revents().is_empty())
        .map(|(_, owner)| owner)
        .collect();
    for owner in ready {
        if let Some(hunt) = hunts.get_mut(owner) {
            hunt.hurry();
        }
    }
}
