//! Why the program is to stop.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(windows)]
use windows as os;

/// Why a program is to stop, as far as its manager lets it know.
///
/// | | systemd | abide, runit, OpenRC, SysV |
/// |---|---|---|
/// | [`Requested`](Self::Requested) | `systemctl stop`, SIGTERM from anybody | SIGTERM, whatever the reason |
/// | [`Restart`](Self::Restart) | `systemctl restart` | told as `Requested` |
/// | [`Shutdown`](Self::Shutdown) | the machine goes down or restarts | told as `Requested` |
/// | [`Interrupted`](Self::Interrupted) | Ctrl-C, or the terminal was closed | the same |
/// | [`Itself`](Self::Itself) | [`Context::stop`](crate::Context::stop) | the same |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// A person or a program asked for it.
    Requested,
    /// It is stopped to be started again.
    Restart,
    /// The machine goes down.
    Shutdown,
    /// Ctrl-C, or the terminal was closed.
    Interrupted,
    /// The program asked for it.
    Itself,
}

/// What is known without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// SIGTERM, or the manager's word.
    Manager,
    /// SIGINT, or SIGHUP from a terminal that is gone.
    Interrupt,
    /// The program itself.
    Program,
}

/// Looks into it; takes up to two seconds where the manager has to be asked.
pub(crate) fn find_out(cause: Cause, name: &str) -> StopReason {
    match cause {
        Cause::Interrupt => StopReason::Interrupted,
        Cause::Program => StopReason::Itself,
        Cause::Manager => os::asked_by_manager(name),
    }
}
