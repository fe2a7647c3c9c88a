//! The daemon's life, from its start to its exit code.

use crate::api::Api;
use crate::driver::{Daemon, Ended, Options, StartError, Started};
use abide_platform::exit::is_shortage;
use abide_platform::keeper::LinkError;
use abide_platform::{keeper, memory};

/// Runs a daemon in this process until it is taken down; returns the exit code, whose meaning for
/// the keeper is told at [`keeper::EXIT_REFUSED`]. To be called on the first thread, with no other
/// running.
#[must_use]
pub fn serve(options: &Options) -> i32 {
    memory::configure();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let Started {
        mut daemon,
        api,
        safe_mode,
    } = match Daemon::start(options) {
        Ok(started) => started,
        Err(error) if error.is_shortage() => {
            refuse(&error.to_string());
            return keeper::EXIT_SHORT;
        }
        // A new keeper brings a new daemon.
        Err(StartError::Keeper(LinkError::Replaced)) => return 0,
        Err(error) => return refuse(&error.to_string()),
    };
    // A panic of the API must not end the daemon, and a daemon that keeps dying goes without.
    let api = if safe_mode {
        None
    } else {
        match Api::start(api) {
            Ok(api) => Some(api),
            Err(error) => {
                let refused = refuse(&format!("open the control API: {error}"));
                return if is_shortage(&error) {
                    keeper::EXIT_SHORT
                } else {
                    refused
                };
            }
        }
    };
    if let Some(api) = &api {
        daemon.serves(api.end());
    }
    daemon.ready();
    let ended = daemon.run();
    drop(api);
    match ended {
        Ok(Ended::Down(code)) => code,
        // A new keeper brings a new daemon.
        Ok(Ended::KeeperLost) => 0,
        Ok(Ended::Yielded) => keeper::EXIT_YIELDED,
        Err(error) => {
            tracing::error!(%error, "cannot go on");
            keeper::EXIT_FAILED
        }
    }
}

/// Says why not, to whoever waits for this daemon and to its log.
fn refuse(error: &str) -> i32 {
    tracing::error!("cannot {error}");
    keeper::tell_starter(&format!("cannot {error}"));
    keeper::EXIT_REFUSED
}
