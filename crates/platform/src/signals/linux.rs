#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use abide_model::Signal;

/// Some signals, blocked and readable from a descriptor. They stay blocked until the process ends;
/// what it spawns gets an empty mask from [`crate::spawn`].
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// Blocks `wanted` in this thread. To be called before any other thread starts: threads inherit
    /// the mask, and one that does not block a signal would receive it.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn new(wanted: &[Signal]) -> io::Result<Self> {
        // SAFETY: an all-zero sigset_t is a valid one to initialise; every pointer points to it, and
        // the descriptor that signalfd returns belongs to nobody else.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in wanted {
                libc::sigaddset(&raw mut set, signal.0);
            }
            let error =
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            if error != 0 {
                return Err(io::Error::from_raw_os_error(error));
            }
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self {
                fd: OwnedFd::from_raw_fd(fd),
            })
        }
    }

    /// The next signal that came, if one did.
    #[must_use]
    pub fn take(&self) -> Option<Signal> {
        // SAFETY: signalfd_siginfo is plain numbers, and the kernel writes at most its size.
        let (read, info) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            (
                libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size),
                info,
            )
        };
        if read <= 0 {
            return None;
        }
        i32::try_from(info.ssi_signo).ok().map(Signal)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
