//! Makes a Rust program a service: of Windows, of systemd, runit, OpenRC and SysV on Linux, and of abide itself.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::time::Duration;
//! use abide_service::{Context, Failure, Service};
//!
//! fn main() -> ExitCode {
//!     Service::new("shop").description("sells things").main(body)
//! }
//!
//! fn body(ctx: Context) -> Result<(), Failure> {
//!     ctx.log().info("open");
//!     ctx.ready();
//!     while !ctx.stopping().wait_for(Duration::from_secs(1)) {
//!         // one piece of work
//!         ctx.beat();
//!     }
//!     ctx.log().info(format_args!("closed: {:?}", ctx.stop_reason()));
//!     Ok(())
//! }
//! ```
//!
//! That program runs in the foreground when a person starts it; `shop install`, `shop start`,
//! `shop status`, `shop uninstall` make it a service of the machine and none again; and whoever
//! starts it, it says that it is ready, ends when it is asked to, and logs where people look.
//!
//! With a runtime, the body is a future. `stopping()` is one too:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # use abide_service::Service;
//! # async fn listen() -> Result<u16, std::io::Error> { Ok(1) }
//! # async fn serve_until(_: u16, stop: impl Future<Output = ()>) -> Result<(), std::io::Error> { stop.await; Ok(()) }
//! // #[tokio::main]
//! async fn main_of_yours() -> ExitCode {
//!     Service::new("shop").main_async(async |ctx| {
//!         let listener = listen().await?;
//!         ctx.ready();
//!         serve_until(listener, ctx.stopping()).await
//!     }).await
//! }
//! ```
//!
//! No runtime is needed, none is brought along, and any will do: nothing here is bound to one.
//!
//! # What the manager sees
//!
//! | the body | the manager |
//! |---|---|
//! | says [`ready`](Context::ready) | it is up, `start` returns, what depends on it starts (systemd: `READY=1`; abide with `ready = { notify = true }`; Windows: running) |
//! | says [`status`](Context::status) | a line in `systemctl status`, `abide status` |
//! | returns `Ok` | it ended well: exit code 0 |
//! | returns an error | it failed: exit code 1, or that of a [`Failure`]; the error is in the log |
//! | panics | it failed: exit code 101; the panic and its place are in the log |
//! | gives no [beats](#beats) | it hangs: it is killed and started again, where it was asked to give them |
//!
//! # Being asked to stop
//!
//! SIGTERM, Ctrl-C and the controls of Windows end what waits for [`stopping`](Context::stopping); a person's second Ctrl-C ends
//! the program at once. How long the body may take then is the manager's to say
//! ([`stop_timeout`](Service::stop_timeout)); a body that needs more says
//! [`extend_timeout`](Context::extend_timeout). [Why](StopReason) it is to stop is known as far as the
//! manager lets it know.
//!
//! Signals are caught, not blocked, so programs that the service starts get them as they should. Other handlers
//! for the same signals that use the crate `signal-hook` (as tokio does) are called as well.
//!
//! # Beats
//!
//! Where the manager wants signs of life (systemd: `WatchdogSec=`, [`watchdog`](Service::watchdog); abide:
//! `heartbeat`), [`beat_every`](Context::beat_every) says how often. A beat must mean that work goes on, so
//! there is no thread that beats beside a hung program:
//!
//! - Until the program calls [`beat`](Context::beat), the library gives one where it sees that the body lives: a
//!   blocking body's thread waits in [`stopping`](Context::stopping) or [`reloading`](Context::reloading); or the
//!   runtime of a body that is a future polls it when it is woken for that.
//! - From the program's first own beat on, only its own count. Call it from the loop that does the work.
//!
//! Under abide a program without `NOTIFY_SOCKET` posts its beats to `ABIDE_HEARTBEAT_URL`.
//!
//! # Features
//!
//! `log`: `Logger::take_records`, by which what is said with the macros of the crate `log` goes to the service's log.
//!
//! `tracing`: `Logger::layer`, by which events of the crate `tracing` go to the service's log.
//!
//! # Systems
//!
//! Linux, and Windows: there a program that the Service Control Manager started is attended to by two threads beside the
//! body's. While the body has not said [`ready`](Context::ready), and while it stops, they tell the manager that there is
//! progress, until [`start_timeout`](Service::start_timeout) or [`stop_timeout`](Service::stop_timeout) is over; then the
//! manager takes it for one that hangs, and nobody ends it. A body's error is the service's own exit code (1066);
//! a process that is killed is an unexpected end (1067).

mod beats;
mod board;
mod command;
mod context;
mod controls;
mod error;
mod link;
mod log;
pub mod manage;
mod panics;
mod reason;
mod requests;
mod run;
mod service;
mod session;
mod starter;
mod waiting;

pub use context::Context;
pub use controls::{Event, PowerEvent, SessionEvent};
pub use error::{BoxError, Failure, RunError};
#[cfg(feature = "tracing")]
pub use log::Layer;
pub use log::{Logger, Severity};
pub use reason::StopReason;
pub use service::{ByHand, Service};
pub use starter::{Starter, interactive, starter};
pub use waiting::{Events, Reload, Reloading, Stopping};
