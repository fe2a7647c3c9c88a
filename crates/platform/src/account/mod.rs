//! Who somebody is to the system, and whether they may command what belongs to somebody else.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Account, is_administrator, others_refused};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{ADMINISTRATORS, SYSTEM, own_service, text_of};
#[cfg(windows)]
pub use windows::{
    Account, is_administrator, let_be_service, may_be_service, others_refused, sid_of,
};
