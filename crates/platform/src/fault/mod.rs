//! Instants at which a test can have a process die.
//!
//! Between every two steps that matter, the code passes a [`point`]. Without the cargo feature `faults`
//! that is nothing at all. With it, the variable `ABIDE_FAULT_FILE` names a file that every process
//! of a home maps: it counts there how often each point was passed, and finds there what is to
//! happen at the next, or the n-th, pass. So a running daemon is armed by a write into that file, a
//! process that was killed at a point has said so before, and a half-spawned child is reached too.
//! `docs/decisions/0021-fault-points.md` says why it is done like this.
//!
//! The file is a row of slots of [`SLOT`] bytes, in the order of [`POINTS`]; in each, 32-bit numbers
//! in the machine's own byte order:
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | how often the point was passed; only ever counted up |
//! | 4–7 | how often something was done at it; only ever counted up |
//! | 8–11 | what is to be done: 0 nothing, 1 kill, 2 stop, 3 hang while this number stands here |
//! | 12–15 | at which pass from now: 1 is the next one |
//! | 16–19 | to which process; 0: the one that passes |
//! | 20–23 | to which other process as well; 0: none |

mod points;

#[cfg(all(feature = "faults", target_os = "linux"))]
mod linux;
#[cfg(all(feature = "faults", target_os = "linux"))]
pub use linux::point;

pub use points::POINTS;

/// Bytes of a point's slot.
pub const SLOT: usize = 32;

/// A process passes here. May be called between clone and exec: nothing is allocated or locked.
///
/// `name` has to be one of [`POINTS`].
#[cfg(not(all(feature = "faults", target_os = "linux")))]
#[inline(always)]
pub fn point(name: &'static str) {
    let _ = name;
}
