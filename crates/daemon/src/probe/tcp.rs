//! Connections: the probe that wants nothing more, and what the others begin with.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use abide_platform::exit::errno_text;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::address::{Names, parts};
use crate::assist::Assistants;

/// An address that has not answered for so long is not waited for alone any more (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// Somebody accepts a connection at `host:port`.
pub async fn accepts(assistants: &Assistants, names: &Names, address: &str) -> Result<(), String> {
    let (host, port) = parts(address)?;
    connect(assistants, names, host, port).await.map(drop)
}

/// The first of the host's addresses that takes a connection.
pub async fn connect(
    assistants: &Assistants,
    names: &Names,
    host: &str,
    port: u16,
) -> Result<TcpStream, String> {
    let addresses = names.find(assistants, host, port).await?;
    if let [address] = addresses[..] {
        return one(address).await.map_err(|error| words(&error));
    }
    let mut rest = addresses.into_iter();
    let mut tries = JoinSet::new();
    let mut last = String::new();
    loop {
        if let Some(address) = rest.next() {
            tries.spawn(one(address));
        } else if tries.is_empty() {
            return Err(last);
        }
        let others = rest.len() > 0;
        tokio::select! {
            Some(tried) = tries.join_next() => match tried {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = words(&error),
                Err(error) => last = error.to_string(),
            },
            () = tokio::time::sleep(STAGGER), if others => {}
        }
    }
}

async fn one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Nobody listens, and the kernel chose the very port that was asked for as our own: TCP lets one
    // socket meet itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// "connection refused".
pub fn words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => errno_text(errno),
        None => error.to_string(),
    }
}
