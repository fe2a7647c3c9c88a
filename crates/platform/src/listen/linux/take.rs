use std::os::fd::OwnedFd;

use abide_model::ListenAddress;
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::address_of;
use crate::identity::Handle;

/// The listening sockets that a process has: duplicates, taken by pidfd_getfd(2). None where we may not
/// (ptrace(2) says when: an ordinary user often may not of a process that is no descendant), and on kernels
/// before 5.6.
#[must_use]
pub fn held_by(process: &Handle) -> Vec<(ListenAddress, OwnedFd)> {
    let Some(pidfd) = process.pidfd() else {
        return Vec::new();
    };
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.identity().pid));
    descriptors
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            // Only those: a duplicate of another kind might do something when it is closed.
            std::fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|number| pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()).ok())
        .filter_map(|fd| Some((address_of(&fd)?, fd)))
        .collect()
}
