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
    // The status is enough; the body is nobody's business and may never end.
    let response = sender.send_request(request);
    tokio::pin!(response);
    let response = tokio::select! {
        response = &mut response => response,
        // A server that closes at once ends the connection in the same instant in which its answer is
        // there; without an answer this is an error at once.
        _ = connection => response.await,
    };
    Some(response.ok()?.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn an_answer_counts_even_if_the_connection_ends_with_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("listen");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accept");
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello").await;
            }
        });
        for attempt in 0..200 {
            assert!(answers(&url).await, "attempt {attempt}");
        }
        server.abort();
    }
}
