//! abide-platform
