//! The supervisor's rules, one sentence each, on a bench that answers as a well-behaved system would.

mod applying;
mod bench;
mod cost;
mod dependencies;
mod hooks;
mod operations;
mod restarting;
mod resuming;
mod stopping;
