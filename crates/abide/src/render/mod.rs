//! What answers look like to a person. Everything here is a pure function of the answer, a width and a
//! time, so that each has a golden text.

pub mod line;
pub mod plan;
pub mod progress;
pub mod status;
pub mod unit;
pub mod words;

// What the system has elsewhere.
#[cfg(all(test, windows))]
mod zones;
