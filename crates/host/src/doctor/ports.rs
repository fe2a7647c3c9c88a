//! Ports that a service is to have, and who has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::finding::{Check, Finding};

/// A port that a service is to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Where.
    pub address: SocketAddr,
    /// What says so, such as `socket`.
    pub by: String,
}

/// Somebody who listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// Process and name, if that can be seen.
    pub who: Option<String>,
}

/// The ports that somebody else has.
pub(super) fn judge(wanted: &[Port], listeners: &[Listener]) -> Vec<Finding> {
    wanted
        .iter()
        .filter_map(|port| {
            let taken = listeners
                .iter()
                .find(|listener| collide(port.address, listener.address))?;
            let who = taken.who.as_deref().unwrap_or("somebody else");
            Some(Finding::fault(
                Check::Ports,
                format!(
                    "{}, where it is to listen ({}), is taken by {who}",
                    port.address, port.by
                ),
                "stop that one, or take another port",
            ))
        })
        .collect()
}

/// Nobody can listen on one while somebody listens on the other.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (all || a.ip() == b.ip())
}

/// Listening sockets in `/proc/net/tcp` or `tcp6` (proc_net(5)): address and inode.
pub(super) fn parse(text: &str) -> Vec<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state) = (fields.get(1)?, fields.get(3)?);
            let inode = fields.get(9)?.parse().ok()?;
            (*state == LISTEN).then(|| Some((address(local)?, inode)))?
        })
        .collect()
}

/// `0100007F:1F90`: words of the machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<[u8; 4]>> = (0..ip.len() / 8)
        .map(|n| {
            let word = u32::from_str_radix(ip.get(n * 8..n * 8 + 8)?, 16).ok()?;
            Some(word.to_ne_bytes())
        })
        .collect();
    let words = words?;
    let ip = match words.as_slice() {
        [v4] => IpAddr::V4(Ipv4Addr::from(*v4)),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            let v6 = Ipv6Addr::from(bytes);
            v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0
";

    #[test]
    fn the_kernel_s_table_says_who_listens() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(parse(TCP), [(address("127.0.0.1:8080"), 4711)]);
        assert_eq!(parse(TCP6), [(address("[::]:80"), 99)]);
    }

    #[test]
    fn a_port_that_somebody_has_is_found_and_others_are_not() {
        let port = |text: &str| Port {
            address: text.parse().expect("an address"),
            by: "socket".to_owned(),
        };
        let has = Listener {
            address: "127.0.0.1:8080".parse().expect("an address"),
            who: Some("nginx (71)".to_owned()),
        };
        let found = judge(&[port("0.0.0.0:8080")], std::slice::from_ref(&has));
        assert!(found[0].what.contains("taken by nginx (71)"), "{found:?}");
        assert_eq!(
            judge(&[port("127.0.0.1:8081")], std::slice::from_ref(&has)),
            []
        );
        assert_eq!(judge(&[port("127.0.0.2:8080")], &[has]), []);
    }
}
