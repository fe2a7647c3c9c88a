//! What a terminal is to each system: its size, its keys, what interrupts a command, what may be written to it.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{Keys, Signals, size, takes_sequences, writable};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Keys, Signals, size, takes_sequences, writable};

/// What a person pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// `q`, Escape or Ctrl-C.
    Quit,
    /// Anything else.
    Other,
}

impl Key {
    /// Of the bytes that a terminal sends for one; `None`: there are none.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [] => None,
            // Escape alone; arrows and the like begin with it too.
            [b'q' | b'Q' | 3, ..] | [0x1b] => Some(Self::Quit),
            _ => Some(Self::Other),
        }
    }
}

/// What a signal asks of the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// To end: Ctrl-C, SIGTERM, or the terminal was closed.
    Leave,
    /// To draw anew.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "a console does not tell its new size there")
    )]
    Redraw,
}

impl Signals {
    /// Waits until the command is asked to end.
    pub async fn leave(&mut self) {
        while self.next().await != Asked::Leave {}
    }
}
