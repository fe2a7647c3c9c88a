//! `abide logs`: from the daemon, or from the home's files when no daemon runs.

mod stored;

use std::collections::BTreeMap;
use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Answer, Context};
use crate::args::{LineCount, LogFormat, LogsArgs, parse_when};
use crate::client::{Client, Error, Query};
use crate::failure::{Code, Failure};
use crate::render::line::{Lines, LogLine};

/// How many lines are shown unless told otherwise.
const LINES: u64 = 100;

/// What is asked for, with every text read.
struct Wanted<'a> {
    patterns: &'a [String],
    follow: bool,
    last: Option<u64>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    grep: Option<&'a str>,
    /// `None`: for people.
    format: Option<LogFormat>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &LogsArgs) -> Answer {
    let wanted = read(args)?;
    let client = context.client.clone();
    let units = match client.units(&args.patterns).await {
        Ok(units) => units,
        Err(Error::NoDaemon) => return stored::run(context, &wanted),
        // A unit that was removed has left its log behind.
        Err(Error::Refused(..)) => Vec::new(),
        Err(error) => return Err(client.failure(error)),
    };
    let result = match wanted.format {
        Some(LogFormat::Raw | LogFormat::Cri) => copy(context, &client, &wanted).await,
        None | Some(LogFormat::Json) => {
            let names = units.len() > 1 || wanted.patterns.len() != 1;
            let mut lines = Lines::new(
                context.out.palette,
                context.out.terminal,
                TimeZone::system(),
                names,
            );
            let widths = units.iter().map(|unit| crate::term::width(&unit.name));
            lines.width = widths.max().unwrap_or(0).min(24);
            show(context, &client, &wanted, &mut lines).await
        }
    };
    result.map(|()| Code::Done)
}

fn read(args: &LogsArgs) -> Result<Wanted<'_>, Failure> {
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let when = |text: &Option<String>, option: &str| {
        let at = text
            .as_deref()
            .map(|text| parse_when(text, now, &zone))
            .transpose();
        at.map_err(|error| Failure::usage(format!("cannot use {option}: {error}")))
    };
    let (since, until) = (when(&args.since, "--since")?, when(&args.until, "--until")?);
    if let Some(grep) = &args.grep {
        regex::bytes::Regex::new(grep)
            .map_err(|error| Failure::usage(format!("cannot use --grep: {error}")))?;
    }
    let bounded = since.is_some() || until.is_some();
    let last = match args.lines {
        Some(LineCount::Last(n)) => Some(n),
        Some(LineCount::All) => None,
        None if bounded => None,
        None => Some(LINES),
    };
    let format = if args.json {
        Some(LogFormat::Json)
    } else {
        args.format
    };
    Ok(Wanted {
        patterns: &args.patterns,
        follow: args.follow,
        last,
        since,
        until,
        grep: args.grep.as_deref(),
        format,
    })
}

impl Wanted<'_> {
    fn query(&self) -> Query {
        let format = match self.format {
            Some(LogFormat::Raw) => "raw",
            Some(LogFormat::Cri) => "cri",
            Some(LogFormat::Json) | None => "json",
        };
        let query = Query::new("/v1/logs")
            .each("pattern", self.patterns)
            .with("format", format);
        let query = match self.last {
            Some(n) => query.with("lines", n),
            None => query.with("lines", "all"),
        };
        let query = query
            .maybe("since", self.since)
            .maybe("until", self.until)
            .maybe("grep", self.grep);
        if self.follow {
            query.with("follow", true)
        } else {
            query
        }
    }
}

/// The daemon's bytes as they are.
async fn copy(
    context: &mut Context<'_>,
    client: &Client,
    wanted: &Wanted<'_>,
) -> Result<(), Failure> {
    let lines = client.logs(&wanted.query()).await;
    let mut lines = lines.map_err(|error| client.failure(error))?;
    while let Some(bytes) = lines
        .next_raw()
        .await
        .map_err(|error| client.failure(error))?
    {
        context.out.write_all(&bytes)?;
        if wanted.follow {
            context.out.flush()?;
        }
    }
    Ok(())
}

/// Lines one by one. Following survives the daemon: the next one is asked for what came after the
/// last line seen.
async fn show(
    context: &mut Context<'_>,
    client: &Client,
    wanted: &Wanted<'_>,
    lines: &mut Lines,
) -> Result<(), Failure> {
    let mut seen = Seen::default();
    let mut query = wanted.query();
    loop {
        let body = client.logs(&query).await;
        let mut body = body.map_err(|error| client.failure(error))?;
        let broken = loop {
            match body.next().await {
                Ok(Some(batch)) => {
                    for line in batch
                        .split(|byte| *byte == b'\n')
                        .filter(|line| !line.is_empty())
                    {
                        let parsed: LogLine = serde_json::from_slice(line)
                            .map_err(|e| client.failure(Error::Strange(e.to_string())))?;
                        if seen.skips(&parsed) {
                            continue;
                        }
                        if wanted.format.is_some() {
                            context.out.write_all(line)?;
                        } else {
                            let shown = lines.log(&parsed, Timestamp::now());
                            context.out.write_all(shown.as_bytes())?;
                        }
                        context.out.write_all(b"\n")?;
                    }
                    if wanted.follow {
                        context.out.flush()?;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        match broken {
            None if !wanted.follow => return Ok(()),
            Some(error) if !wanted.follow => return Err(client.failure(error)),
            _ => {}
        }
        context.out.flush()?;
        query = match seen.resume() {
            Some(last) => Wanted {
                since: Some(last),
                last: None,
                ..*wanted
            }
            .query(),
            None => query,
        };
        // Asking anything waits for a daemon that is on its way back, and fails if none is.
        client
            .daemon()
            .await
            .map_err(|error| client.failure(error))?;
    }
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

    /// From when on to ask again.
    fn resume(&mut self) -> Option<Timestamp> {
        self.to_skip.clone_from(&self.counts);
        self.last.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unit: &str, time: u32) -> LogLine {
        LogLine {
            time: format!("2026-01-31T14:05:00.{time:09}Z"),
            unit: unit.into(),
            stream: "stdout".into(),
            text: String::new(),
        }
    }

    #[test]
    fn what_was_shown_before_the_daemon_died_is_not_shown_again() {
        let mut seen = Seen::default();
        for (unit, time) in [("a", 1), ("a", 2), ("b", 2), ("a", 2)] {
            assert!(!seen.skips(&line(unit, time)));
        }
        assert_eq!(seen.resume().map(|at| at.subsec_nanosecond()), Some(2));
        let again = [("a", 2), ("b", 2), ("a", 2), ("a", 2), ("b", 2), ("a", 3)];
        let shown: Vec<_> = again
            .iter()
            .filter(|(unit, time)| !seen.skips(&line(unit, *time)))
            .collect();
        assert_eq!(shown, [&("a", 2), &("b", 2), &("a", 3)]);
    }
}
