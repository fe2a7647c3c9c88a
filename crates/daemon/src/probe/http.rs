//! A GET whose status says whether a program is ready.

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Whether a GET of this `http://` URL is answered with a status of 200 to 399.
pub(super) async fn answers(url: &str) -> bool {
    get(url)
        .await
        .is_some_and(|status| (200..400).contains(&status))
}

async fn get(url: &str) -> Option<u16> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    // An IPv6 address stands in brackets in a URL, and without them in an address.
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80)))
        .await
        .ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let request = Request::get(uri.path_and_query().map_or("/", |p| p.as_str()))
        .header(header::HOST, authority.as_str())
        .header(header::USER_AGENT, "abide")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    tokio::select! {
        // The status is enough; the body is nobody's business and may never end.
        response = sender.send_request(request) => Some(response.ok()?.status().as_u16()),
        _ = connection => None,
    }
}
