//! The two clocks, and which boot this is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{boot, now};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::ticks_of;
#[cfg(windows)]
pub use windows::{boot, now};

/// One boot of one machine: what makes a process id, a start time or a [`abide_model::Mono`] mean
/// something. All zero when the system does not tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Boot(pub u128);

/// 32 hexadecimal digits.
impl std::fmt::Display for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for Boot {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}
