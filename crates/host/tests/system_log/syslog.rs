use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};

use abide_host::log::{Address, Destination, SendError};

use crate::{SOON, client, deliver, entry};

fn local(port: u16) -> Address {
    Address {
        host: "127.0.0.1".to_owned(),
        port,
    }
}

/// What follows the byte order mark.
fn text(message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message).into_owned();
    let (header, text) = message.split_once("] \u{feff}").expect("a text in UTF-8");
    assert!(
        header.starts_with("<30>1 2026-01-01T00:00:00.123456Z web-1 shop:web "),
        "{header}"
    );
    text.to_owned()
}

fn counted(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut length = Vec::new();
    stream.read_until(b' ', &mut length).expect("a length");
    let length = String::from_utf8_lossy(&length)
        .trim()
        .parse()
        .expect("a number");
    let mut message = vec![0; length];
    stream.read_exact(&mut message).expect("a message");
    message
}

fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().expect("it connects");
    stream.set_read_timeout(Some(SOON)).expect("set");
    BufReader::new(stream)
}

#[test]
fn tcp_counts_octets_and_a_receiver_that_dies_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let mut client = client(Destination::Tcp(local(address.port())));
    let long = "zeile\n".repeat(11_000);
    for message in ["first", "zwei\nzeilen: äöü", &*long] {
        deliver(&mut client, message.as_bytes());
    }
    let mut stream = accept(&listener);
    for message in ["first", "zwei\nzeilen: äöü", &*long] {
        assert_eq!(text(&counted(&mut stream)), message);
    }
    // It dies: what is sent from now on goes to the next one.
    drop(stream);
    drop(listener);
    let down = client.send(&entry(b"to nobody"), SOON);
    let down = down.and_then(|()| client.flush(SOON));
    assert!(matches!(down, Err(SendError::Away { .. })), "{down:?}");
    let listener = TcpListener::bind(address).expect("bound again");
    deliver(&mut client, b"it is back");
    assert_eq!(text(&counted(&mut accept(&listener))), "it is back");
}

#[test]
fn a_tcp_receiver_that_reads_nothing_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let mut client = client(Destination::Tcp(local(address.port())));
    deliver(&mut client, b"connected");
    let large = vec![b'x'; 1 << 20];
    let mut taken = 1;
    while client.offer(&entry(&large)) {
        taken += 1;
        assert!(taken < 1000, "nobody can take so much");
    }
    assert!(!client.offer(&entry(b"and not this")));
    assert_eq!((client.counts().sent, client.counts().lost), (taken, 2));
    // All that was taken arrives, whole.
    let mut stream = accept(&listener);
    let reader = std::thread::spawn(move || {
        for _ in 0..taken {
            counted(&mut stream);
        }
        stream
    });
    client.flush(SOON).expect("it is read");
    let mut stream = reader.join().expect("all of it came");
    deliver(&mut client, b"there is room");
    assert_eq!(text(&counted(&mut stream)), "there is room");
}

#[test]
fn udp_carries_what_fits_in_one_datagram_and_more_in_several() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(SOON)).expect("set");
    let port = socket.local_addr().expect("an address").port();
    let mut client = client(Destination::Udp(local(port)));
    let mut bytes = vec![0; 70_000];
    let mut next = || {
        let got = socket.recv(&mut bytes).expect("a datagram");
        text(&bytes[..got])
    };
    deliver(&mut client, "two\nlines ä".as_bytes());
    assert_eq!(next(), "two\nlines ä");
    let long = "é".repeat(40_000);
    deliver(&mut client, long.as_bytes());
    let both = next() + &next();
    assert!(both == long);
}

#[test]
fn udp_hears_when_nobody_listens() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let mut client = client(Destination::Udp(local(address.port())));
    let sent = client.send(&entry(b"x"), SOON);
    assert!(matches!(sent, Err(SendError::Away { .. })), "{sent:?}");
    assert_eq!(client.counts().sent, 0);
    let socket = UdpSocket::bind(address).expect("bound again");
    deliver(&mut client, b"it is back");
    let mut bytes = [0; 1000];
    let got = socket.recv(&mut bytes).expect("a datagram");
    assert_eq!(text(&bytes[..got]), "it is back");
}

#[test]
fn the_local_socket_may_take_datagrams_or_a_stream() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    let datagrams = UnixDatagram::bind(&path).expect("bound");
    let mut one = client(Destination::Local(path.clone()));
    deliver(&mut one, b"a\nb");
    datagrams.set_read_timeout(Some(SOON)).expect("set");
    let mut bytes = vec![0; 16 << 20];
    let got = datagrams.recv(&mut bytes).expect("a datagram");
    assert_eq!(text(&bytes[..got]), "a\nb");
    // More than any datagram holds.
    let large = "ü".repeat(5 << 20);
    let reader = std::thread::spawn(move || {
        let mut whole = String::new();
        while whole.len() < 10 << 20 {
            let got = datagrams.recv(&mut bytes).expect("a datagram");
            whole += &text(&bytes[..got]);
        }
        whole
    });
    deliver(&mut one, large.as_bytes());
    assert!(reader.join().expect("it came") == large);
    std::fs::remove_file(&path).expect("removed");

    let stream = UnixListener::bind(&path).expect("bound");
    let mut other = client(Destination::Local(path));
    deliver(&mut other, b"c\nd");
    deliver(&mut other, b"e");
    let (stream, _) = stream.accept().expect("it connects");
    let mut stream = BufReader::new(stream);
    for expected in ["c\nd", "e"] {
        let mut message = Vec::new();
        stream.read_until(0, &mut message).expect("a message");
        assert_eq!(message.pop(), Some(0));
        assert_eq!(text(&message), expected);
    }
}
