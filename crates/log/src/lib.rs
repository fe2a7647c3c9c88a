//! abide-log
