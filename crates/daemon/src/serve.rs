//! The daemon's life, from its start to its exit code.

use crate::driver::{Daemon, Ended, Options, Started};
use abide_platform::keeper;

/// Runs a daemon in this process until it is taken down; returns the exit code, whose meaning for
/// the keeper is told at [`keeper::EXIT_REFUSED`]. To be called on the first thread, with no other
/// running.
#[must_use]
pub fn serve(options: &Options) -> i32 {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let Started {
        mut daemon,
        front,
        safe_mode,
    } = match Daemon::start(options) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!("cannot {error}");
            keeper::tell_starter(&format!("cannot {error}"));
            return keeper::EXIT_REFUSED;
        }
    };
    let _ = (front, safe_mode);
    daemon.ready();
    match daemon.run() {
        Ok(Ended::Down) => 0,
        // A new keeper brings a new daemon.
        Ok(Ended::KeeperLost) => 0,
        Err(error) => {
            tracing::error!(%error, "cannot go on");
            1
        }
    }
}
