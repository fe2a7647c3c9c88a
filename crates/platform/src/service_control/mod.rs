//! A process that the Service Control Manager of Windows started: what it says of itself to the manager, and what
//! the manager asks of it. No more than the calls: what is said when is decided by whoever implements [`Service`]
//! (`abide_host::scm`). Other systems have no such thing.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Line, Service, Status, parent, serve, started_by_manager};
