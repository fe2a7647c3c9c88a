//! The control API against a driver that does everything at once and starts nothing.

#![cfg(unix)] // its client speaks through a socket with a path

mod access;
mod beats;
mod client;
mod configuration;
mod document;
mod events;
mod fake;
mod limits;
mod logs;
mod monitors;
mod operations;
mod reports;
mod requests;
