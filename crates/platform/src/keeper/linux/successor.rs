//! A daemon's start beside the one that it is to take over from.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::inherited::duplicate;
use super::socket::{Received, Sent, receive, send};
use super::{KEEPER_FD, SUCCESSOR, hand_over};
use crate::keeper::wire::{Frame, Kind, TABLE};
use crate::keeper::{KEEPER_VERSION, Launch, LinkError};
use crate::{clock, lock};

/// How long the daemon before may take to end, once it has been told to.
const LET_GO_WITHIN: Duration = Duration::from_secs(60);

/// How often to look whether they have.
const PAUSE: Duration = Duration::from_millis(5);

/// This process was started to take over from another daemon, which still has the home. In this order:
/// what can be done without the home's lock; [`Successor::prepared`]; [`Successor::turn`]; and then as any
/// daemon does: [`crate::lock::acquire`], [`super::Link::connect`], [`super::Link::ready`].
#[derive(Debug)]
pub struct Successor {
    socket: OwnedFd,
    /// The keeper that started this process.
    keeper: u32,
}

impl Successor {
    /// `None`: this is a daemon like any other.
    #[must_use]
    pub fn here() -> Option<Self> {
        std::env::var_os(SUCCESSOR)?;
        let socket = duplicate(&std::env::var(KEEPER_FD).ok()?)?;
        let keeper = std::os::unix::process::parent_id();
        Some(Self { socket, keeper })
    }

    /// All is done that can be done beside the old daemon: it will be told to yield. To be called within
    /// 30 s of this process's start.
    ///
    /// # Errors
    /// The keeper is gone: [`LinkError::Replaced`].
    pub fn prepared(&self, launch: &Launch) -> Result<(), LinkError> {
        let prepared = Frame::new(Kind::PREPARED, KEEPER_VERSION, [TABLE, 0, 0, 0]);
        // The first message of this socket: there is room.
        match send(self.socket.as_fd(), prepared, None) {
            Sent::Yes => Ok(()),
            Sent::Later | Sent::Never => Err(self.without_keeper(launch)),
        }
    }

    /// Blocks until the old daemon is gone. From then on, 60 s are left to be ready.
    ///
    /// # Errors
    /// The keeper is gone: [`LinkError::Replaced`]; or its line broke.
    pub fn turn(self, launch: &Launch) -> Result<(), LinkError> {
        loop {
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(LinkError::Io(e.into())),
            }
            match receive(self.socket.as_fd()) {
                Received::Message(message) => {
                    if message.into_frames().any(|(f, _)| f.kind == Kind::TURN) {
                        return Ok(());
                    }
                }
                Received::Nothing => {}
                Received::End => return Err(self.without_keeper(launch)),
            }
        }
    }

    /// The keeper is gone. The daemon before, as long as it works, makes a new one, and that one's daemon
    /// goes on; if it has ended already, nobody else is left to do so.
    fn without_keeper(&self, launch: &Launch) -> LinkError {
        let deadline = clock::now().mono.after(LET_GO_WITHIN);
        while clock::now().mono < deadline {
            match lock::keeper(&launch.home) {
                // At its end a process lets go of its descriptors one after the other: its line to us
                // may be gone before its lock.
                Some(keeper) if keeper == self.keeper => {}
                Some(_) => return LinkError::Replaced,
                None if lock::holder(&launch.home).is_none() => break,
                None => {}
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the end of a process that is no child of ours, on kernels without pidfds too"
            )]
            std::thread::sleep(PAUSE);
        }
        // Before the old daemon ended, its keeper had the home, if it made one.
        if lock::keeper(&launch.home).is_some() {
            return LinkError::Replaced;
        }
        match hand_over(launch, &[]) {
            Ok(()) => LinkError::Replaced,
            Err(error) => error.into(),
        }
    }
}
