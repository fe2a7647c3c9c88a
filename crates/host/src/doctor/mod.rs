//! The doctor: what keeps a service from running, what lets others take it over, and what this machine is
//! short of.
//!
//! ```text
//!  unit file, script ──definition──► Definition ──questions──► read ──► Facts
//!                       (pure)           │                  (asks the machine)│
//!                                        ╰───────────► judge (pure) ◄─────────╯
//!                                                         │
//!                                                      Finding: what, and how to put it right
//! ```
//!
//! Architecture invariant: only `read` looks at the machine. What is judged is plain data, so that each fault is
//! tested with a planted one.

// The pure parts wait for a reader on other systems.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod acl;
mod definition;
mod facts;
mod finding;
mod judge;
mod machine;
mod ports;
mod read;
mod scm;
mod service;

pub use definition::{Account, Command, Log};
pub use finding::{Check, Finding, Level};
pub use machine::{Clock, Disk, Folder, Kernel, Machine, Use, judge as judge_machine};
pub use ports::{Listener, Port};
pub use read::machine as read_machine;
pub use service::{Report, Unit, of_home, of_service};
