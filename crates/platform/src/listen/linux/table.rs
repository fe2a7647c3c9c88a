//! What the kernel says of all sockets of this network namespace: `/proc/net` (proc_net(5)). It is there
//! on every kernel and for every user; netlink's sock_diag is a module that may be missing.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use abide_model::ListenAddress;

// include/net/tcp_states.h
const ESTABLISHED: u8 = 1;
const FIN_WAIT_1: u8 = 4;
const FIN_WAIT_2: u8 = 5;
const CLOSE_WAIT: u8 = 8;
const LISTEN: u8 = 10;

// include/uapi/linux/net.h, the states of Unix sockets; one that waits to be accepted is "connecting"
const CONNECTING: u8 = 2;
const CONNECTED: u8 = 3;
/// `SO_ACCEPTCON` in the flags.
const ACCEPTS: u32 = 1 << 16;

/// One line of `tcp`, `tcp6`, `udp` or `udp6`.
struct Internet {
    local: SocketAddr,
    state: u8,
    /// Bytes that wait to be read.
    waiting: u64,
    /// 0: no process has it (yet, or any more).
    inode: u64,
}

/// How many connections to these addresses there are: those that programs have, and those that wait
/// to be accepted. A UDP socket counts as one while datagrams wait in it. Reads the tables of all sockets of
/// the machine, which takes milliseconds when there are many: not for the driver.
///
/// # Errors
/// Those of reading `/proc/net`.
pub fn connected(addresses: &[ListenAddress]) -> io::Result<usize> {
    let mut count = 0;
    let any = |wanted: fn(&ListenAddress) -> bool| addresses.iter().any(wanted);
    if any(|a| matches!(a, ListenAddress::Tcp(_))) {
        internet("tcp", &mut |line| {
            let open = matches!(line.state, ESTABLISHED | CLOSE_WAIT)
                || (matches!(line.state, FIN_WAIT_1 | FIN_WAIT_2) && line.inode != 0);
            let ours = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(a) if takes(*a, line.local));
            count += usize::from(open && addresses.iter().any(ours));
        })?;
    }
    if any(|a| matches!(a, ListenAddress::Udp(_))) {
        internet("udp", &mut |line| {
            let ours = |address: &ListenAddress| matches!(address, ListenAddress::Udp(a) if *a == line.local);
            count += usize::from(line.waiting > 0 && addresses.iter().any(ours));
        })?;
    }
    if any(|a| matches!(a, ListenAddress::Unix(_))) {
        unix(&mut |flags, state, _, path| {
            let open = flags & ACCEPTS == 0 && matches!(state, CONNECTING | CONNECTED);
            let ours =
                |address: &ListenAddress| matches!(address, ListenAddress::Unix(p) if p == path);
            count += usize::from(open && addresses.iter().any(ours));
        })?;
    }
    Ok(count)
}

/// The process that has a socket bound there, as far as we may see: its pid and name.
pub(super) fn holder(address: &ListenAddress) -> Option<(u32, String)> {
    let mut inodes = Vec::new();
    match address {
        ListenAddress::Tcp(wanted) => internet("tcp", &mut |line| {
            if line.state == LISTEN && overlap(*wanted, line.local) {
                inodes.push(line.inode);
            }
        }),
        ListenAddress::Udp(wanted) => internet("udp", &mut |line| {
            if overlap(*wanted, line.local) {
                inodes.push(line.inode);
            }
        }),
        ListenAddress::Unix(wanted) => unix(&mut |flags, _, inode, path| {
            if flags & ACCEPTS != 0 && path == wanted {
                inodes.push(inode);
            }
        }),
    }
    .ok()?;
    let links: Vec<String> = inodes.iter().map(|i| format!("socket:[{i}]")).collect();
    let has_it = |pid: &u32| {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|target| links.iter().any(|link| Path::new(link) == target))
    };
    let pid = crate::tree::pids().into_iter().find(has_it)?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim_end().to_owned()))
}

/// A connection whose end here is `local` came in through a socket that listens on `listening`.
fn takes(listening: SocketAddr, local: SocketAddr) -> bool {
    listening.port() == local.port()
        && listening.is_ipv4() == local.is_ipv4()
        && (listening.ip().is_unspecified() || listening.ip() == local.ip())
}

/// Two sockets cannot both have these.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// Looks at every line of a protocol's table for IPv4, then IPv6.
fn internet(protocol: &str, look: &mut dyn FnMut(&Internet)) -> io::Result<()> {
    for name in [protocol.to_owned(), format!("{protocol}6")] {
        let file = match File::open(format!("/proc/net/{name}")) {
            Ok(file) => file,
            // The machine has no IPv6.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.ends_with('6') => continue,
            Err(e) => return Err(e),
        };
        each_line(file, |line| {
            if let Some(line) = std::str::from_utf8(line).ok().and_then(parse_internet) {
                look(&line);
            }
        })?;
    }
    Ok(())
}

/// Looks at every named Unix socket: flags, state, inode and path.
fn unix(look: &mut dyn FnMut(u32, u8, u64, &Path)) -> io::Result<()> {
    each_line(File::open("/proc/net/unix")?, |line| {
        if let Some((flags, state, inode, path)) = parse_unix(line) {
            look(flags, state, inode, path);
        }
    })
}

fn each_line(file: File, mut look: impl FnMut(&[u8])) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        look(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(())
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode …`; the first line
/// is a heading.
fn parse_internet(line: &str) -> Option<Internet> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = parse_address(words.next()?)?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let (_, waiting) = words.next()?.split_once(':')?;
    Some(Internet {
        local,
        state,
        waiting: u64::from_str_radix(waiting, 16).ok()?,
        inode: words.nth(4)?.parse().ok()?,
    })
}

/// Words of four bytes, each as a number of this machine whose bytes are in the network's order.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| -> Option<[u8; 4]> {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = if address.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?))
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?];
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(words.iter().flatten()) {
            *place = *byte;
        }
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    Some(SocketAddr::new(address, port))
}

/// `Num: RefCount Protocol Flags Type St Inode Path`; a path may have blanks.
fn parse_unix(line: &[u8]) -> Option<(u32, u8, u64, &Path)> {
    let mut rest = line;
    let mut word = || -> Option<&str> {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ')?;
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        std::str::from_utf8(word).ok()
    };
    let (_, _, _) = (word()?, word()?, word()?);
    let flags = u32::from_str_radix(word()?, 16).ok()?;
    word()?;
    let state = u8::from_str_radix(word()?, 16).ok()?;
    let inode = word()?.parse().ok()?;
    let path = rest.strip_prefix(b" ")?;
    (!path.is_empty()).then(|| {
        (
            flags,
            state,
            inode,
            Path::new(std::ffi::OsStr::from_bytes(path)),
        )
    })
}
