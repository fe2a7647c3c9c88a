use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, UCred, sendmsg_addr, socket_with,
};
use rustix::process::{Pid, getgid, getuid};
use rustix::time::{ClockId, clock_gettime};

pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

pub(super) const WANTED: &str = "neither a path nor an abstract name";

pub(super) fn is_address(address: &OsStr) -> bool {
    matches!(address.as_bytes(), [b'/' | b'@', ..])
}

/// When a reload began, on the clock that systemd compares with (`Type=notify-reload`, systemd.service(5)).
pub(super) fn since_when() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u128::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u128::try_from(now.tv_nsec).unwrap_or(0);
    format!("\nMONOTONIC_USEC={}", seconds * 1_000_000 + nanos / 1_000)
}

pub(super) fn send(
    address: &OsStr,
    message: &[u8],
    speaker: Option<u32>,
    patience: Duration,
) -> io::Result<()> {
    let to = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
        path => SocketAddrUnix::new(path)?,
    };
    let mut flags = SocketFlags::CLOEXEC;
    flags.set(SocketFlags::NONBLOCK, patience.is_zero());
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    if !patience.is_zero() {
        set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    }
    let part = [IoSlice::new(message)];
    let post = |control: &mut SendAncillaryBuffer<'_, '_, '_>| loop {
        match sendmsg_addr(&socket, &to, &part, control, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            // A handler of some signal ran; a socket with a time-out does not go on by itself (signal(7)).
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    };
    let speaker = speaker
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let sent = match speaker {
        None => post(&mut SendAncillaryBuffer::default()),
        Some(pid) => {
            let mut control = SendAncillaryBuffer::new(&mut space);
            let (uid, gid) = (getuid(), getgid());
            control.push(SendAncillaryMessage::ScmCredentials(UCred {
                pid,
                uid,
                gid,
            }));
            match post(&mut control) {
                // Not root: in our own name then.
                Err(Errno::PERM) => post(&mut SendAncillaryBuffer::default()),
                sent => sent,
            }
        }
    };
    sent.map_err(|error| match error {
        Errno::AGAIN if !patience.is_zero() => {
            let why = format!("it has not read for {} s", patience.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, why)
        }
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::super::{Notifier, Word};

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 256];
        let read = socket.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..read]).into_owned()
    }

    #[test]
    fn a_message_arrives_by_path_and_by_abstract_name() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        let notifier = Notifier::at(&path).expect("an address");
        notifier
            .tell(&[Word::Ready, Word::Status("up")])
            .expect("sent");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=up\n");

        let name = format!("abide-host-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        let notifier = Notifier::at(format!("@{name}")).expect("an address");
        notifier
            .speaking_for(std::process::id())
            .patient(std::time::Duration::from_secs(60))
            .tell(&[Word::Reloading])
            .expect("sent");
        let said = heard(&socket);
        assert!(said.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    }

    #[test]
    fn a_manager_that_is_gone_is_an_error_and_nothing_else() {
        assert!(Notifier::at("relative").is_err());
        let notifier = Notifier::at("/no/such/socket").expect("an address");
        assert!(notifier.tell(&[Word::Ready]).is_err());
    }
}
