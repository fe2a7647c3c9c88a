//! A line of the unit's output that says that it is ready.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_log::{ReadError, Stream, Tail, Text};
use abide_model::{UnitId, Wall};
use regex::bytes::Regex;

use crate::assist::{Assistants, Blocks};
use crate::capture::{Capture, LogMark};

/// How much memory a regular expression may take; what the configuration allows.
const REGEX: usize = 1 << 20;
/// So much of a line is looked at: the rest of a longer one is passed over.
const LINE: usize = 1 << 20;
/// Bytes that are read at a time.
const BLOCK: usize = 64 << 10;
/// A program that writes without end is looked at so often, and no more.
const PAUSE: Duration = Duration::from_millis(5);
/// One whose output is not captured yet is looked at anew after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Whose output, from where on, and what is looked for in it.
pub struct Wanted {
    pub unit: UnitId,
    /// `logs/UNIT`.
    pub dir: PathBuf,
    pub pattern: String,
    pub mark: Option<LogMark>,
    /// When there is no mark.
    pub since: SystemTime,
    /// How it is read.
    pub text: Text,
}

/// Waits for a whole line that matches. Ends with an error only if there never can be one.
pub async fn appears(
    assistants: &Assistants,
    capture: &Capture,
    wanted: Wanted,
) -> Result<(), String> {
    let follow = capture.follow();
    follow.watch(wanted.unit);
    let unit = wanted.unit;
    let mut search = assistants
        .floor()
        .block(Blocks::Work, move || Search::new(&wanted))
        .await??;
    loop {
        let (back, found) = assistants
            .floor()
            .block(Blocks::File, move || {
                let found = search.go_on();
                (search, found)
            })
            .await?;
        search = back;
        match found {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => tracing::warn!(%unit, "cannot {error}; looked at again"),
        }
        tokio::time::sleep(PAUSE).await;
        // Nothing to hear of a unit that is not captured yet.
        follow.watch(unit);
        let _ = tokio::time::timeout(AGAIN, follow.changed()).await;
    }
}

struct Search {
    regex: Regex,
    streams: Vec<(Tail, Lines)>,
    /// Streams whose beginning is not known: looked for when they are first read.
    unknown: Vec<Stream>,
    dir: PathBuf,
    since: Wall,
    text: Text,
}

impl Search {
    fn new(wanted: &Wanted) -> Result<Self, String> {
        let pattern = &wanted.pattern;
        let regex = regex::bytes::RegexBuilder::new(pattern)
            .size_limit(REGEX)
            .build()
            .map_err(|error| format!("the pattern {pattern:?} cannot be used: {error}"))?;
        let since = wanted.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut search = Self {
            regex,
            streams: Vec::new(),
            unknown: Vec::new(),
            dir: wanted.dir.clone(),
            since: Wall(0).after(since),
            text: wanted.text,
        };
        for stream in Stream::ALL {
            let marks = wanted.mark.iter().flat_map(|mark| &mark.streams);
            match marks.into_iter().find(|mark| mark.stream == stream) {
                Some(mark) if mark.at.is_some() => {
                    let tail = Tail::new(&search.dir, stream, mark.at, mark.pending);
                    search.streams.push((tail, Lines::new(wanted.text)));
                }
                _ => search.unknown.push(stream),
            }
        }
        Ok(search)
    }

    /// Reads what came since, to its end. True: a line matches. Blocks.
    fn go_on(&mut self) -> Result<bool, ReadError> {
        while let Some(stream) = self.unknown.pop() {
            let tail = Tail::since(&self.dir, stream, self.since).inspect_err(|_| {
                self.unknown.push(stream);
            })?;
            self.streams.push((tail, Lines::new(self.text)));
        }
        let mut bytes = Vec::new();
        for (tail, lines) in &mut self.streams {
            loop {
                bytes.clear();
                if tail.read(BLOCK, &mut bytes)? == 0 {
                    break;
                }
                if lines.any(&bytes, |line| self.regex.is_match(line)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Puts lines together from what is read in pieces.
struct Lines {
    text: Text,
    /// A line's beginning, at most [`LINE`] of it.
    begun: Vec<u8>,
}

impl Lines {
    fn new(text: Text) -> Self {
        Self {
            text,
            begun: Vec::new(),
        }
    }

    /// Whether one of the lines that end within these bytes is wanted.
    fn any(&mut self, bytes: &[u8], wanted: impl Fn(&[u8]) -> bool) -> bool {
        let text = self.text;
        let wanted = |line: &[u8]| match text.of(line) {
            Some(decoded) => wanted(bare(decoded.text.as_bytes())),
            None => wanted(bare(line)),
        };
        let (first, second) = text.newline().split_at(1);
        let mut rest = bytes;
        // A newline of two bytes may come in two pieces.
        if !second.is_empty() && self.begun.ends_with(first) && rest.starts_with(second) {
            self.begun.pop();
            rest = rest.get(second.len()..).unwrap_or_default();
            if wanted(&std::mem::take(&mut self.begun)) {
                return true;
            }
        }
        while let Some(end) = text.find_newline(rest) {
            let (line, behind) = rest.split_at(end);
            rest = behind.get(text.newline().len()..).unwrap_or_default();
            let found = if self.begun.is_empty() {
                wanted(line)
            } else {
                self.keep(line);
                let found = wanted(&self.begun);
                // A long one gives its memory back.
                self.begun = Vec::new();
                found
            };
            if found {
                return true;
            }
        }
        self.keep(rest);
        false
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.begun.len());
        self.begun
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// Without the carriage return of programs that write for terminals.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::LogEncoding;

    #[test]
    fn a_line_counts_however_many_pieces_it_comes_in() {
        let regex = Regex::new("^listening$").expect("a pattern");
        let wanted = |line: &[u8]| regex.is_match(line);
        let mut lines = Lines::new(Text::default());
        assert!(!lines.any(b"not listening\nlist", wanted));
        assert!(!lines.any(b"eni", wanted));
        assert!(lines.any(b"ng\r\nmore", wanted));
    }

    #[test]
    fn a_line_in_utf_16_counts_wherever_its_newline_is_cut() {
        fn none(_: LogEncoding, _: &[u8]) -> Option<String> {
            None
        }
        let bytes: Vec<u8> = "\u{feff}not yet\r\nlistening\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for cut in 0..bytes.len() {
            let mut lines = Lines::new(Text::new(LogEncoding::Utf16, none));
            let found = [&bytes[..cut], &bytes[cut..]]
                .iter()
                .filter(|piece| lines.any(piece, |line| line == b"listening"))
                .count();
            assert_eq!(found, 1, "cut at {cut}");
        }
    }

    #[test]
    fn of_an_endless_line_no_more_than_its_beginning_is_kept() {
        let mut lines = Lines::new(Text::default());
        let piece = vec![b'x'; 100_000];
        for _ in 0..100 {
            assert!(!lines.any(&piece, |_| true));
        }
        assert_eq!(lines.begun.len(), LINE);
        assert!(lines.any(b"\n", |line| line.len() == LINE));
        assert!(lines.begun.is_empty());
    }
}
