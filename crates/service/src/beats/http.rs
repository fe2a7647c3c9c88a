//! Beats where there is no notify socket: `POST` to the URL that abide leaves in `ABIDE_HEARTBEAT_URL`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// For each of connecting, sending and hearing the answer. Loopback answers in microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where and what to post.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    request: String,
}

impl Endpoint {
    /// By `ABIDE_HEARTBEAT_URL` and `ABIDE_UNIT`.
    pub(super) fn find() -> Option<Self> {
        let url = std::env::var("ABIDE_HEARTBEAT_URL").ok()?;
        let unit = std::env::var("ABIDE_UNIT").ok()?;
        Self::of(&url, &unit)
    }

    /// abide gives an address and no name: `http://127.0.0.1:PORT/v1/heartbeat`.
    fn of(url: &str, unit: &str) -> Option<Self> {
        let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
        let body = format!("{{\"service\": \"{}\"}}", escaped(unit));
        Some(Self {
            address: host.parse().ok()?,
            request: format!(
                "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        })
    }

    /// Posts one beat.
    pub(super) fn post(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.request.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        match status.get(9) {
            Some(b'2') => Ok(()),
            _ => Err(io::Error::other(format!(
                "a beat was answered {}",
                String::from_utf8_lossy(&status)
            ))),
        }
    }
}

/// As JSON wants it between quotes.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|character| match character {
            '"' | '\\' => vec!['\\', character],
            _ => vec![character],
        })
        .filter(|character| !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    #[test]
    fn a_beat_is_one_request_that_names_the_unit() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has one");
        let endpoint = Endpoint::of(&format!("http://{address}/v1/heartbeat"), "shop:web@1")
            .expect("it is a URL");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it connects");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut length = 0;
            let mut first = String::new();
            reader.read_line(&mut first).expect("a request");
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().expect("a number");
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .expect("it is answered");
            (first, String::from_utf8(body).expect("text"))
        });
        endpoint.post().expect("it is taken");
        let (first, body) = server.join().expect("no panic");
        assert_eq!(first, "POST /v1/heartbeat HTTP/1.1\r\n");
        assert_eq!(body, r#"{"service": "shop:web@1"}"#);
    }

    #[test]
    fn what_is_no_url_of_abide_is_nowhere_to_post() {
        assert!(Endpoint::of("https://127.0.0.1:1/x", "web").is_none());
        assert!(Endpoint::of("http://example.com/x", "web").is_none());
    }
}
