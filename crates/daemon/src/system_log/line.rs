//! A line of output as a message.

use abide_host::log::lift::lift;
use abide_host::log::{Entry, Severity};
use abide_log::{Ending, Placed};
use abide_model::{RunId, UnitName};

/// Whose a line is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub unit: &'a UnitName,
    pub run: Option<RunId>,
    pub process: Option<u32>,
    pub host: &'a str,
}

impl Whose<'_> {
    /// The unit without the number of its instance.
    pub fn service(&self) -> &str {
        let name = self.unit.as_str();
        name.split_once('@').map_or(name, |(service, _)| service)
    }

    /// `UNIT/RUN/HOST`, with `-` for a run that is not known.
    pub fn instance(&self) -> String {
        match self.run {
            Some(run) => format!("{}/{}/{}", self.unit, run.0, self.host),
            None => format!("{}/-/{}", self.unit, self.host),
        }
    }
}

/// Has the line as a message. What its logger says of it is lifted out of it, and then the line itself is in the field `line`.
pub(super) fn with_entry<T>(
    placed: &Placed,
    whose: Whose<'_>,
    then: impl FnOnce(&Entry<'_>) -> T,
) -> T {
    let line = &placed.line;
    let lifted = lift(line.shown());
    let instance = whose.instance();
    let cursor = format!(
        "{}:{}:{}",
        line.stream.name(),
        placed.at.segment,
        placed.at.offset
    );
    let stream = line.stream.title();
    let mut fields: Vec<(&str, &[u8])> =
        vec![("stream", stream.as_bytes()), ("cursor", cursor.as_bytes())];
    if line.ending != Ending::Newline {
        fields.push(("partial", b"true"));
    }
    if lifted.message.is_some() {
        fields.push(("line", line.shown()));
    }
    let message = lifted
        .message
        .as_deref()
        .map_or(line.shown(), str::as_bytes);
    then(&Entry {
        severity: lifted.severity.unwrap_or(Severity::Info),
        time: lifted.time.unwrap_or(line.time.0),
        message,
        kind: stream,
        message_id: None,
        service: whose.service(),
        instance: &instance,
        trace_id: lifted.trace_id.as_deref(),
        process: whose.process,
        fields: &fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_log::{Decoded, Line, Position, Stream};
    use abide_model::{LogEncoding, Wall};

    fn placed(text: &str) -> Placed {
        Placed {
            at: Position {
                segment: 3,
                offset: 17,
            },
            line: Line {
                time: Wall(5_000_000_000),
                stream: Stream::Out,
                bytes: text.into(),
                decoded: None,
                ending: Ending::Newline,
            },
            length: text.len() as u64 + 1,
        }
    }

    #[test]
    fn a_decoded_line_is_sent_as_text() {
        let mut placed = placed("gr");
        placed.line.bytes = b"gr\x94\xe1e".to_vec();
        placed.line.decoded = Some(Decoded {
            from: LogEncoding::CodePage(850),
            text: "größe".into(),
        });
        let unit = "web".parse().expect("a name");
        let whose = Whose {
            unit: &unit,
            run: None,
            process: None,
            host: "here",
        };
        with_entry(&placed, whose, |entry| {
            assert_eq!(entry.message, "größe".as_bytes());
        });
    }

    #[test]
    fn a_line_is_sent_with_whose_it_is_and_what_it_says_of_itself() {
        let unit = "shop:web@2".parse().expect("a name");
        let whose = Whose {
            unit: &unit,
            run: Some(RunId(7)),
            process: Some(42),
            host: "web-1",
        };
        let text = r#"{"level":"error","msg":"no","trace_id":"4bf92f35","time":1769868301234}"#;
        with_entry(&placed(text), whose, |entry| {
            assert_eq!(entry.severity, Severity::Error);
            assert_eq!(entry.message, b"no");
            assert_eq!(entry.service, "shop:web");
            assert_eq!(entry.instance, "shop:web@2/7/web-1");
            assert_eq!(entry.trace_id, Some("4bf92f35"));
            assert_eq!(entry.time, 1_769_868_301_234_000_000);
            let expected: [(&str, &[u8]); 3] = [
                ("stream", b"stdout"),
                ("cursor", b"out:3:17"),
                ("line", text.as_bytes()),
            ];
            assert_eq!(entry.fields, expected);
        });
        let whose = Whose { run: None, ..whose };
        with_entry(&placed("plain"), whose, |entry| {
            assert_eq!(entry.message, b"plain");
            assert_eq!(entry.time, 5_000_000_000);
            assert_eq!(entry.instance, "shop:web@2/-/web-1");
            assert_eq!(entry.fields.len(), 2);
        });
    }
}
