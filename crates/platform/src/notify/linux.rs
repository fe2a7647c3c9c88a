#![allow(unsafe_code)]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, recv,
    socket_with, sockopt,
};

use super::{DESCRIPTORS_MAX, Datagram, Fault, MESSAGE_MAX, Sender};
use crate::logon::Owner;

/// The longest path that fits `sockaddr_un`, with the zero that some programs put behind it.
const PATH_MAX: usize = 107;

/// Anybody may write to it: who did is told with each message, and judged then.
const MODE: u32 = 0o666;

/// Bytes of control messages: descriptors and credentials.
const CONTROL: usize = {
    // SAFETY: CMSG_SPACE is arithmetic.
    unsafe {
        libc::CMSG_SPACE((DESCRIPTORS_MAX * size_of::<RawFd>()) as u32) as usize
            + libc::CMSG_SPACE(size_of::<libc::ucred>() as u32) as usize
    }
};

/// The end that is read. Never blocks, is not inherited by programs.
#[derive(Debug)]
pub struct NotifySocket {
    fd: OwnedFd,
    address: String,
}

impl NotifySocket {
    /// Makes one: at `path` where one is given that fits (what socket lies there goes away), else with
    /// an abstract address (unix(7)), which processes of another network namespace do not reach. With an owner it has that
    /// in any case: a program that changed its user may not reach a path in the home.
    /// `abstract_name` should be hard to guess, and has at most 106 bytes.
    ///
    /// # Errors
    /// Those of bind(2) and chmod(2); `AlreadyExists` if something that is no socket lies at `path`;
    /// `AddrInUse` if somebody has the abstract name.
    pub fn bind(
        path: Option<&Path>,
        abstract_name: &str,
        owner: Option<&Owner>,
    ) -> io::Result<Self> {
        let path = path.filter(|path| owner.is_none() && path.as_os_str().len() <= PATH_MAX);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        sockopt::set_socket_passcred(&fd, true)?;
        match path {
            Some(path) => {
                make_way(path)?;
                bind(&fd, &SocketAddrUnix::new(path)?)?;
                // Not through the socket's own mode at bind: the umask would take bits away.
                rustix::fs::chmod(path, Mode::from_raw_mode(MODE))?;
            }
            None => bind(
                &fd,
                &SocketAddrUnix::new_abstract_name(abstract_name.as_bytes())?,
            )?,
        }
        Self::from_held(fd)
    }

    /// One that the keeper held.
    ///
    /// # Errors
    /// `InvalidInput` if it is not a bound datagram socket of this kind.
    pub fn from_held(fd: OwnedFd) -> io::Result<Self> {
        let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
        if sockopt::socket_type(&fd)? != SocketType::DGRAM {
            return Err(wrong());
        }
        let address = SocketAddrUnix::try_from(getsockname(&fd)?).map_err(|_| wrong())?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
        let address = match (address.path_bytes(), address.abstract_name()) {
            (Some(path), _) if !path.is_empty() => text(path).map_err(|_| wrong())?,
            (None, Some(name)) if !name.is_empty() => {
                format!("@{}", text(name).map_err(|_| wrong())?)
            }
            // It was never bound.
            _ => return Err(wrong()),
        };
        // Also one that a version before this one made.
        sockopt::set_socket_passcred(&fd, true)?;
        Ok(Self { fd, address })
    }

    /// The value of `NOTIFY_SOCKET`: a path, or `@` and the abstract name.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// For the keeper to hold: what is sent while there is no daemon waits in it.
    #[must_use]
    pub fn held(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The next message, which stays in the socket until [`NotifySocket::consume`]: should the daemon
    /// die before it has passed the descriptors on, the next one finds message and descriptors again.
    /// `None`: there is none now.
    ///
    /// # Errors
    /// Those of recvmsg(2); the next call may succeed.
    pub fn peek(&self) -> io::Result<Option<Datagram>> {
        receive(self.fd.as_fd(), libc::MSG_PEEK)
    }

    /// Removes the message that [`NotifySocket::peek`] told. Descriptors that were told stay open.
    /// Nothing there: nothing is done.
    ///
    /// # Errors
    /// Those of recvmsg(2).
    pub fn consume(&self) -> io::Result<()> {
        // Without room for them the message's own references to its descriptors are closed (unix(7)).
        loop {
            return match recv(&self.fd, &mut [0_u8; 0], RecvFlags::DONTWAIT) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// The next message, removed from the socket. `None`: there is none now.
    ///
    /// # Errors
    /// Those of recvmsg(2).
    pub fn recv(&self) -> io::Result<Option<Datagram>> {
        receive(self.fd.as_fd(), 0)
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Removes a socket that an earlier daemon left.
fn make_way(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something that is no socket is in its place",
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// By hand and not through rustix, whose credentials cannot say pid 0, which the kernel gives for a
/// sender in another pid namespace.
fn receive(socket: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<Option<Datagram>> {
    let mut text = [0_u8; MESSAGE_MAX];
    let mut control = [0_u64; CONTROL.div_ceil(8)];
    let mut part = libc::iovec {
        iov_base: text.as_mut_ptr().cast(),
        iov_len: text.len(),
    };
    // SAFETY: msghdr is plain data for which all zero is valid.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let length = loop {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the header names `text` and `control` with their sizes; both outlive the call.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
        if let Ok(length) = usize::try_from(got) {
            break length;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(None),
            _ => return Err(error),
        }
    };
    let (sender, descriptors) = ancillary(&header);
    let fault = if header.msg_flags & libc::MSG_TRUNC != 0 {
        Some(Fault::TooLong)
    } else if header.msg_flags & libc::MSG_CTRUNC != 0 {
        Some(Fault::DescriptorsLost)
    } else {
        None
    };
    Ok(Some(Datagram {
        text: text.get(..length).unwrap_or(&text).to_vec(),
        sender,
        descriptors,
        fault,
    }))
}

/// What came beside the text. Every descriptor that the kernel has opened is owned by somebody then.
fn ancillary(header: &libc::msghdr) -> (Option<Sender>, Vec<OwnedFd>) {
    let (mut sender, mut descriptors) = (None, Vec::new());
    // SAFETY: a header that recvmsg has filled; the macros stay within its control part, and each
    // message's length says how much data follows it, which need not be aligned.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            let (level, kind) = ((*message).cmsg_level, (*message).cmsg_type);
            let data = libc::CMSG_DATA(message);
            let size = ((*message).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            if level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS {
                for at in 0..size / size_of::<RawFd>() {
                    let fd = data.cast::<RawFd>().add(at).read_unaligned();
                    descriptors.push(OwnedFd::from_raw_fd(fd));
                }
            } else if level == libc::SOL_SOCKET
                && kind == libc::SCM_CREDENTIALS
                && size >= size_of::<libc::ucred>()
            {
                let who = data.cast::<libc::ucred>().read_unaligned();
                sender = Some(Sender {
                    pid: u32::try_from(who.pid).unwrap_or(0),
                    uid: who.uid,
                    gid: who.gid,
                });
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    (sender, descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg_addr};

    fn bound() -> (tempfile::TempDir, NotifySocket) {
        let place = tempfile::tempdir().expect("a directory");
        let socket = NotifySocket::bind(Some(&place.path().join("notify")), "unused", None);
        (place, socket.expect("it is bound"))
    }

    fn send(socket: &NotifySocket, text: &[u8], fds: &[BorrowedFd<'_>]) {
        let from = UnixDatagram::unbound().expect("a socket");
        let to = SocketAddrUnix::new(socket.address()).expect("a path");
        let mut space = vec![std::mem::MaybeUninit::uninit(); 2048];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
        }
        let part = [io::IoSlice::new(text)];
        sendmsg_addr(&from, &to, &part, &mut control, SendFlags::empty()).expect("it is sent");
    }

    fn is_open_elsewhere(reader: &io::PipeReader) -> bool {
        let mut fds = [rustix::event::PollFd::new(
            reader,
            rustix::event::PollFlags::IN,
        )];
        let at_once = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::event::poll(&mut fds, Some(&at_once)) == Ok(0)
    }

    #[test]
    fn a_message_tells_its_sender() {
        let (_place, socket) = bound();
        assert!(socket.recv().expect("it works").is_none());
        send(&socket, b"READY=1", &[]);
        let message = socket.recv().expect("it works").expect("a message");
        assert_eq!(message.text, b"READY=1");
        let sender = message.sender.expect("the kernel says");
        assert_eq!(sender.pid, std::process::id());
        assert_eq!(sender.uid, rustix::process::geteuid().as_raw());
        assert_eq!((message.fault, message.descriptors.len()), (None, 0));
    }

    #[test]
    fn a_message_can_be_looked_at_with_its_descriptors_before_it_is_taken() {
        let (_place, socket) = bound();
        let (reader, writer) = io::pipe().expect("a pipe");
        send(&socket, b"FDSTORE=1", &[writer.as_fd()]);
        send(&socket, b"READY=1", &[]);
        drop(writer);
        for _ in 0..3 {
            // As a daemon that dies before it has passed it on.
            let message = socket.peek().expect("it works").expect("a message");
            assert_eq!(message.text, b"FDSTORE=1");
            assert_eq!(message.descriptors.len(), 1);
            let flags = rustix::io::fcntl_getfd(&message.descriptors[0]).expect("open");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        let message = socket.peek().expect("it works").expect("a message");
        socket.consume().expect("it works");
        assert!(is_open_elsewhere(&reader), "we have it");
        drop(message);
        assert!(!is_open_elsewhere(&reader), "nobody has it");
        let next = socket.recv().expect("it works").expect("a message");
        assert_eq!(next.text, b"READY=1");
        socket.consume().expect("with nothing there, too");
    }

    #[test]
    fn a_message_that_is_too_long_is_told_and_leaks_nothing() {
        let (_place, socket) = bound();
        let (reader, writer) = io::pipe().expect("a pipe");
        send(&socket, &[b'x'; MESSAGE_MAX + 1], &[writer.as_fd()]);
        send(&socket, &[b'x'; MESSAGE_MAX], &[]);
        drop(writer);
        let long = socket.recv().expect("it works").expect("a message");
        assert_eq!(long.fault, Some(Fault::TooLong));
        drop(long);
        assert!(!is_open_elsewhere(&reader));
        let fits = socket.recv().expect("it works").expect("a message");
        assert_eq!((fits.fault, fits.text.len()), (None, MESSAGE_MAX));
    }

    #[test]
    fn as_many_descriptors_as_there_can_be_come_along() {
        let (_place, socket) = bound();
        let (reader, writer) = io::pipe().expect("a pipe");
        send(&socket, b"FDSTORE=1", &[writer.as_fd(); DESCRIPTORS_MAX]);
        drop(writer);
        let message = socket.recv().expect("it works").expect("a message");
        assert_eq!(
            (message.fault, message.descriptors.len()),
            (None, DESCRIPTORS_MAX)
        );
        drop(message);
        assert!(!is_open_elsewhere(&reader));
    }

    #[test]
    fn a_socket_is_found_again_with_its_address_and_what_waits_in_it() {
        let (place, socket) = bound();
        let mode = std::fs::metadata(socket.address())
            .expect("it is there")
            .permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o666
        );
        send(&socket, b"READY=1", &[]);
        let held = socket.as_fd().try_clone_to_owned().expect("a duplicate");
        let address = socket.address().to_owned();
        drop(socket);
        let socket = NotifySocket::from_held(held).expect("it is one");
        assert_eq!(socket.address(), address);
        assert!(socket.recv().expect("it works").is_some());
        let again = NotifySocket::bind(Some(&place.path().join("notify")), "unused", None);
        assert_eq!(again.expect("it makes way").address(), address);
    }

    #[test]
    fn a_path_that_is_too_long_gives_way_to_a_name() {
        let name = format!("abide-test/{}/{:p}", std::process::id(), &0);
        let long = Path::new("/tmp").join("x".repeat(PATH_MAX));
        let socket = NotifySocket::bind(Some(&long), &name, None).expect("it is bound");
        assert_eq!(socket.address(), format!("@{name}"));
        let taken = NotifySocket::bind(None, &name, None).expect_err("it is taken");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let from = UnixDatagram::unbound().expect("a socket");
        let to = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
        from.send_to_addr(b"WATCHDOG=1", &to.expect("a name"))
            .expect("it is sent");
        assert!(socket.recv().expect("it works").is_some());
    }

    #[test]
    fn the_tool_of_systemd_is_understood_and_waits_until_it_was_heard() {
        use super::super::{Notice, parse};
        let (_place, socket) = bound();
        let tool = std::process::Command::new("systemd-notify")
            .args(["--ready", "--status=up"])
            .env("NOTIFY_SOCKET", socket.address())
            .spawn();
        let Ok(mut tool) = tool else {
            return; // not installed
        };
        let mut heard = Vec::new();
        while heard.last() != Some(&Notice::Barrier) {
            let mut fds = [rustix::event::PollFd::new(
                &socket,
                rustix::event::PollFlags::IN,
            )];
            let patience = rustix::event::Timespec {
                tv_sec: 20,
                tv_nsec: 0,
            };
            assert_eq!(rustix::event::poll(&mut fds, Some(&patience)), Ok(1));
            let message = socket.peek().expect("it works").expect("a message");
            heard.extend(parse(&message.text));
            if heard.last() == Some(&Notice::Barrier) {
                assert_eq!(message.descriptors.len(), 1);
                assert_eq!(tool.try_wait().expect("our child"), None, "it waits");
            }
            socket.consume().expect("it works");
        }
        assert!(heard.contains(&Notice::Ready), "{heard:?}");
        assert!(heard.contains(&Notice::Status("up".into())), "{heard:?}");
        assert!(tool.wait().expect("our child").success());
    }

    #[test]
    fn what_is_no_notify_socket_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("notify");
        std::fs::write(&file, "").expect("a file");
        let error = NotifySocket::bind(Some(&file), "unused", None).expect_err("a file is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert!(NotifySocket::from_held(one.into()).is_err());
        let unbound = UnixDatagram::unbound().expect("a socket");
        assert!(NotifySocket::from_held(unbound.into()).is_err());
    }
}
