//! The alternate screen.

use std::io::{self, Write};

use super::console::{Key, Keys};

/// The alternate screen with keys read one by one. Dropping it gives the terminal back as it was,
/// also when the program panics.
pub struct Screen {
    keys: Option<Keys>,
}

impl Screen {
    /// Enters the alternate screen. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the terminal does not take it.
    pub fn enter() -> io::Result<Self> {
        let screen = Self {
            keys: Keys::begin()?,
        };
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
        match &mut self.keys {
            Some(keys) => keys.next().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let mut out = io::stdout();
        let _ = out.write_all(b"\x1b[?7h\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
    }
}
