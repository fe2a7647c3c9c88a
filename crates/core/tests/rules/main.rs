//! The supervisor's rules, one sentence each, on a bench that answers as a well-behaved system would.

mod applying;
mod beats;
mod bench;
mod cost;
mod dependencies;
mod gap;
mod health;
mod hooks;
mod notify;
mod operations;
mod reload;
mod restarting;
mod resuming;
mod rolling;
mod sockets;
mod stopping;
