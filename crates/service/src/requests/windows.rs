//! Controls of the Service Control Manager, or what a console says.

use std::sync::{Arc, Mutex, PoisonError};

use abide_host::console::{self, Heard};

use crate::error::RunError;
use crate::reason::Cause;
use crate::session::Shared;

/// The exit code of a program that Ctrl-C ended (`STATUS_CONTROL_C_EXIT`).
const INTERRUPTED: u32 = 0xC000_013A;

static LISTENER: Mutex<Listener> = Mutex::new(Listener {
    listening: false,
    current: None,
});

struct Listener {
    /// The thread is there. It stays: once heard, Ctrl-C can only be carried on by us.
    listening: bool,
    /// Who is told; between two services nobody, and Ctrl-C ends the process.
    current: Option<Arc<Shared>>,
}

/// From now on requests are made to this one.
pub(crate) fn begin(shared: &Arc<Shared>) -> Result<(), RunError> {
    let mut listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    if listener.current.is_some() {
        return Err(RunError::Busy);
    }
    // A service has no console.
    if !shared.link.is_of_scm() && !listener.listening {
        console::listen(hear).map_err(RunError::Start)?;
        listener.listening = true;
    }
    listener.current = Some(Arc::clone(shared));
    Ok(())
}

/// Nobody is told any more.
pub(crate) fn end() {
    LISTENER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .current = None;
}

fn hear(heard: Heard) {
    let current = LISTENER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .current
        .clone();
    let cause = match (&current, heard) {
        // abide stops what it keeps by Ctrl-C.
        (Some(shared), _) if !shared.interactive() => Cause::Manager,
        _ => Cause::Interrupt,
    };
    let first = current.is_some_and(|shared| shared.ask_stop(cause));
    // Who presses Ctrl-C a second time does not want to wait.
    if !first && cause == Cause::Interrupt && heard == Heard::Interrupt {
        std::process::exit(INTERRUPTED.cast_signed());
    }
}
