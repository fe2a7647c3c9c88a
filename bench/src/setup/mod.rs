//! How peers get here: packages unpacked below `target/bench`, not installed, so that nothing of this machine is
//! changed. What cannot be had is left out of the measurement, with the reason.

pub mod debian;
pub mod dinit;
pub mod node;
pub mod python;
pub mod systemd;
