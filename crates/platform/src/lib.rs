//! abide-platform

pub mod pipe;
