//! The alternate screen, keys, and the signals that a waiting command listens to.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use abide_model::Signal;
use abide_platform::signals as platform;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use crate::readable::Readable;

/// The alternate screen with keys read one by one. Dropping it gives the terminal back as it was,
/// also when the program panics.
pub struct Screen {
    before: Option<Termios>,
    keys: Option<Readable<io::Stdin>>,
}

/// What a person pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// `q`, Escape or Ctrl-C.
    Quit,
    /// Anything else.
    Other,
}

impl Screen {
    /// Enters the alternate screen. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the terminal does not take it.
    pub fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let mut screen = Self {
            before: None,
            keys: None,
        };
        if stdin.is_terminal() {
            let before = tcgetattr(&stdin)?;
            let mut raw = before.clone();
            // Ctrl-C comes as a key, so that leaving is always done by `Drop`.
            raw.local_modes
                .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            raw.special_codes[SpecialCodeIndex::VMIN] = 0;
            raw.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&stdin, OptionalActions::Now, &raw)?;
            screen.before = Some(before);
            screen.keys = Some(Readable::new(stdin)?);
        }
        // Alternate screen; cursor hidden; no wrapping.
        let mut out = io::stdout();
        out.write_all(b"\x1b[?1049h\x1b[?25l\x1b[?7l")?;
        out.flush()?;
        Ok(screen)
    }

    /// Shows these lines in place of the last ones.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let mut frame = String::with_capacity(text.len() + 256);
        frame.push_str("\x1b[H");
        for (n, line) in text.lines().enumerate() {
            if n > 0 {
                frame.push_str("\r\n");
            }
            // Before the text: after a full line the cursor still stands on its last character.
            frame.push_str("\x1b[2K");
            frame.push_str(line);
        }
        frame.push_str("\x1b[J");
        let mut out = io::stdout();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// The next key; never comes when standard input is no terminal.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub async fn key(&mut self) -> io::Result<Key> {
        let Some(keys) = &self.keys else {
            return std::future::pending().await;
        };
        let key = keys.take(|stdin| {
            let mut bytes = [0; 16];
            let n = stdin.lock().read(&mut bytes)?;
            Ok(match &bytes[..n] {
                [] => None,
                // Escape alone; arrows and the like begin with it too.
                [b'q' | b'Q' | 3, ..] | [0x1b] => Some(Key::Quit),
                _ => Some(Key::Other),
            })
        });
        key.await
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let mut out = io::stdout();
        let _ = out.write_all(b"\x1b[?7h\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, before);
        }
    }
}

/// Ctrl-C and friends, as a waiting command hears them.
pub struct Signals {
    fd: Readable<platform::Signals>,
}

/// What a signal asks of the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// To end: Ctrl-C, SIGTERM, or the terminal was closed.
    Leave,
    /// To draw anew.
    Redraw,
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

    /// Waits until the command is asked to end.
    pub async fn leave(&mut self) {
        while self.next().await != Asked::Leave {}
    }
}
