use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, UCred, sendmsg_addr, socket_with,
};
use rustix::process::{Pid, getgid, getuid};

pub(super) fn send(address: &str, message: &str, speaker: Option<u32>) -> io::Result<()> {
    let to = match address.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        None => SocketAddrUnix::new(address)?,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    let part = [IoSlice::new(message.as_bytes())];
    let speaker = speaker
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    if let Some(pid) = speaker {
        let mut control = SendAncillaryBuffer::new(&mut space);
        let (uid, gid) = (getuid(), getgid());
        control.push(SendAncillaryMessage::ScmCredentials(UCred {
            pid,
            uid,
            gid,
        }));
        match sendmsg_addr(&socket, &to, &part, &mut control, SendFlags::NOSIGNAL) {
            // Not root: in our own name then.
            Err(Errno::PERM) => {}
            sent => return sent.map(drop).map_err(io::Error::from),
        }
    }
    let mut nothing = SendAncillaryBuffer::default();
    sendmsg_addr(&socket, &to, &part, &mut nothing, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::super::Notifier;

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
        let notifier = Notifier::at(path.to_str().expect("text")).expect("an address");
        notifier.tell("READY=1\nSTATUS=up").expect("sent");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=up");

        let name = format!("abide-host-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        let notifier = Notifier::at(&format!("@{name}")).expect("an address");
        notifier
            .speaking_for(std::process::id())
            .tell("STOPPING=1")
            .expect("sent");
        assert_eq!(heard(&socket), "STOPPING=1");
    }

    #[test]
    fn a_manager_that_is_gone_is_an_error_and_nothing_else() {
        assert!(Notifier::at("relative").is_none());
        let notifier = Notifier::at("/no/such/socket").expect("an address");
        assert!(notifier.tell("READY=1").is_err());
    }
}
