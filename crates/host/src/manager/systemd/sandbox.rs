//! What is taken from a service that does not need it (systemd.exec(5), `systemd-analyze security`).

use super::quote::{At, word};
use crate::manager::Scope;
use crate::service::{Sandbox, Service};

/// Of no use to a service that only computes, reads and writes its own files, and speaks to others.
const TAKEN: [(&str, &str); 21] = [
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "read-only"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("CapabilityBoundingSet", ""),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("RemoveIPC", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
];

/// Those that only the machine's manager can do without user namespaces.
const ONLY_SYSTEM: [&str; 7] = [
    "PrivateDevices",
    "ProtectClock",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "CapabilityBoundingSet",
    "ProtectHostname",
    "RemoveIPC",
];

/// Tells each setting.
pub(super) fn settings(
    sandbox: &Sandbox,
    service: &Service,
    scope: Scope,
    set: &mut impl FnMut(&str, &str),
) {
    for (key, value) in TAKEN {
        if scope == Scope::System || !ONLY_SYSTEM.contains(&key) {
            set(key, value);
        }
    }
    let families = if sandbox.network {
        "AF_UNIX AF_INET AF_INET6"
    } else {
        "AF_UNIX"
    };
    set("RestrictAddressFamilies", families);
    if !sandbox.network {
        set("PrivateNetwork", "yes");
    }
    set("UMask", "0077");
    if !service.name.contains('@') {
        set("StateDirectory", &service.name);
        set("LogsDirectory", &service.name);
    }
    for path in &sandbox.writable {
        set("ReadWritePaths", &word(&path.to_string_lossy(), At::List));
    }
}
