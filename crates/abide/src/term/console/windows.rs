use std::io::{self, IsTerminal, Read};
use std::os::windows::io::AsHandle;

use abide_platform::terminal::{self, KeyMode};
use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};
use tokio::sync::mpsc;

use super::{Asked, Key};

/// Columns and rows of the window; `None`: it does not say.
#[must_use]
pub fn size(output: &impl AsHandle) -> Option<(usize, usize)> {
    terminal::size(output)
}

/// Whether escape sequences can be written to it: to a console of Windows 10 and later, once it was asked to
/// understand them.
#[must_use]
pub fn takes_sequences(output: &(impl IsTerminal + AsHandle)) -> bool {
    output.is_terminal() && terminal::enable_sequences(output)
}

/// How many of these bytes can be written as they are: a console takes text and no bytes. 0: the first of them
/// is none, and shown by a sign that says so.
#[must_use]
pub fn writable(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        // The last character is not whole: what is missing comes with the next bytes.
        Err(error) if error.error_len().is_none() => bytes.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// Keys, read one by one; given back to lines when this is dropped.
pub struct Keys {
    pressed: mpsc::UnboundedReceiver<Key>,
    _mode: KeyMode,
}

impl Keys {
    /// Begins; `None`: standard input is no console.
    ///
    /// # Errors
    /// The console does not take it.
    pub fn begin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let mode = KeyMode::begin()?;
        let (press, pressed) = mpsc::unbounded_channel();
        // A read from a console cannot be broken off: its thread ends with the next key, or with the process.
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                let mut bytes = [0; 16];
                while let Ok(n) = io::stdin().lock().read(&mut bytes) {
                    let Some(key) = Key::of(bytes.get(..n).unwrap_or_default()) else {
                        return;
                    };
                    if press.send(key).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Some(Self {
            pressed,
            _mode: mode,
        }))
    }

    /// The next key.
    ///
    /// # Errors
    /// When the console is gone.
    pub async fn next(&mut self) -> io::Result<Key> {
        self.pressed
            .recv()
            .await
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Ctrl-C, Ctrl-Break, and the closing of the console's window, as a waiting command hears them.
pub struct Signals {
    c: CtrlC,
    pause: CtrlBreak,
    close: CtrlClose,
}

impl Signals {
    /// From now on they are heard instead of ending the process. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            c: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.c.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
        }
        Asked::Leave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_gets_text_up_to_what_is_none() {
        assert_eq!(writable("grün".as_bytes()), 5);
        assert_eq!(writable(b"gr\xc3"), 3, "the rest of it comes later");
        assert_eq!(writable(b"gr\xff\xfen"), 2);
        assert_eq!(writable(b"\xff"), 0);
    }
}
