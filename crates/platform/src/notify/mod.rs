//! What a program says of itself: the messages of sd_notify(3), and the socket they come in by; on Windows a pipe
//! of messages with the same texts.
//!
//! One socket a unit. It is held by the keeper, so that what is said while no daemon is there waits in
//! it. Whether a sender may say what it says is for the caller to judge, by [`Sender`] and
//! [`crate::tree::RunTree::contains`].

mod parse;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::NotifySocket;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::NotifySocket;

// On Unix it takes no system call of its own.
#[cfg(windows)]
mod client;
#[cfg(windows)]
pub use client::send;

use std::fmt;

use crate::handle::Handle;

pub use parse::{DEFAULT_STORE_NAME, Notice, STATUS_MAX, is_valid_store_name, parse};

/// The variable that tells a program where to send.
pub const VARIABLE: &str = if cfg!(windows) {
    "NOTIFY_PIPE"
} else {
    "NOTIFY_SOCKET"
};

/// The longest message that is taken, in bytes: that of systemd (`NOTIFY_BUFFER_MAX`), which programs
/// are written for. Longer ones are refused whole.
pub const MESSAGE_MAX: usize = 4096;

/// The most descriptors that one message carries (`SCM_MAX_FD`, unix(7)).
pub const DESCRIPTORS_MAX: usize = 253;

/// Who sent a message, as the kernel vouches for it (`SCM_CREDENTIALS`, unix(7); `GetNamedPipeClientProcessId`). Only a process with
/// `CAP_SYS_ADMIN` may give another's pid, as `systemd-notify --pid` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Its process, which may have ended since; 0: it is in a pid namespace that we do not see.
    pub pid: u32,
    /// Its user; on Windows, where it is not asked for, `u32::MAX`.
    pub uid: u32,
    /// Its group; on Windows `u32::MAX`.
    pub gid: u32,
}

/// One message as it was sent.
#[derive(Debug)]
pub struct Datagram {
    /// Its text, at most [`MESSAGE_MAX`] bytes; what [`parse`] takes.
    pub text: Vec<u8>,
    /// `None`: the kernel did not say, which never happens on a socket of ours.
    pub sender: Option<Sender>,
    /// Descriptors that came along, close-on-exec. Dropping them closes them, which is what the sender of
    /// [`Notice::Barrier`] waits for. Closing the last copy of a foreign descriptor may take long (a
    /// socket that lingers, a file on a network that is down): not for the driver.
    /// On Windows none ever comes.
    pub descriptors: Vec<Handle>,
    /// Something of it did not arrive: it is to be refused whole.
    pub fault: Option<Fault>,
}

/// Why a message did not arrive whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is longer than [`MESSAGE_MAX`].
    TooLong,
    /// It had more descriptors than this process may open.
    DescriptorsLost,
}

/// A clause about the message: "it is …".
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {MESSAGE_MAX} bytes"),
            Self::DescriptorsLost => {
                f.write_str("it came with more descriptors than could be received")
            }
        }
    }
}
