//! Who somebody is to the system, and whether they may command what belongs to somebody else.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Account, is_administrator};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    ADMINISTRATORS, Disguise, Found, SYSTEM, act_as, look_up, own_service, own_token, text_of,
};
#[cfg(windows)]
pub use windows::{
    Account, Closed, closed, groups_of, is_administrator, is_local, let_be_service, may_be_service,
    name_of, service_log_on, sid_of,
};
