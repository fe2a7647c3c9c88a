use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IoSliceMut, Read, Seek};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use abide_host::log::Destination;
use rustix::fs::SealFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use crate::{SOON, client, deliver, entry};

/// journald, as far as its protocol goes.
struct Journald {
    socket: UnixDatagram,
    /// Entries that came as memory files.
    files: usize,
}

impl Journald {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("bound");
        socket.set_read_timeout(Some(SOON)).expect("set");
        Self { socket, files: 0 }
    }

    fn next(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut bytes = vec![0; 1 << 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut beside,
            RecvFlags::CMSG_CLOEXEC,
        )
        .expect("an entry comes");
        bytes.truncate(got.bytes);
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                for descriptor in descriptors {
                    assert_eq!(got.bytes, 0, "beside a file nothing else is sent");
                    let seals = rustix::fs::fcntl_get_seals(&descriptor).expect("it has seals");
                    let all =
                        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
                    assert_eq!(seals, all);
                    let mut file = File::from(descriptor);
                    file.rewind().expect("a file");
                    file.read_to_end(&mut bytes).expect("read");
                    self.files += 1;
                }
            }
        }
        parse(&bytes)
    }
}

fn parse(mut bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|b| *b == b'\n').expect("a newline");
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        let (name, value, rest) = match line.iter().position(|b| *b == b'=') {
            Some(at) => (&line[..at], &line[at + 1..], rest),
            None => {
                let length = u64::from_le_bytes(rest[..8].try_into().expect("eight")) as usize;
                assert_eq!(rest[8 + length], b'\n');
                (line, &rest[8..8 + length], &rest[9 + length..])
            }
        };
        fields.insert(String::from_utf8_lossy(name).into_owned(), value.to_vec());
        bytes = rest;
    }
    fields
}

#[test]
fn an_entry_of_a_megabyte_comes_as_a_sealed_file_and_others_as_datagrams() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("socket");
    let mut journald = Journald::at(&path);
    let mut client = client(Destination::Journald(path));
    let large = "grüße\n".repeat(1 << 17);
    for (message, files) in [("two\nlines", 0), (&*large, 1), ("again", 1)] {
        deliver(&mut client, message.as_bytes());
        let fields = journald.next();
        assert!(fields["MESSAGE"] == message.as_bytes());
        assert_eq!(fields["SERVICE_NAME"], b"shop:web");
        assert_eq!(fields["INSTANCE_ID"], b"shop:web@1/7/web-1");
        assert_eq!(fields["TRACE_ID"], b"4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(fields["EVENT_SEVERITY"], b"6");
        assert_eq!(fields["TIMESTAMP"], b"1767225600123");
        assert_eq!(journald.files, files);
    }
    assert_eq!(client.counts().sent, 3);
}

#[test]
fn a_journald_that_is_restarted_is_found_again_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("socket");
    let mut client = client(Destination::Journald(path.clone()));
    assert!(!client.offer(&entry(b"nobody is there")));
    let journald = Journald::at(&path);
    deliver(&mut client, b"first");
    drop(journald);
    std::fs::remove_file(&path).expect("removed");
    let mut journald = Journald::at(&path);
    assert!(client.offer(&entry(b"second")));
    assert_eq!(journald.next()["MESSAGE"], b"second");
    let counts = client.counts();
    assert_eq!((counts.sent, counts.lost), (2, 1));
}

#[test]
fn a_journald_that_reads_nothing_holds_nobody_up_and_what_is_lost_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("socket");
    let mut journald = Journald::at(&path);
    let mut client = client(Destination::Journald(path));
    let (mut taken, mut lost) = (0, 0);
    // A queue holds some; the rest is refused at once.
    for _ in 0..1000 {
        match client.offer(&entry(b"x")) {
            true => taken += 1,
            false => lost += 1,
        }
    }
    assert!(taken > 0 && lost > 0);
    assert_eq!((client.counts().sent, client.counts().lost), (taken, lost));
    for _ in 0..taken {
        assert_eq!(journald.next()["MESSAGE"], b"x");
    }
    assert!(client.offer(&entry(b"there is room again")));
    assert_eq!(journald.next()["MESSAGE"], b"there is room again");
}
