//! Standard output and standard error, as one command uses them.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use super::{Palette, console};
use crate::args::ColorWhen;

/// Where a command writes, and what it may write there.
pub struct Output {
    out: BufWriter<Written>,
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
        let terminal = console::takes_sequences(&out);
        Self {
            palette: Palette::choose(color, terminal),
            error_palette: Palette::choose(color, console::takes_sequences(&error)),
            terminal,
            // Not line buffered: a table is one write. Whoever follows something flushes.
            out: BufWriter::with_capacity(
                16 * 1024,
                Written {
                    terminal: out.is_terminal(),
                    out,
                },
            ),
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
        let (columns, rows) = console::size(&io::stdout()).unwrap_or((80, 24));
        Some((columns, rows.max(2)))
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

/// Standard output; where that is a terminal, no more than it can show.
struct Written {
    out: Stdout,
    terminal: bool,
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.terminal {
            return self.out.write(bytes);
        }
        match console::writable(bytes) {
            0 if !bytes.is_empty() => self.out.write_all("\u{fffd}".as_bytes()).map(|()| 1),
            length => self.out.write(bytes.get(..length).unwrap_or(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
