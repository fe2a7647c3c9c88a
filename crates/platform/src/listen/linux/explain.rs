//! Why a socket cannot be had, in words that say what to do.

use std::net::SocketAddr;
use std::path::Path;

use abide_model::ListenAddress;
use rustix::io::Errno;

use super::table;
use crate::exit::errno_text;

const FIRST_UNPRIVILEGED: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

pub(super) fn internet(listen: &ListenAddress, address: SocketAddr, error: Errno) -> String {
    let port = address.port();
    match error {
        Errno::ADDRINUSE => in_use(table::holder(listen)),
        Errno::ACCESS => {
            let first = std::fs::read_to_string(FIRST_UNPRIVILEGED)
                .ok()
                .and_then(|text| text.trim().parse::<u16>().ok())
                .unwrap_or(1024);
            if port < first {
                format!(
                    "ports below {first} need root or CAP_NET_BIND_SERVICE; use a higher port, run abide as root, or have root run `sysctl net.ipv4.ip_unprivileged_port_start={port}`"
                )
            } else {
                errno_text(error.raw_os_error())
            }
        }
        Errno::ADDRNOTAVAIL => {
            let any = if address.is_ipv4() { "0.0.0.0" } else { "[::]" };
            format!(
                "this machine has no address {}; see `ip address` for those it has, or listen on all of them with {any}:{port}",
                address.ip()
            )
        }
        Errno::AFNOSUPPORT if address.is_ipv6() => {
            "this machine has no IPv6; listen on an IPv4 address".to_owned()
        }
        other => errno_text(other.raw_os_error()),
    }
}

pub(super) fn file(path: &Path, error: Errno) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error {
        Errno::ADDRINUSE => in_use(table::holder(&ListenAddress::Unix(path.to_owned()))),
        Errno::NOENT => format!("the folder {folder} does not exist; make it"),
        Errno::NOTDIR => format!("{folder} is not a folder; change `listen`"),
        Errno::ACCESS => {
            format!("abide may not make files in {folder}; change its permissions, or `listen`")
        }
        Errno::PERM => {
            "abide may not give it to that user and group; only root may (see `owner` and `group`)"
                .to_owned()
        }
        Errno::ROFS => format!("{folder} is on a file system that is mounted read-only"),
        other => errno_text(other.raw_os_error()),
    }
}

fn in_use(holder: Option<(u32, String)>) -> String {
    match holder {
        Some((pid, name)) => format!(
            "process {pid} ({name}) already listens there; stop it, or choose another address"
        ),
        None => "another process already listens there (`ss -lnp` as root tells which); stop it, or choose another address".to_owned(),
    }
}
