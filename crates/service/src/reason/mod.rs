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
/// | | systemd | Windows (SCM) | abide, runit, OpenRC, SysV |
/// |---|---|---|---|
/// | [`Requested`](Self::Requested) | `systemctl stop`, SIGTERM from anybody | `sc stop` | SIGTERM, Ctrl-C sent by abide, whatever the reason |
/// | [`Restart`](Self::Restart) | `systemctl restart` | told as `Requested` | told as `Requested` |
/// | [`Shutdown`](Self::Shutdown) | the machine goes down or restarts | `SERVICE_CONTROL_SHUTDOWN` | told as `Requested` |
/// | [`Preshutdown`](Self::Preshutdown) | told as `Shutdown` | `SERVICE_CONTROL_PRESHUTDOWN` | told as `Requested` |
/// | [`Interrupted`](Self::Interrupted) | Ctrl-C, or the terminal was closed | – | the same |
/// | [`Itself`](Self::Itself) | [`Context::stop`](crate::Context::stop) | the same | the same |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// A person or a program asked for it.
    Requested,
    /// It is stopped to be started again.
    Restart,
    /// The machine goes down.
    Shutdown,
    /// The machine is about to go down, and waits for this service first.
    Preshutdown,
    /// Ctrl-C, or the terminal was closed.
    Interrupted,
    /// The program asked for it.
    Itself,
}

/// What is known without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// SIGTERM, or the manager's word, which does not say why.
    Manager,
    /// The manager's word, with its reason.
    Told(StopReason),
    /// SIGINT, or SIGHUP from a terminal that is gone.
    Interrupt,
    /// The program itself.
    Program,
}

/// Looks into it; takes up to two seconds where the manager has to be asked.
pub(crate) fn find_out(cause: Cause, name: &str) -> StopReason {
    match cause {
        Cause::Told(reason) => reason,
        Cause::Interrupt => StopReason::Interrupted,
        Cause::Program => StopReason::Itself,
        Cause::Manager => os::asked_by_manager(name),
    }
}
