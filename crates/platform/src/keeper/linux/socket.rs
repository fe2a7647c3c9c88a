//! Frames and descriptors over the socket between keeper and daemon.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::keeper::wire::{BATCH, Frame, SIZE};

/// Both ends, close-on-exec and non-blocking.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// One message.
pub(super) struct Message {
    bytes: [u8; SIZE * BATCH],
    len: usize,
    /// In the order of the frames that name them.
    pub fds: Vec<OwnedFd>,
}

impl Message {
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> + '_ {
        self.bytes
            .get(..self.len)
            .unwrap_or(&[])
            .chunks_exact(SIZE)
            .filter_map(Frame::from_bytes)
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
        bytes: [0; SIZE * BATCH],
        len: 0,
        fds: Vec::new(),
    };
    loop {
        let iov = &mut [IoSliceMut::new(&mut message.bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        match recvmsg(socket, iov, &mut control, flags) {
            Ok(got) if got.bytes == 0 => return Received::End,
            Ok(got) => {
                message.len = got.bytes.min(message.bytes.len());
                break;
            }
            // The other end closed with something of ours unread: said once, before what it wrote
            // last can be read.
            Err(rustix::io::Errno::CONNRESET | rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return Received::Nothing,
            Err(_) => return Received::End,
        }
    }
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = part {
            message.fds.extend(fds);
        }
    }
    Received::Message(message)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// The socket takes no more now.
    Later,
    /// Nobody will ever read it.
    Never,
}

/// Sends up to [`BATCH`] frames as one message.
pub(super) fn send(socket: BorrowedFd<'_>, frames: &[Frame], fds: &[BorrowedFd<'_>]) -> Sent {
    let mut bytes = Vec::with_capacity(frames.len() * SIZE);
    for frame in frames {
        bytes.extend_from_slice(&frame.to_bytes());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Sent::Never;
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    loop {
        match sendmsg(socket.as_fd(), &[IoSlice::new(&bytes)], &mut control, flags) {
            Ok(_) => return Sent::Yes,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
            Err(
                rustix::io::Errno::AGAIN
                | rustix::io::Errno::NOBUFS
                | rustix::io::Errno::NOMEM
                // too many descriptors on their way
                | rustix::io::Errno::TOOMANYREFS,
            ) => return Sent::Later,
            Err(_) => return Sent::Never,
        }
    }
}
