//! Being a service of the Service Control Manager of Windows: the process's side of it. (The manager's side is
//! [`crate::Manager`].)
//!
//! ```text
//!   SCM ── control ──► handler ──┐                        ┌──► Asked: stop, pause, reload … ──► the program
//!                                ├──► Machine (pure) ─────┤
//!   the program ── Said ─────────┘        ▲ time          └──► Status ──► Api ──► SCM
//! ```
//!
//! [`Machine`] decides what is told and asked, and when; it knows no system, so that every order of events can be
//! tried anywhere. [`Api`] is what a status is reported through, and in tests a fake manager.

mod connection;
mod drive;
mod machine;
mod numbers;

pub use connection::{Connection, connect, started_by_manager};
pub use drive::{Api, Message, drive};
pub use machine::{Asked, Ending, Machine, Said, Settings, StopCause};
pub use numbers::{Accepted, Control, State, Status, answer};
