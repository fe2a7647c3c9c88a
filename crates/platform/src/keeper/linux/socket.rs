//! Frames and descriptors over the socket between keeper and daemon. Allocates nothing.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::keeper::wire::{BATCH, Frame, SIZE};

/// Both ends, close-on-exec and non-blocking.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// One message.
pub(super) struct Message {
    frames: [[u8; SIZE]; BATCH],
    used: usize,
    fds: [Option<OwnedFd>; BATCH],
}

impl Message {
    /// Each frame with the descriptor that it brings. Others are closed.
    pub(super) fn into_frames(self) -> impl Iterator<Item = (Frame, Option<OwnedFd>)> {
        let mut fds = self.fds.into_iter().flatten();
        self.frames.into_iter().take(self.used).map(move |bytes| {
            let frame = Frame::from_bytes(bytes);
            let fd = frame.descriptor(&mut fds);
            (frame, fd)
        })
    }
}

#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(super) enum Received {
    Message(Message),
    /// Nothing is there now.
    Nothing,
    /// Everybody who could write is gone, and all they wrote was read.
    End,
}

pub(super) fn receive(socket: BorrowedFd<'_>) -> Received {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut message = Message {
        frames: [[0; SIZE]; BATCH],
        used: 0,
        fds: [const { None }; BATCH],
    };
    loop {
        let iov = &mut [IoSliceMut::new(message.frames.as_flattened_mut())];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        match recvmsg(socket, iov, &mut control, flags) {
            Ok(got) if got.bytes == 0 && ended(socket) => return Received::End,
            Ok(got) => {
                message.used = got.bytes.checked_div(SIZE).unwrap_or(0);
                break;
            }
            // The other end closed with something of ours unread: said once, before what it wrote
            // last can be read.
            Err(Errno::CONNRESET | Errno::INTR) => {}
            Err(Errno::AGAIN) => return Received::Nothing,
            // Descriptors came and could not be taken: the message is still there.
            Err(Errno::NOBUFS | Errno::NOMEM) => return Received::Nothing,
            Err(_) => return Received::End,
        }
    }
    let fds = control.drain().filter_map(|part| match part {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    for (place, fd) in message.fds.iter_mut().zip(fds.flatten()) {
        *place = Some(fd);
    }
    Received::Message(message)
}

/// Nothing was read: that is the end, or an empty message.
fn ended(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::RDHUP)];
    // Not to be known is the same as not yet.
    let closed = poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
    closed && ioctl_fionread(socket).unwrap_or(0) == 0
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// The socket takes no more now.
    Later,
    /// Nobody will ever read it.
    Never,
}

/// A message on its way out.
pub(super) struct Out<'a> {
    socket: BorrowedFd<'a>,
    frames: [[u8; SIZE]; BATCH],
    used: usize,
    fds: [BorrowedFd<'a>; BATCH],
    fds_used: usize,
}

impl<'a> Out<'a> {
    pub(super) fn to(socket: BorrowedFd<'a>) -> Self {
        Self {
            socket,
            frames: [[0; SIZE]; BATCH],
            used: 0,
            // Only the first `fds_used` are sent.
            fds: [socket; BATCH],
            fds_used: 0,
        }
    }

    /// Adds a frame, with the descriptor that its kind brings. What there is no room for is left out.
    pub(super) fn push(&mut self, frame: Frame, fd: Option<BorrowedFd<'a>>) {
        let Some(place) = self.frames.get_mut(self.used) else {
            return;
        };
        *place = frame.to_bytes();
        self.used = self.used.saturating_add(1);
        if let (Some(fd), Some(place)) = (fd, self.fds.get_mut(self.fds_used)) {
            *place = fd;
            self.fds_used = self.fds_used.saturating_add(1);
        }
    }

    /// An empty one is sent without doing anything.
    pub(super) fn send(&self) -> Sent {
        let bytes = self.frames.as_flattened();
        let bytes = bytes.get(..self.used.saturating_mul(SIZE)).unwrap_or(&[]);
        let fds = self.fds.get(..self.fds_used).unwrap_or(&[]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if bytes.is_empty() {
            return Sent::Yes;
        }
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Sent::Never;
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(self.socket, &[IoSlice::new(bytes)], &mut control, flags) {
                Ok(_) => return Sent::Yes,
                Err(Errno::INTR | Errno::CONNRESET) => {}
                // The last one: too many descriptors on their way.
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS) => {
                    return Sent::Later;
                }
                Err(_) => return Sent::Never,
            }
        }
    }
}

/// Sends one frame.
pub(super) fn send(socket: BorrowedFd<'_>, frame: Frame, fd: Option<BorrowedFd<'_>>) -> Sent {
    let mut out = Out::to(socket);
    out.push(frame, fd);
    out.send()
}
