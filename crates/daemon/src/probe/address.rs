//! Where a host is. Only a name that is not an address has to be asked for.
//!
//! getaddrinfo(3) blocks, for as long as name servers do not answer: it has threads of its own, few,
//! and those who want the same name at once ask once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::assist::{Assistants, Blocks};

type Found = Result<Vec<IpAddr>, String>;

/// Names that are being asked for, and who waits.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<HashMap<String, Vec<oneshot::Sender<Found>>>>>);

impl Names {
    /// The addresses of a host, best first.
    pub async fn find(
        &self,
        assistants: &Assistants,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, String> {
        let addresses = match literal(host) {
            Some(addresses) => addresses,
            None => self.ask(assistants, host).await?,
        };
        Ok(addresses
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }

    async fn ask(&self, assistants: &Assistants, host: &str) -> Found {
        let (tell, told) = oneshot::channel();
        let first = {
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = asked.entry(host.to_owned()).or_default();
            waiting.retain(|waiter| !waiter.is_closed());
            let first = waiting.is_empty();
            waiting.push(tell);
            first
        };
        if first {
            // By itself: whoever asked first may give up before the others.
            let (names, assistants) = (self.clone(), assistants.clone());
            let host = host.to_owned();
            tokio::spawn(async move { names.look_up(&assistants, host).await });
        }
        told.await
            .unwrap_or_else(|_| Err("its address could not be asked for".into()))
    }

    async fn look_up(&self, assistants: &Assistants, host: String) {
        let name = host.clone();
        let found = assistants
            .floor()
            .block(Blocks::Name, move || look_up(&name))
            .await
            .unwrap_or_else(Err);
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in asked.remove(&host).unwrap_or_default() {
            // Who has given up needs no answer.
            let _ = waiting.send(found.clone());
        }
    }
}

/// What needs no asking. `localhost` is always this machine (RFC 6761).
fn literal(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    Some(vec![host.parse().ok()?])
}

fn look_up(host: &str) -> Found {
    let found = (host, 0_u16)
        .to_socket_addrs()
        .map_err(|error| format!("the address of {host} is not known: {}", cause(&error)))?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(format!("{host} has no address"));
    }
    Ok(addresses)
}

/// "failed to lookup address information: Name or service not known": the second half.
fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let cause = text.rsplit(": ").next().unwrap_or(&text);
    cause.to_lowercase()
}

/// Host and port of `host:port` or `[v6]:port`.
pub fn parts(text: &str) -> Result<(&str, u16), String> {
    let wrong = || format!("{text:?} is not of the form host:port");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Ok((host, port.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_address_is_not_asked_for() {
        assert!(literal("127.0.0.1").is_some());
        assert!(literal("::1").is_some());
        assert!(literal("LocalHost").is_some());
        assert_eq!(literal("example.org"), None);
    }

    #[test]
    fn host_and_port_are_told_apart() {
        assert_eq!(parts("db:5432"), Ok(("db", 5432)));
        assert_eq!(parts("[::1]:80"), Ok(("::1", 80)));
        assert!(parts("db").is_err());
        assert!(parts("db:99999").is_err());
    }
}
