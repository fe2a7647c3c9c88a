//! A client of the control API that needs no crate: HTTP/1.1 over the home's socket or TCP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// How long one answer may take.
const PATIENCE: Duration = wait::GENEROUS;

/// Where the API is.
#[derive(Clone, Debug)]
pub enum Api {
    /// The socket of a home.
    Socket(PathBuf),
    /// `HOST:PORT`, and the bearer token if one is sent.
    Tcp(String, Option<String>),
}

/// What the API said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.body)
            .map_err(|error| format!("the API answered no JSON ({error}): {:.200}", self.body))
    }
}

impl Api {
    /// The API of the daemon of this home.
    #[must_use]
    pub fn of_home(home: &Path) -> Self {
        Self::Socket(home.join("abide.sock"))
    }

    /// One request, without a body.
    ///
    /// # Errors
    /// No connection, no answer in time, or no HTTP.
    pub fn get(&self, path: &str) -> Result<Answer, String> {
        self.request("GET", path, None)
    }

    /// A request with a JSON body.
    ///
    /// # Errors
    /// As for [`Api::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.request("POST", path, Some(&body.to_string()))
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// As for [`Api::get`].
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Result<Answer, String> {
        let failed = |error: std::io::Error| format!("cannot {method} {path} at {self:?}: {error}");
        let (host, token) = match self {
            Self::Socket(_) => ("localhost", None),
            Self::Tcp(address, token) => (address.as_str(), token.as_deref()),
        };
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        if let Some(token) = token {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if let Some(body) = body {
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        } else {
            text.push_str("Content-Length: 0\r\n\r\n");
        }
        let raw = match self {
            Self::Socket(socket) => {
                let stream = UnixStream::connect(socket).map_err(failed)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                exchange(stream, &text).map_err(failed)?
            }
            Self::Tcp(address, _) => {
                let stream = TcpStream::connect(address).map_err(failed)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                exchange(stream, &text).map_err(failed)?
            }
        };
        parse(&raw).ok_or_else(|| {
            format!(
                "no HTTP answer to {method} {path}: {:.200}",
                String::from_utf8_lossy(&raw)
            )
        })
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).ok()?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let body = &raw[end + 4..];
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        dechunk(body)?
    } else {
        body.to_vec()
    };
    Some(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
        let answer = parse(raw).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "[1,2]"));
    }
}
