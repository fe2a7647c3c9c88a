//! As little HTTP as the tests need, so that they can also say what no client would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub use super::system::socket;

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// An answer whose head was read.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    body: BufReader<Box<dyn Connection>>,
    chunked: bool,
}

pub fn tcp(address: SocketAddr) -> Box<dyn Connection> {
    let stream = TcpStream::connect(address).expect("connect to the address");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    Box::new(stream)
}

/// Sends a request as it is written, and reads the head of the answer.
pub fn raw(mut connection: Box<dyn Connection>, request: &[u8]) -> io::Result<Answer> {
    connection.write_all(request)?;
    let mut body = BufReader::new(connection);
    let mut line = String::new();
    body.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no answer: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        body.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Ok(Answer {
        status,
        headers,
        body,
        chunked,
    })
}

/// Sends a request with these headers and a JSON body.
pub fn send(
    connection: Box<dyn Connection>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    raw(connection, format!("{head}\r\n{body}").as_bytes()).expect("an answer")
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The next chunk of a body that is made while it is sent; `None` at its end.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.body.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut bytes = vec![0; size + 2];
        self.body.read_exact(&mut bytes)?;
        bytes.truncate(size);
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        if self.chunked {
            while let Some(chunk) = self.chunk().expect("a chunk") {
                all.extend(chunk);
            }
        } else {
            self.body.read_to_end(&mut all).expect("a body");
        }
        all
    }

    pub fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).expect("text")
    }

    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// Reads on until the text so far satisfies `done`.
    pub fn until(&mut self, done: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        while !done(&text) {
            let chunk = self.chunk().expect("a chunk").expect("more of the stream");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        text
    }
}
