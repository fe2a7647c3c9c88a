use std::io::{self, IsTerminal, Read, Stdin};
use std::os::fd::AsFd;

use abide_model::Signal;
use abide_platform::signals as platform;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::{Asked, Key};
use crate::readable::Readable;

/// Columns and rows; `None`: it does not say.
#[must_use]
pub fn size(output: &impl AsFd) -> Option<(usize, usize)> {
    match tcgetwinsize(output) {
        Ok(size) if size.ws_col > 0 => Some((size.ws_col.into(), size.ws_row.into())),
        _ => None,
    }
}

/// Whether escape sequences can be written to it: to every terminal.
#[must_use]
pub fn takes_sequences(output: &impl IsTerminal) -> bool {
    output.is_terminal()
}

/// How many of these bytes can be written as they are: all.
#[must_use]
pub fn writable(bytes: &[u8]) -> usize {
    bytes.len()
}

/// Keys, read one by one; given back to lines when this is dropped.
pub struct Keys {
    before: Termios,
    stdin: Readable<Stdin>,
}

impl Keys {
    /// Begins; `None`: standard input is no terminal. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// The terminal does not take it.
    pub fn begin() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        // Ctrl-C comes as a key, so that leaving is always done by `Drop`.
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        match Readable::new(stdin) {
            Ok(stdin) => Ok(Some(Self { before, stdin })),
            Err(error) => {
                tcsetattr(io::stdin(), OptionalActions::Now, &before)?;
                Err(error)
            }
        }
    }

    /// The next key.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub async fn next(&mut self) -> io::Result<Key> {
        let key = self.stdin.take(|stdin| {
            let mut bytes = [0; 16];
            let n = stdin.lock().read(&mut bytes)?;
            Ok(Key::of(&bytes[..n]))
        });
        key.await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Ctrl-C and friends, as a waiting command hears them.
pub struct Signals {
    fd: Readable<platform::Signals>,
}

/// SIGWINCH: the terminal has another size.
const WINDOW_CHANGE: Signal = Signal(28);

impl Signals {
    /// From now on these signals are heard instead of ending the process. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        let wanted = [Signal::INT, Signal::TERM, Signal::HUP, WINDOW_CHANGE];
        Ok(Self {
            fd: Readable::new(platform::Signals::new(&wanted)?)?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Asked {
        let asked = self.fd.take(|signals| {
            Ok(signals.take().map(|signal| match signal {
                WINDOW_CHANGE => Asked::Redraw,
                _ => Asked::Leave,
            }))
        });
        asked.await.unwrap_or(Asked::Leave)
    }
}
