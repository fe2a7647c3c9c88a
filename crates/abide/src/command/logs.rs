//! `abide logs`: from the daemon, or from the home's files when no daemon runs.

mod follower;
mod stored;

use std::io::Write as _;

use abide_log::Format;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Answer, Context, left, until_left};
use crate::args::{LineCount, LogFormat, LogsArgs, parse_when};
use crate::client::{Client, Error, Query};
use crate::failure::{Code, Failure};
use crate::render::line::{Lines, LogLine};

pub(super) use follower::{Follower, Told};

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
    let units = match client.units_in_brief(&args.patterns).await {
        Ok(units) => units,
        Err(Error::NoDaemon) => return stored::run(context, &wanted),
        // A unit that was removed has left its log behind.
        Err(Error::Refused(..)) => Vec::new(),
        Err(error) => return Err(client.failure(error)),
    };
    let result = match wanted.format {
        Some(LogFormat::Raw | LogFormat::Cri) if !wanted.follow => {
            copy(context, &client, &wanted).await
        }
        _ => {
            let names = units.len() > 1 || wanted.patterns.len() != 1;
            let mut lines = Lines::new(
                context.out.palette,
                context.out.terminal,
                TimeZone::system(),
                names,
            );
            let widths = units.iter().map(|unit| crate::term::width(&unit.name));
            lines.width = widths.max().unwrap_or(0).min(24);
            if wanted.follow {
                until_asked(context, &client, &wanted, &mut lines).await
            } else {
                show(context, &client, &wanted, &mut lines).await
            }
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
    }
    Ok(())
}

/// Lines one by one, of one answer.
async fn show(
    context: &mut Context<'_>,
    client: &Client,
    wanted: &Wanted<'_>,
    lines: &mut Lines,
) -> Result<(), Failure> {
    let body = client.logs(&wanted.query()).await;
    let mut body = body.map_err(|error| client.failure(error))?;
    loop {
        let batch = body.next().await.map_err(|error| client.failure(error))?;
        let Some(batch) = batch else { return Ok(()) };
        let each = batch.split(|byte| *byte == b'\n');
        for line in each.filter(|line| !line.is_empty()) {
            if wanted.format.is_some() {
                context.out.write_all(line)?;
            } else {
                let parsed: LogLine = serde_json::from_slice(line)
                    .map_err(|e| client.failure(Error::Strange(e.to_string())))?;
                let shown = lines.log(&parsed, Timestamp::now());
                context.out.write_all(shown.as_bytes())?;
            }
            context.out.write_all(b"\n")?;
        }
    }
}

/// Lines as they come, until Ctrl-C: what was written then is whole.
async fn until_asked(
    context: &mut Context<'_>,
    client: &Client,
    wanted: &Wanted<'_>,
    lines: &mut Lines,
) -> Result<(), Failure> {
    match until_left(follow(context, client, wanted, lines)).await? {
        Some(ended) => ended,
        None => Err(left(context)?),
    }
}

/// Lines as they come, whichever daemon tells them.
async fn follow(
    context: &mut Context<'_>,
    client: &Client,
    wanted: &Wanted<'_>,
    lines: &mut Lines,
) -> Result<(), Failure> {
    // Whatever is shown, it is asked for in the one form that says what was shown.
    let told = Wanted {
        format: None,
        ..*wanted
    };
    let again = |since: Timestamp| {
        let since = told.since.map_or(since, |wanted| wanted.max(since));
        let rest = Wanted {
            since: Some(since),
            last: None,
            ..told
        };
        rest.query()
    };
    let follower = Follower::begin(client, &told.query(), again).await;
    let mut follower = follower.map_err(|error| client.failure(error))?;
    let mut bytes = Vec::new();
    loop {
        let told = match follower.next().await {
            Ok(told) => told,
            Err(error) => {
                context.out.flush()?;
                return Err(client.failure(error));
            }
        };
        bytes.clear();
        let rendered = match wanted.format {
            Some(LogFormat::Raw) => told.render(Format::Raw, &mut bytes),
            Some(LogFormat::Cri) => told.render(Format::Cri, &mut bytes),
            Some(LogFormat::Json) => {
                bytes.extend_from_slice(&told.json);
                bytes.push(b'\n');
                Ok(())
            }
            None => {
                bytes.extend_from_slice(lines.log(&told.line, Timestamp::now()).as_bytes());
                bytes.push(b'\n');
                Ok(())
            }
        };
        rendered.map_err(|error| client.failure(error))?;
        context.out.write_all(&bytes)?;
        if !follower.has_more() {
            context.out.flush()?;
        }
    }
}
