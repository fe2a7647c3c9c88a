#![allow(unsafe_code)]

use std::sync::OnceLock;

use abide_model::{Mono, Now, Wall};
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::SystemInformation::GetSystemTimePreciseAsFileTime;

use super::Boot;
use crate::win32::ticks;

/// 1970 in units of 100 ns since 1601.
const EPOCH: i64 = 116_444_736_000_000_000;

/// `BootId` of `KUSER_SHARED_DATA` (ntddk.h), which is mapped at this address into every process: a number
/// that grows by one with each boot. Zero under Wine.
const BOOT_ID: *const u32 = (0x7ffe_0000 + 0x2c4) as *const u32;

/// Reads the performance counter, which counts suspended time ("Acquiring high-resolution time stamps" in
/// Microsoft's documentation), and the system's time.
#[must_use]
pub fn now() -> Now {
    let (mut count, mut wall) = (0, FILETIME::default());
    // SAFETY: both write to the local that they are given. Neither fails since Windows XP.
    unsafe {
        QueryPerformanceCounter(&mut count);
        GetSystemTimePreciseAsFileTime(&mut wall);
    }
    Now {
        mono: mono_of(count.unsigned_abs(), frequency()),
        wall: wall_of(ticks(wall)),
    }
}

/// Counts a second; fixed at boot.
fn frequency() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: writes to the local that it is given.
        unsafe { QueryPerformanceFrequency(&mut frequency) };
        frequency.unsigned_abs().max(1)
    })
}

/// In whole seconds and their rest, as the product of all would not fit.
fn mono_of(count: u64, frequency: u64) -> Mono {
    let rest = u128::from(count % frequency) * 1_000_000_000 / u128::from(frequency);
    let seconds = (count / frequency).saturating_mul(1_000_000_000);
    Mono(seconds.saturating_add(u64::try_from(rest).unwrap_or(0)))
}

/// A time of Windows as ours.
pub(crate) fn wall_of(ticks: u64) -> Wall {
    let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
    Wall((ticks - EPOCH).saturating_mul(100))
}

/// Our time as one of Windows.
pub(crate) fn ticks_of(wall: Wall) -> i64 {
    wall.0.div_euclid(100).saturating_add(EPOCH)
}

/// The running boot.
#[must_use]
pub fn boot() -> Boot {
    // SAFETY: the page is mapped, readable, into every process of Windows 8 and later.
    Boot(u128::from(unsafe { BOOT_ID.read_volatile() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_and_the_calendar_is_that_of_the_standard_library() {
        let (before, known) = (now(), std::time::SystemTime::now());
        let after = now();
        assert!(after.mono >= before.mono);
        let known = known
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let difference = Wall(0).after(known).0.abs_diff(after.wall.0);
        assert!(difference < 10_000_000_000, "{difference} ns apart");
    }

    #[test]
    fn a_count_is_told_in_nanoseconds_also_after_years() {
        assert_eq!(mono_of(15, 10), Mono(1_500_000_000));
        let years = 10 * 365 * 86_400_u64;
        let counted = mono_of(years * 10_000_000 + 1, 10_000_000);
        assert_eq!(counted, Mono(years * 1_000_000_000 + 100));
    }

    #[test]
    fn a_time_of_windows_and_ours_are_the_same_time() {
        assert_eq!(wall_of(EPOCH.cast_unsigned()), Wall(0));
        for wall in [Wall(0), Wall(1_767_225_600_123_456_700), Wall(-100)] {
            assert_eq!(wall_of(ticks_of(wall).cast_unsigned()), wall);
        }
    }
}
