//! Another executable takes over, while everything that runs runs on.
//!
//! ```text
//!   client        old daemon                 keeper                  new daemon
//!     ├─ POST ───►│ open, ask it (check)      │                        │
//!     │           ├─ Link::upgrade ──────────►├─ start beside ────────►│ reads the state, no lock
//!     │           │◄──────────────── Yield ───┤◄──────────── prepared ─┤
//!     │◄─ 202 ────┤ answers, writes, lets go  │                        │ waits
//!     │           └─ exit "yielded" ─────────►├─ turn ────────────────►│ lock, table, as after any death
//!     ├─ events, waiting in the backlog ──────┼───────────────────────►│ ready; event `upgraded`
//! ```
//!
//! Whatever fails before the exit leaves the old daemon as it was; whatever fails after it has the keeper
//! start the old executable again. [`check`] is what the new executable says of itself beforehand,
//! [`note`] what the old daemon leaves to the one after it. The driver's part is in `driver/upgrade.rs`, the
//! keeper's in `abide_platform::keeper`.

pub mod check;
pub mod note;

/// The version of an executable, for people: `0.1.0 (1a2b3c4)`.
#[must_use]
pub fn version_text(version: &str, build: Option<&str>) -> String {
    match build {
        Some(build) => format!("{version} ({build})"),
        None => version.to_owned(),
    }
}
