//! Lines as they come, over the ends of daemons: the next one is asked for what came after the last line
//! seen, and what was seen already is passed over.

use std::collections::{BTreeMap, VecDeque};

use abide_log::{Decoded, Ending, Format, Line, Stream, render};
use abide_model::{UnitName, Wall};
use jiff::Timestamp;

use crate::client::{Client, Error, Lines, Query};
use crate::render::line::LogLine;

/// One line, parsed and as it came.
pub struct Told {
    pub line: LogLine,
    pub json: Vec<u8>,
}

/// A stream of lines that survives the daemon.
pub struct Follower<'a> {
    client: Client,
    body: Lines,
    ready: VecDeque<Told>,
    seen: Seen,
    begun: Timestamp,
    /// All lines from then on, and what comes later.
    again: Box<dyn Fn(Timestamp) -> Query + 'a>,
}

impl<'a> Follower<'a> {
    /// Begins with the answer to `first`; `again` asks for everything from a time on.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin(
        client: &Client,
        first: &Query,
        again: impl Fn(Timestamp) -> Query + 'a,
    ) -> Result<Self, Error> {
        let begun = Timestamp::now();
        Ok(Self {
            body: client.logs(first).await?,
            client: client.clone(),
            ready: VecDeque::new(),
            seen: Seen::default(),
            begun,
            again: Box::new(again),
        })
    }

    /// Another line is here already.
    pub fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next line, whichever daemon tells it. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// There is no daemon any more, or it says what is not understood.
    pub async fn next(&mut self) -> Result<Told, Error> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Ok(told);
            }
            match self.body.next().await {
                Ok(Some(batch)) => self.take(&batch)?,
                Ok(None) | Err(Error::Broken(_)) => {
                    // Asking anything waits for a daemon that is on its way.
                    self.client.daemon().await?;
                    let from = self.seen.last().unwrap_or(self.begun);
                    self.body = self.client.logs(&(self.again)(from)).await?;
                    self.seen.begin_again();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, batch: &[u8]) -> Result<(), Error> {
        let lines = batch.split(|byte| *byte == b'\n');
        for json in lines.filter(|line| !line.is_empty()) {
            let line: LogLine = match serde_json::from_slice(json) {
                Ok(line) => line,
                // The daemon was killed in the middle of it: the next one tells it again.
                Err(error) if error.is_eof() => continue,
                Err(error) => return Err(Error::Strange(error.to_string())),
            };
            if !self.seen.skips(&line) {
                let json = json.to_vec();
                self.ready.push_back(Told { line, json });
            }
        }
        Ok(())
    }
}

impl Told {
    /// As the program wrote it, or as containers log.
    ///
    /// # Errors
    /// Its time or its bytes are not understood.
    pub fn render(&self, format: Format, out: &mut Vec<u8>) -> Result<(), Error> {
        let strange = |what: String| Error::Strange(what);
        let told = &self.line;
        let time: Timestamp = told
            .time
            .parse()
            .map_err(|error: jiff::Error| strange(error.to_string()))?;
        let bytes = match &told.bytes {
            Some(text) => unbase64(text).ok_or_else(|| strange("bytes of a line".into()))?,
            None => told.text.clone().into_bytes(),
        };
        let line = Line {
            time: Wall(i64::try_from(time.as_nanosecond()).unwrap_or(0)),
            stream: if told.stream == Stream::Err.title() {
                Stream::Err
            } else {
                Stream::Out
            },
            bytes,
            decoded: told.encoding.map(|from| Decoded {
                from,
                text: told.text.clone(),
            }),
            ending: if told.partial {
                Ending::Split
            } else {
                Ending::Newline
            },
        };
        let unit = UnitName::new(&told.unit).map_err(|error| strange(error.to_string()))?;
        render(format, &unit, &line, out);
        Ok(())
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.as_bytes().chunks(4) {
        let mut word = 0_u32;
        let mut digits = 0;
        for &letter in four {
            let digit = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => continue,
                _ => return None,
            };
            word = word << 6 | u32::from(digit);
            digits += 1;
        }
        let whole = word.checked_shl(6 * (4 - digits))?.to_be_bytes();
        bytes.extend(whole.iter().skip(1).take(match digits {
            2..=4 => digits as usize - 1,
            _ => return None,
        }));
    }
    Some(bytes)
}

/// Which lines were shown already. Lines that came in one write share their time, so the ones of the
/// last time are counted.
#[derive(Default)]
struct Seen {
    last: String,
    counts: BTreeMap<String, u64>,
    to_skip: BTreeMap<String, u64>,
}

impl Seen {
    /// Takes note of a line; says whether it was shown before.
    fn skips(&mut self, line: &LogLine) -> bool {
        if line.time == self.last
            && let Some(n) = self.to_skip.get_mut(&line.unit).filter(|n| **n > 0)
        {
            *n -= 1;
            return true;
        }
        // RFC 3339 in UTC with nine digits: the order of the texts is that of the times.
        if line.time > self.last {
            self.last.clone_from(&line.time);
            self.counts.clear();
        }
        if line.time == self.last {
            *self.counts.entry(line.unit.clone()).or_default() += 1;
        }
        false
    }

    /// The time of the last line. `None`: there was none.
    fn last(&self) -> Option<Timestamp> {
        self.last.parse().ok()
    }

    /// All of that time on come again.
    fn begin_again(&mut self) {
        self.to_skip.clone_from(&self.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::LogEncoding;

    fn line(unit: &str, time: u32) -> LogLine {
        LogLine {
            time: format!("2026-01-31T14:05:00.{time:09}Z"),
            unit: unit.into(),
            stream: "stdout".into(),
            text: String::new(),
            bytes: None,
            encoding: None,
            partial: false,
        }
    }

    #[test]
    fn what_was_shown_before_the_daemon_died_is_not_shown_again() {
        let mut seen = Seen::default();
        for (unit, time) in [("a", 1), ("a", 2), ("b", 2), ("a", 2)] {
            assert!(!seen.skips(&line(unit, time)));
        }
        assert_eq!(seen.last().map(|at| at.subsec_nanosecond()), Some(2));
        seen.begin_again();
        let again = [("a", 2), ("b", 2), ("a", 2), ("a", 2), ("b", 2), ("a", 3)];
        let shown: Vec<_> = again
            .iter()
            .filter(|(unit, time)| !seen.skips(&line(unit, *time)))
            .collect();
        assert_eq!(shown, [&("a", 2), &("b", 2), &("a", 3)]);
    }

    #[test]
    fn a_line_is_given_out_byte_for_byte() {
        let from = LogEncoding::Utf16;
        let utf16 = |text: &str| {
            let text = text.to_owned();
            Some(Decoded { from, text })
        };
        for (bytes, decoded) in [
            (&b"a\xff"[..], None),
            (b"\xfe", None),
            (b"abc", None),
            (b"\x00\xff\x80 ", None),
            (b"a\0b\0", utf16("ab")),
            (b"", utf16("")),
        ] {
            let unit = UnitName::new("a").expect("a name");
            let line = Line {
                time: Wall(1_767_225_600_000_000_001),
                stream: Stream::Err,
                bytes: bytes.to_vec(),
                decoded,
                ending: Ending::Newline,
            };
            for format in [Format::Raw, Format::Cri] {
                let (mut json, mut wanted, mut got) = (Vec::new(), Vec::new(), Vec::new());
                render(Format::Json, &unit, &line, &mut json);
                render(format, &unit, &line, &mut wanted);
                let told = Told {
                    line: serde_json::from_slice(&json).expect("JSON"),
                    json,
                };
                told.render(format, &mut got).expect("renders");
                assert_eq!(got, wanted, "{bytes:?}");
            }
        }
    }
}
