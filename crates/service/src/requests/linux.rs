//! Signals, by a thread that waits for them in a pipe.
//!
//! Not by signalfd(2): that wants the signals blocked in every thread, and a blocked signal is
//! handed on to the programs that this one starts, which then cannot be stopped.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::RunError;
use crate::reason::Cause;
use crate::session::Shared;

/// What the listening thread needs: it reads a number and sets a flag.
const STACK: usize = 128 * 1024;

static HEARD: Mutex<Heard> = Mutex::new(Heard {
    listening: false,
    current: None,
});

struct Heard {
    /// The thread is there. It stays: once caught, a signal can only be carried on by us.
    listening: bool,
    /// Who is told; between two services nobody, and signals do what they do by default.
    current: Option<Arc<Shared>>,
}

/// From now on signals are requests to this one.
pub(crate) fn begin(shared: &Arc<Shared>) -> Result<(), RunError> {
    let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    if heard.current.is_some() {
        return Err(RunError::Busy);
    }
    if !heard.listening {
        listen().map_err(RunError::Start)?;
        heard.listening = true;
    }
    heard.current = Some(Arc::clone(shared));
    Ok(())
}

/// Nobody is told any more.
pub(crate) fn end() {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).current = None;
}

fn listen() -> io::Result<()> {
    // What the caller has ignored stays ignored: `nohup`, a shell's background.
    let ignored = ignored();
    let wanted = [SIGTERM, SIGINT, SIGHUP]
        .into_iter()
        .filter(|signal| *signal == SIGTERM || ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(wanted)?;
    thread::Builder::new()
        .name("abide-requests".into())
        .stack_size(STACK)
        .spawn(move || {
            for signal in signals.forever() {
                hear(signal);
            }
        })?;
    Ok(())
}

fn hear(signal: i32) {
    let current = HEARD
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .current
        .clone();
    let Some(shared) = current else {
        // One that cannot be carried on is one whose default is to be ignored.
        let _done = emulate_default_handler(signal);
        return;
    };
    match signal {
        SIGHUP if shared.reloads() => shared.board.ask_reload(),
        // The terminal is gone, or somebody means a reload that this program does not know.
        SIGHUP if !shared.interactive() => {}
        SIGINT | SIGHUP if shared.interactive() => {
            // Who presses Ctrl-C a second time does not want to wait.
            if !shared.ask_stop(Cause::Interrupt) {
                let _done = emulate_default_handler(signal);
            }
        }
        _ => {
            shared.ask_stop(Cause::Manager);
        }
    }
}

/// `SigIgn` of `/proc/self/status`; what cannot be read ignores nothing.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
