//! abide-daemon
