//! The control API against a driver that does everything at once and starts nothing.

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
mod system;
