//! Log lines, read from the segments while they are sent.

use std::collections::BTreeSet;
use std::io;

use abide_log::{Format, Query, ReadError, Reader, Source, Text, render};
use abide_model::api::LogFormat;
use abide_model::{LogEncoding, UnitName};
use abide_platform::{naming, text};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::Context;
use super::body::{ChunkSender, Chunks};
use super::document::{Guarded, NoSuchUnit};
use super::error::{Answer, ApiError};
use super::extract::{Params, Segment};
use super::status::blocking;
use super::times;
use crate::board::{Pattern, PatternError};

/// Bytes of one chunk, about.
const CHUNK: usize = 32 << 10;

/// Lines that are answered when nobody says how many.
const LINES: u64 = 100;

/// How much memory a regular expression may take.
const REGEX: usize = 1 << 20;

/// What is asked for, whichever the path.
struct Asked {
    query: Query,
    format: Format,
}

/// Lines of several units, merged by time; of all without a pattern. The last 100 unless `lines`,
/// `since` or `until` say otherwise.
#[utoipa::path(
    get, path = "/v1/logs", tag = "logs",
    params(
        ("pattern" = Option<Vec<String>>, Query, description = "A name, a glob, `GROUP:*`, `all`, or the bare name of units with instances; may be given several times."),
        ("lines" = Option<String>, Query, description = "So many of the last lines, or `all`."),
        ("since" = Option<String>, Query, format = DateTime, description = "RFC 3339, or seconds since 1970."),
        ("until" = Option<String>, Query, format = DateTime, description = "RFC 3339, or seconds since 1970."),
        ("grep" = Option<String>, Query, description = "Only lines that match this regular expression."),
        ("format" = Option<LogFormat>, Query, description = "`raw` unless told otherwise."),
        ("follow" = Option<bool>, Query, description = "Go on with what comes later."),
    ),
    responses((status = 200, content((String = "text/plain"), (String = "application/x-ndjson"))), Guarded, NoSuchUnit)
)]
pub(super) async fn several(
    State(context): State<Context>,
    mut params: Params,
) -> Answer<Response> {
    let mut patterns = params.all("pattern");
    if patterns.is_empty() {
        patterns.push("all".into());
    }
    answer(context, patterns, asked(params)?).await
}

/// Lines of one unit, or of those that a pattern means. The last 100 unless `lines`, `since` or
/// `until` say otherwise.
#[utoipa::path(
    get, path = "/v1/units/{name}/logs", tag = "logs",
    params(
        ("name" = String, Path, description = "A name or a pattern."),
        ("lines" = Option<String>, Query, description = "So many of the last lines, or `all`."),
        ("since" = Option<String>, Query, format = DateTime, description = "RFC 3339, or seconds since 1970."),
        ("until" = Option<String>, Query, format = DateTime, description = "RFC 3339, or seconds since 1970."),
        ("grep" = Option<String>, Query, description = "Only lines that match this regular expression."),
        ("format" = Option<LogFormat>, Query, description = "`raw` unless told otherwise."),
        ("follow" = Option<bool>, Query, description = "Go on with what comes later."),
    ),
    responses((status = 200, content((String = "text/plain"), (String = "application/x-ndjson"))), Guarded, NoSuchUnit)
)]
pub(super) async fn one(
    State(context): State<Context>,
    Segment(name): Segment<String>,
    params: Params,
) -> Answer<Response> {
    answer(context, vec![name], asked(params)?).await
}

fn asked(mut params: Params) -> Answer<Asked> {
    let time = |params: &mut Params, name| {
        let text = params.text(name)?;
        let time = text.map(|text| times::parse(&text)).transpose();
        time.map_err(|why| ApiError::bad_request(format!("{name} is not understood: {why}")))
    };
    let since = time(&mut params, "since")?;
    let until = time(&mut params, "until")?;
    let default = (since.is_none() && until.is_none()).then_some(LINES);
    let last = match params.text("lines")?.as_deref() {
        None => default,
        Some("all") => None,
        Some(text) => Some(text.parse().map_err(|_| {
            ApiError::bad_request(format!(
                "lines={text:?} is not understood: a number, or all"
            ))
        })?),
    };
    let grep = params.text("grep")?.map(|text| {
        let built = regex::bytes::RegexBuilder::new(&text)
            .size_limit(REGEX)
            .build();
        built.map_err(|error| ApiError::bad_request(format!("grep is not understood: {error}")))
    });
    let query = Query {
        since,
        until,
        last,
        grep: grep.transpose()?,
        follow: params.take::<bool>("follow")?.unwrap_or(false),
    };
    let format = params.take::<Format>("format")?.unwrap_or(Format::Raw);
    params.finish()?;
    Ok(Asked { query, format })
}

async fn answer(context: Context, patterns: Vec<String>, asked: Asked) -> Answer<Response> {
    let place = context.followers.enter()?;
    let patterns: Result<Vec<_>, _> = patterns
        .into_iter()
        .map(|text| Pattern::new(&text).map(|pattern| (text, pattern)))
        .collect();
    let patterns = patterns?;
    let follow = context
        .config
        .capture
        .as_ref()
        .map(|capture| capture.follow());
    let mut stream = Stream {
        names: BTreeSet::new(),
        patterns: Vec::new(),
        follow: follow.filter(|_| asked.query.follow),
        following: asked.query.follow,
        format: asked.format,
        context: context.clone(),
        _place: place,
    };
    let mut names = Vec::new();
    for (text, pattern) in patterns {
        names.extend(units_of(&context, &text, &pattern).await?);
        stream.patterns.push(pattern);
    }
    let sources = names
        .into_iter()
        .filter_map(|name| stream.source(name))
        .collect();
    let query = asked.query;
    let reader = blocking(move || Reader::open(sources, query))
        .await?
        .map_err(|error| ApiError::internal(format!("cannot {error}")))?;
    let kind = match asked.format {
        Format::Json => "application/x-ndjson",
        Format::Raw | Format::Human | Format::Cri => "text/plain; charset=utf-8",
    };
    let (sender, body) = Chunks::channel();
    tokio::spawn(async move { stream.run(reader, sender).await });
    Ok(([(header::CONTENT_TYPE, kind)], Body::new(body)).into_response())
}

/// The units that a pattern means: those that are kept, else those that have left logs behind.
async fn units_of(context: &Context, text: &str, pattern: &Pattern) -> Answer<Vec<UnitName>> {
    let missing = match context.board().resolve(text) {
        Ok(units) => return Ok(units.iter().map(|unit| unit.name.clone()).collect()),
        Err(error @ PatternError::NoMatch { .. }) => error,
        Err(error) => return Err(error.into()),
    };
    let (logs, pattern) = (context.config.home.logs(), pattern.clone());
    let left = blocking(move || {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(logs)? {
            let name = entry?.file_name();
            let name = name.to_str().and_then(naming::unit_of);
            found.extend(name.filter(|name| pattern.matches(name)));
        }
        Ok::<_, io::Error>(found)
    })
    .await?
    .map_err(|error| ApiError::internal(format!("the logs cannot be listed: {error}")))?;
    if left.is_empty() {
        Err(missing.into())
    } else {
        Ok(left)
    }
}

/// One answer that is being sent.
struct Stream {
    /// What is being read.
    names: BTreeSet<UnitName>,
    patterns: Vec<Pattern>,
    follow: Option<crate::capture::Follow>,
    following: bool,
    format: Format,
    context: Context,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// Follows the unit, and gives its source if it is not being read yet.
    fn source(&mut self, name: UnitName) -> Option<Source> {
        let unit = self.context.board().unit(name.as_str());
        if let (Some(follow), Some(unit)) = (&self.follow, &unit) {
            follow.watch(unit.id);
        }
        // Of one that is gone nobody knows.
        let encoding = unit.map_or_else(LogEncoding::default, |unit| unit.spec.log.encoding);
        self.names.insert(name.clone()).then(|| Source {
            dir: self.context.config.home.unit_logs(&name),
            unit: name,
            text: Text::new(encoding, text::read),
        })
    }

    async fn run(mut self, mut reader: Reader, sender: ChunkSender) {
        let mut units = self.context.board().watch_units();
        units.borrow_and_update();
        let mut new = Vec::new();
        loop {
            let format = self.format;
            let read = tokio::task::spawn_blocking(move || {
                let added = new.iter().try_for_each(|source| reader.add(source));
                let read = added.and_then(|()| batch(&mut reader, format));
                (reader, read)
            });
            let Ok((back, read)) = read.await else {
                return; // the panic was told of; dropping the sender ends the answer
            };
            reader = back;
            new = Vec::new();
            let (bytes, end) = match read {
                Ok(read) => read,
                Err(error) => {
                    // The client is gone, or learns from the break that something is missing.
                    let _ = sender.send(Err(io::Error::other(error))).await;
                    return;
                }
            };
            if !bytes.is_empty() && sender.send(Ok(Bytes::from(bytes))).await.is_err() {
                return;
            }
            if !end {
                continue;
            }
            if !self.following {
                return;
            }
            let written = async {
                match &self.follow {
                    Some(follow) => follow.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = written => {}
                changed = units.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    new = self.new_units();
                }
                () = sender.closed() => return,
                () = self.context.ended() => return,
            }
        }
    }

    /// Units that came since, and that the patterns mean. Those that were there are watched again:
    /// the capture of one that had never run begins with its first run.
    fn new_units(&mut self) -> Vec<Source> {
        let mut units = self.context.board().units();
        units.retain(|unit| {
            self.names.contains(&unit.name)
                || self
                    .patterns
                    .iter()
                    .any(|pattern| pattern.matches(&unit.name))
        });
        units
            .iter()
            .filter_map(|unit| self.source(unit.name.clone()))
            .collect()
    }
}

/// The next lines as they are shown, and whether there are no more for now.
fn batch(reader: &mut Reader, format: Format) -> Result<(Vec<u8>, bool), ReadError> {
    let mut bytes = Vec::new();
    while bytes.len() < CHUNK {
        match reader.next_line() {
            Ok(Some(record)) => render(format, &record.unit, &record.line, &mut bytes),
            Ok(None) => return Ok((bytes, true)),
            Err(error @ ReadError::Damaged { .. }) => {
                // The reader goes on after it.
                tracing::warn!(%error, "a segment is left out of an answer");
            }
            // What was read before it is not kept back: the next call fails again.
            Err(_) if !bytes.is_empty() => return Ok((bytes, false)),
            Err(error) => return Err(error),
        }
    }
    Ok((bytes, false))
}
