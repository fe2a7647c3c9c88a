//! What the folders and files of a unit are called: by its name, as far as the system has such names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{of_unit, unit_of};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{of_unit, unit_of};
