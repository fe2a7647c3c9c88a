use std::io;
use std::thread;

use abide_model::Signal;
use abide_platform::poll::{Events, Interest, Poll};
use abide_platform::signals::Signals;

/// What listening takes: a number is read, and somebody told.
const STACK: usize = 128 * 1024;

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Ctrl-C, Ctrl-Break.
    Interrupt,
    /// The window is closed, or the system goes down.
    Close,
}

/// Has `told` hear of it, on a thread that stays, instead of the process being ended by it. Once in the life of a process.
///
/// # Errors
/// Those of starting a thread and of SetConsoleCtrlHandler.
pub fn listen(mut told: impl FnMut(Heard) + Send + 'static) -> io::Result<()> {
    let signals = Signals::new(&[Signal::INT, Signal::TERM])?;
    let poll = Poll::new()?;
    poll.add(&signals, 0, Interest::Input)?;
    thread::Builder::new()
        .name("abide-console".into())
        .stack_size(STACK)
        .spawn(move || {
            let mut events = Events::new();
            // What cannot be waited for any more cannot be heard either.
            while poll.wait(&mut events).is_ok() {
                while let Some(signal) = signals.take() {
                    told(match signal {
                        Signal::INT => Heard::Interrupt,
                        _ => Heard::Close,
                    });
                }
            }
        })?;
    Ok(())
}
