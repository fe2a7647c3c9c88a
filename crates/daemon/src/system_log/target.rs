//! From what is configured to what the client takes.

use abide_host::log::{
    Address, Destination, Facility, Identity, Trust, eventlog, journald, syslog,
};
use abide_model::{LogTarget, LogWay};

use crate::home::Home;
use crate::installed;
use crate::report::this_machine;

/// Where it is; `None`: there is no system log on this machine.
pub(super) fn destination(target: &LogTarget, home: &Home) -> Option<Destination> {
    let address = |host: &String, port: u16| Address {
        host: host.clone(),
        port,
    };
    Some(match &target.way {
        LogWay::Auto => {
            return Some(match Destination::of_this_machine()? {
                Destination::EventLog(_) => Destination::EventLog(source(home)),
                other => other,
            });
        }
        LogWay::EventLog(name) => {
            Destination::EventLog(name.clone().unwrap_or_else(|| source(home)))
        }
        LogWay::Journald(path) => {
            Destination::Journald(path.clone().unwrap_or_else(|| journald::SOCKET.into()))
        }
        LogWay::Local(path) => {
            Destination::Local(path.clone().unwrap_or_else(|| syslog::SOCKET.into()))
        }
        LogWay::Udp(host, port) => Destination::Udp(address(host, *port)),
        LogWay::Tcp(host, port) => Destination::Tcp(address(host, *port)),
        LogWay::Tls(host, port, trust) => Destination::Tls(
            address(host, *port),
            Trust {
                authorities: trust.ca.clone(),
                name: trust.name.clone(),
                identity: trust.identity.clone(),
            },
        ),
    })
}

/// The source in the Event Log: that of the service which this abide is, else abide's own.
fn source(home: &Home) -> String {
    installed::serves(home.root()).unwrap_or_else(|| eventlog::SOURCE.to_owned())
}

/// Who sends.
pub(super) fn identity(target: &LogTarget) -> Identity {
    Identity {
        host: target.host.clone().unwrap_or_else(this_machine),
        // Configuration takes no other than those that are known.
        facility: target.facility.parse().unwrap_or(Facility::DAEMON),
    }
}

/// The name of the folder that says how far it is: the same for as long as it is the same receiver.
pub(super) fn folder(target: &LogTarget) -> String {
    let name = target.way.to_string();
    let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let readable = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
            c
        } else {
            '_'
        }
    };
    let readable: String = name.chars().map(readable).take(100).collect();
    format!("{readable}.{digest:016x}")
}
