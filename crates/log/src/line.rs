//! A line, as readers get it.

use abide_model::{LogEncoding, Wall};

/// Which of a unit's series of segments. With combined streams there is only `Out`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stream {
    /// `out.*`: standard output, and standard error unless that is split off.
    Out,
    /// `err.*`: standard error.
    Err,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Out, Self::Err];

    /// The name in the files of a log directory: `out` or `err`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }

    /// The name in what readers are shown: `stdout` or `stderr`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// One line, however many writes it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When its first byte was taken from the program.
    pub time: Wall,
    /// Where the program wrote it.
    pub stream: Stream,
    /// Its bytes without the newline, as the program wrote them.
    pub bytes: Vec<u8>,
    /// What they say, where the unit's output is not UTF-8.
    pub decoded: Option<Decoded>,
    /// What comes after its bytes.
    pub ending: Ending,
}

impl Line {
    /// What readers are shown: the text that the bytes were decoded to, else the bytes themselves.
    #[must_use]
    pub fn shown(&self) -> &[u8] {
        self.decoded
            .as_ref()
            .map_or(&self.bytes, |decoded| decoded.text.as_bytes())
    }
}

/// The text of a [`Line`] that is not UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// What it was written in.
    pub from: LogEncoding,
    /// It; with U+FFFD for what is no text.
    pub text: String,
}

/// What comes after the bytes of a [`Line`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// A newline.
    Newline,
    /// More of the same line: it is too long to be held in memory and comes in pieces.
    Split,
    /// Nothing yet: the program wrote no newline so far.
    Open,
}
