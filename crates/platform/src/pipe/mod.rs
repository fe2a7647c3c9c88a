//! The way of a program's output: from the FIFO that it writes to, through a stage pipe, to a file.
//!
//! ```text
//!  program ──write──► FIFO ──fill──► stage pipe ──drain──► segment, at an offset
//!                       └──discard──► nothing (while the disk is in trouble)
//! ```
//!
//! The bytes never enter this process's memory: whoever is killed between two steps has neither
//! lost nor doubled any, because each step takes from one place exactly what it gives to the next.
//! The stage is there because moving bytes to a file holds the lock of the pipe they come from while
//! the file system works: straight from the FIFO, a hung disk would put the *program* into an
//! unkillable sleep.
//!
//! Windows has nothing that moves bytes without taking them. There they are looked at, written to their place
//! from a *slot*, and then taken: whoever is killed between two steps is finished by the next one.

mod input;
mod output;

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::{
    USUAL_SIZE, available, create_fifo, discard, drain, fill, hold, ignore_file_size_signal,
    is_full, number, reader, set_size, size, stage, stage_of, stage_reopened, user_budget, writer,
};

#[cfg(windows)]
mod windows;

pub use input::Input;
#[cfg(windows)]
pub use output::ignore_file_size_signal;
pub use output::{End, ForRuns, Output, left_with, lets_stages_be_taken, take_now};
#[cfg(windows)]
pub(crate) use windows::is_written_to;
#[cfg(windows)]
pub use windows::{
    Left, Pipe, Place, Slot, Token, USUAL_SIZE, Waits, available, come_last, create, discard,
    is_full, writer,
};
