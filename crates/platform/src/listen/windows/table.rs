//! Who listens on this machine, as its table of connections says.

#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::ERROR_INSUFFICIENT_BUFFER;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};

use crate::win32::answered;

/// A table that grows while it is read is asked for again, so often.
const ATTEMPTS: usize = 10;

/// The TCP addresses that somebody listens on, and the pid of that process.
///
/// # Errors
/// Those of GetExtendedTcpTable.
pub fn listeners() -> io::Result<Vec<(SocketAddr, u32)>> {
    let v4 = table(AF_INET)?;
    let mut found = rows::<MIB_TCPROW_OWNER_PID>(&v4, |row| {
        let ip = Ipv4Addr::from(row.dwLocalAddr.to_ne_bytes());
        (address(ip.into(), row.dwLocalPort), row.dwOwningPid)
    });
    let v6 = table(AF_INET6)?;
    found.extend(rows::<MIB_TCP6ROW_OWNER_PID>(&v6, |row| {
        let ip = Ipv6Addr::from(row.ucLocalAddr);
        (address(ip.into(), row.dwLocalPort), row.dwOwningPid)
    }));
    Ok(found)
}

/// The port is in the lower two bytes, in the order of the network.
fn address(ip: IpAddr, port: u32) -> SocketAddr {
    let bytes = port.to_ne_bytes();
    SocketAddr::new(ip, u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The table of one family, in words, which is how it has to be aligned.
fn table(family: u16) -> io::Result<Vec<u32>> {
    let mut table: Vec<u32> = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut size = size_of_val(table.as_slice()) as u32;
        let room = if table.is_empty() {
            null_mut()
        } else {
            table.as_mut_ptr()
        };
        // SAFETY: there is as much room as is said, and how much is needed goes to a local.
        let error = unsafe {
            GetExtendedTcpTable(
                room.cast(),
                &mut size,
                0,
                family.into(),
                TCP_TABLE_OWNER_PID_LISTENER,
                0,
            )
        };
        if error != ERROR_INSUFFICIENT_BUFFER {
            return answered(error).map(|()| table);
        }
        // Some more, for those who begin to listen meanwhile.
        table = vec![0_u32; (size as usize).div_ceil(4) + 256];
    }
    Err(io::Error::other(
        "the table of connections grows all the time",
    ))
}

/// The rows of a table, which begins with their number.
fn rows<R: Copy>(table: &[u32], read: impl Fn(&R) -> (SocketAddr, u32)) -> Vec<(SocketAddr, u32)> {
    let Some((count, rest)) = table.split_first() else {
        return Vec::new();
    };
    let room = size_of_val(rest) / size_of::<R>();
    // SAFETY: both kinds of rows are plain numbers that need no more than the alignment of words, and no more of them are
    // looked at than there is room for.
    let rows =
        unsafe { std::slice::from_raw_parts(rest.as_ptr().cast::<R>(), room.min(*count as usize)) };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_told_with_the_process() {
        for place in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(place) else {
                // A machine without that family.
                continue;
            };
            let at = listener.local_addr().expect("it has one");
            let found = listeners().expect("it is told");
            let ours = found.iter().find(|(address, _)| *address == at);
            assert!(ours.is_some(), "{at}: {found:?}");
            if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
                assert_eq!(ours.map(|(_, pid)| *pid), Some(std::process::id()));
            }
        }
    }
}
