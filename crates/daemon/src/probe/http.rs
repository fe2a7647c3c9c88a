//! A GET, its status, and what its body says.

use std::convert::Infallible;
use std::pin::pin;

use abide_model::HttpProbe;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;

use super::address::Names;
use super::tcp::connect;
use crate::assist::{Assistants, Blocks};

/// So much of a body is read, and of the head of an answer.
const MOST: usize = 64 << 10;

/// How much memory a regular expression may take; what the configuration allows.
const REGEX: usize = 1 << 20;

/// Whether a GET is answered as wanted. One request on a connection of its own; a redirection is an
/// answer like any other.
pub async fn answers(
    assistants: &Assistants,
    names: &Names,
    probe: &HttpProbe,
) -> Result<(), String> {
    let url = &probe.url;
    let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    let authority = uri.authority().ok_or("the URL has no host")?;
    // An IPv6 address stands in brackets in a URL, and without them in an address.
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let stream = connect(assistants, names, host, port).await?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MOST)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| words(&error))?;
    // Without user and password, which the URL may have before its host.
    let shown = authority.as_str();
    let shown = shown.rsplit_once('@').map_or(shown, |(_, host)| host);
    let request = Request::get(uri.path_and_query().map_or("/", |p| p.as_str()))
        .header(header::HOST, shown)
        .header(header::USER_AGENT, "abide")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let mut connection = pin!(connection);
    let mut answer = pin!(sender.send_request(request));
    let (answer, over) = tokio::select! {
        answer = &mut answer => (answer, false),
        // A server that closes at once ends the connection in the same instant in which its answer is
        // there; without an answer this is an error at once.
        _ = &mut connection => (answer.await, true),
    };
    let answer = answer.map_err(|error| words(&error))?;
    let status = answer.status().as_u16();
    if !probe.accepts(status) {
        return Err(status.to_string());
    }
    let Some(pattern) = &probe.body else {
        return Ok(());
    };
    let body = if over {
        read(answer).await
    } else {
        tokio::select! {
            body = read(answer) => body,
            never = drive(connection) => match never {},
        }
    };
    let (body, wanted) = (body?, pattern.clone());
    let found = assistants.floor().block(Blocks::Work, move || {
        let regex = regex::bytes::RegexBuilder::new(&wanted)
            .size_limit(REGEX)
            .build();
        regex.map(|regex| regex.is_match(&body))
    });
    match found.await? {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{status}, but its body does not match {pattern:?}")),
        Err(error) => Err(format!("the pattern {pattern:?} cannot be used: {error}")),
    }
}

/// Drives the connection for as long as somebody reads what it brings.
async fn drive<T>(connection: impl Future<Output = T>) -> Infallible {
    connection.await;
    // The reader comes to the end by itself.
    std::future::pending().await
}

/// The body's beginning.
async fn read(answer: Response<Incoming>) -> Result<Vec<u8>, String> {
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < MOST {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let room = MOST - bytes.len();
                    bytes.extend_from_slice(data.get(..room).unwrap_or(data));
                }
            }
            Some(Err(error)) => return Err(words(&error)),
            None => break,
        }
    }
    Ok(bytes)
}

/// The innermost cause: "connection reset by peer", and not "connection error".
fn words(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(error) => super::tcp::words(error),
        None if error.is_parse_too_large() => "the head of the answer is too large".into(),
        None if error.is_parse() => "the answer is not HTTP".into(),
        None if error.is_incomplete_message() => {
            "the connection was closed without an answer".into()
        }
        None => cause.to_string(),
    }
}
