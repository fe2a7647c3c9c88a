//! How peers get here: packages unpacked below `target/bench` and not installed, where they can be run from there.
//! What cannot be had is left out of the measurement, with the reason.

pub mod debian;
pub mod dinit;
pub mod node;
pub mod python;
pub mod systemd;
