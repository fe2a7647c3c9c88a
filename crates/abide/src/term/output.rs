//! Standard output and standard error, as one command uses them.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use super::Palette;
use crate::args::ColorWhen;

/// Where a command writes, and what it may write there.
pub struct Output {
    out: BufWriter<Stdout>,
    /// Colours of standard output.
    pub palette: Palette,
    /// Colours of standard error.
    pub error_palette: Palette,
    /// Standard output is a terminal.
    pub terminal: bool,
}

impl Output {
    /// Standard output and standard error.
    #[must_use]
    pub fn new(color: ColorWhen) -> Self {
        let (out, error) = (io::stdout(), io::stderr());
        Self {
            palette: Palette::choose(color, &out),
            error_palette: Palette::choose(color, &error),
            terminal: out.is_terminal(),
            // Not line buffered: a table is one write. Whoever follows something flushes.
            out: BufWriter::with_capacity(16 * 1024, out),
        }
    }

    /// A line to standard error: what a person should know beside the answer. A standard error that is
    /// closed is nobody's concern.
    pub fn aside(&self, text: impl fmt::Display) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Columns of the terminal; `None` when standard output is not one, so nothing needs to fit.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        self.size().map(|(columns, _)| columns)
    }

    /// Columns and rows of the terminal.
    #[must_use]
    pub fn size(&self) -> Option<(usize, usize)> {
        if !self.terminal {
            return None;
        }
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 => {
                Some((usize::from(size.ws_col), usize::from(size.ws_row.max(2))))
            }
            _ => Some((80, 24)),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
