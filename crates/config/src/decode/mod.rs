//! From the tree of a file to its units.

mod account;
mod address;
mod command;
mod daemon;
mod directory;
mod environment;
mod health;
mod heartbeat;
mod hook;
mod limits;
mod monitor;
mod notify;
mod pattern;
mod probe;
mod reader;
mod ready;
mod reload;
mod restart;
mod socket;
mod stop;
mod system_log;
mod template;
mod unit;

pub(crate) use daemon::daemon;
pub(crate) use environment::wanted;
pub(crate) use monitor::{monitor, report};
pub(crate) use reader::{Layer, LayerKind, Reader};
pub(crate) use unit::{Dependency, Draft, Kind, defaults, unit};
