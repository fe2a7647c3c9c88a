//! Takes messages to the monitor: HTTP/1.1, one at a time, each within its time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How much of an answer's body is read; it means nothing to us. With more, the connection is closed.
const MAX_ANSWER: usize = 64 << 10;

/// What a unit's name may hold and a path may, too (RFC 3986, `pchar`).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b':')
    .remove(b'@');

/// Stands for a unit's name while the URL is taken apart.
const UNIT: &str = "{unit}";

/// Where messages go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// As it stands in the URL.
    authority: String,
    /// May hold `{unit}`.
    path: String,
    query: Option<String>,
}

impl Target {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("{url:?} is not an http:// URL{why}");
        let rest = url.strip_prefix("http://").ok_or_else(|| bad(""))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let uri: Uri = format!("http://{authority}/")
            .parse()
            .map_err(|error| bad(&format!(": {error}")))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad(" with a host"))?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        Ok(Self {
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: authority.rsplit('@').next().unwrap_or(authority).to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query,
        })
    }

    /// Scheme, host and port: what may be shown.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// The path and query for a unit, with a suffix of the path.
    fn path_for(&self, unit: &str, suffix: &str) -> String {
        let unit = utf8_percent_encode(unit, IN_PATH).to_string();
        let path = self.path.replace(UNIT, &unit);
        let path = match suffix {
            "" => path,
            suffix => format!("{}{suffix}", path.trim_end_matches('/')),
        };
        match &self.query {
            Some(query) => format!("{path}?{}", query.replace(UNIT, &unit)),
            None => path,
        }
    }
}

/// Why a message did not arrive.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no answer: the next one will fare no better.
    Silence(String),
    /// The answer was no: another one may fare better.
    Refusal(String),
}

impl Failure {
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Silence(words) | Self::Refusal(words) => words,
        }
    }
}

/// The way to one monitor.
pub(super) struct Courier {
    target: Target,
    timeout: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// A name that is being looked up: it may take long after nobody waits any more, and there is
    /// never more than one.
    lookup: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Courier {
    pub(super) fn new(target: Target, timeout: Duration) -> Self {
        Self {
            target,
            timeout,
            sender: None,
            lookup: None,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) async fn post(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        let path = self.target.path_for("", "");
        self.send(Method::POST, path, body.into()).await
    }

    pub(super) async fn get(&mut self, unit: &str, suffix: &str) -> Result<(), Failure> {
        let path = self.target.path_for(unit, suffix);
        self.send(Method::GET, path, Bytes::new()).await
    }

    async fn send(&mut self, method: Method, path: String, body: Bytes) -> Result<(), Failure> {
        let timeout = self.timeout;
        let sent = tokio::time::timeout(timeout, self.exchange(method, path, body)).await;
        match sent {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(Failure::Refusal(format!("it was answered {status}"))),
            Ok(Err(error)) => Err(Failure::Silence(error)),
            Err(_) => {
                self.sender = None;
                let within = timeout.as_secs_f64();
                Err(Failure::Silence(format!("no answer within {within} s")))
            }
        }
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: String,
        body: Bytes,
    ) -> Result<hyper::StatusCode, String> {
        let kept = self.sender.take();
        let fresh = kept.is_none();
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let authority = self.target.authority.clone();
        let request = |body: Bytes| {
            let request = Request::builder()
                .method(method.clone())
                .uri(&*path)
                .header(header::HOST, &*authority)
                .header(header::USER_AGENT, "abide");
            let request = match method {
                Method::POST => request.header(header::CONTENT_TYPE, "application/json"),
                _ => request,
            };
            let request = request.body(Full::new(body));
            request.map_err(|error| format!("the URL makes no request: {error}"))
        };
        let first = match sender.ready().await {
            Ok(()) => sender.send_request(request(body.clone())?).await,
            Err(error) => Err(error),
        };
        let response = match first {
            Ok(response) => response,
            // It was kept open, and the monitor has closed it meanwhile.
            Err(_) if !fresh => {
                sender = self.connect().await?;
                let again = sender.send_request(request(body)?).await;
                again.map_err(|error| words(&error))?
            }
            Err(error) => return Err(words(&error)),
        };
        let status = response.status();
        if drained(response).await {
            self.sender = Some(sender);
        }
        Ok(status)
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, String> {
        let addresses = self.addresses().await?;
        let stream = TcpStream::connect(&*addresses).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| words(&error))?;
        // It ends with the sender; what went wrong is told there.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn addresses(&mut self) -> Result<Vec<SocketAddr>, String> {
        let (host, port) = (&*self.target.host, self.target.port);
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let lookup = self.lookup.get_or_insert_with(|| {
            let host = host.to_owned();
            tokio::task::spawn_blocking(move || {
                let found = std::net::ToSocketAddrs::to_socket_addrs(&(&*host, port))?;
                Ok(found.collect())
            })
        });
        let found = (&mut *lookup).await;
        self.lookup = None;
        let found = found.map_err(|error| error.to_string())?;
        found.map_err(|error| format!("{host} has no address: {error}"))
    }
}

/// Reads an answer to its end; whether the connection can be used again.
async fn drained(response: Response<Incoming>) -> bool {
    let mut body = response.into_body();
    let mut left = MAX_ANSWER;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return false,
        }
    }
    true
}

/// hyper's errors keep the reason in their source.
fn words(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_a_secret_path_is_not_shown() {
        let target = Target::new("http://hc.example:8000/ping/KEY/{unit}?create=1").expect("a URL");
        assert_eq!(target.origin(), "http://hc.example:8000");
        assert_eq!(
            target.path_for("shop:web@1", ""),
            "/ping/KEY/shop:web@1?create=1"
        );
        assert_eq!(
            target.path_for("wäb", "/fail"),
            "/ping/KEY/w%C3%A4b/fail?create=1"
        );
        let target = Target::new("http://[::1]").expect("a URL");
        assert_eq!((&*target.host, target.port), ("::1", 80));
        assert_eq!(target.path_for("web", "/start"), "/start");
        for bad in ["https://x/", "http://", "http:///x", "x", "http://a b/"] {
            assert!(Target::new(bad).is_err(), "{bad}");
        }
    }
}
