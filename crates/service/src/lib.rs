//! Makes a Rust program a service on every operating system.
