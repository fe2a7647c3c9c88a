//! Events, as server-sent events.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use abide_model::api::EventView;
use abide_model::{EVENTS_VERSION, Event, EventKind};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use utoipa::ToSchema;

use super::Context;
use super::body::{ChunkSender, Chunks};
use super::document::Guarded;
use super::error::{Answer, ApiError};
use super::extract::Params;
use super::status::blocking;
use super::times::rfc3339;
use crate::board::Pattern;
use crate::events::{EventLog, describe};

/// Events of one chunk.
const BATCH: usize = 256;

/// A comment is sent when nothing happened for so long, so that a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One server-sent event, as the document describes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
pub(super) struct Frame {
    /// The event's number.
    id: String,
    /// Its kind.
    event: String,
    /// An `EventView` as JSON.
    data: String,
}

/// Events as they happen, each as a server-sent event: `id` is its number, `event` its kind, `data`
/// the event as JSON. Without `after` and `last`, from now on.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(
        ("after" = Option<u64>, Query, description = "Begin after the event of this number; so does the header `Last-Event-ID`."),
        ("last" = Option<u64>, Query, description = "Begin with the last so many, 10000 at most."),
        ("pattern" = Option<Vec<String>>, Query, description = "Only events about units that one of these patterns means."),
        ("kind" = Option<Vec<String>>, Query, description = "Only events of these kinds."),
        ("follow" = Option<bool>, Query, description = "Go on with what happens later (default); false: end after what there is."),
    ),
    responses((status = 200, body = Frame, content_type = "text/event-stream"), Guarded)
)]
pub(super) async fn events(
    State(context): State<Context>,
    headers: HeaderMap,
    mut params: Params,
) -> Answer<Response> {
    let mut after = params.count("after")?;
    let last = params.count("last")?;
    let follow = params.take::<bool>("follow")?.unwrap_or(true);
    let (patterns, kinds) = (params.all("pattern"), params.all("kind"));
    params.finish()?;
    let filter = Filter::new(&patterns, &kinds)?;
    if let Some(id) = headers.get("last-event-id") {
        // A browser's or a library's own reconnection knows better than the address it began with.
        after = id
            .to_str()
            .ok()
            .and_then(|id| id.trim().parse().ok())
            .or(after);
    }
    let place = context.followers.enter()?;
    let log = Arc::clone(context.handle().events());
    let (first, after) = match (last, after) {
        (Some(last), after) => {
            let (log, filter) = (Arc::clone(&log), filter.clone());
            blocking(move || newest(&log, &filter, after.unwrap_or(0), last))
                .await?
                .map_err(|error| {
                    ApiError::internal(format!("the events cannot be read: {error}"))
                })?
        }
        (None, Some(after)) => (Vec::new(), after),
        (None, None) => (Vec::new(), log.last()),
    };
    let (sender, body) = Chunks::channel();
    tokio::spawn(async move {
        // An error means that the client is gone.
        let _ = send(&context, &sender, first, after, filter, follow).await;
        drop(place);
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::new(body)).into_response())
}

#[derive(Clone, Debug)]
struct Filter {
    units: Arc<[Pattern]>,
    kinds: Arc<[String]>,
}

impl Filter {
    fn new(patterns: &[String], kinds: &[String]) -> Answer<Self> {
        let units: Result<_, _> = patterns.iter().map(|text| Pattern::new(text)).collect();
        if let Some(kind) = kinds
            .iter()
            .find(|k| !EventKind::NAMES.contains(&k.as_str()))
        {
            let message = format!("there is no kind of event \"{}\"", kind.escape_default());
            return Err(
                ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
                    .help(format!("the kinds are {}", EventKind::NAMES.join(", "))),
            );
        }
        Ok(Self {
            units: units?,
            kinds: kinds.into(),
        })
    }

    fn takes(&self, event: &Event) -> bool {
        let about = |unit| self.units.iter().any(|pattern| pattern.matches(unit));
        (self.units.is_empty() || event.unit.as_ref().is_some_and(about))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == event.kind.name()))
    }
}

/// The last so many events that the filter takes, and the number after which to go on.
fn newest(
    log: &EventLog,
    filter: &Filter,
    after: u64,
    last: u64,
) -> io::Result<(Vec<Arc<Event>>, u64)> {
    let end = log.last();
    let mut found: Vec<_> = log
        .read(after, usize::MAX)?
        .into_iter()
        .map(Arc::new)
        .collect();
    // What a disk that takes nothing has not got.
    let read = found.last().map_or(after, |event| event.seq);
    found.extend(log.recent(read, usize::MAX).unwrap_or_default());
    let next = found.last().map_or(end, |event| event.seq);
    found.retain(|event| filter.takes(event));
    let surplus = found
        .len()
        .saturating_sub(usize::try_from(last.min(10_000)).unwrap_or(0));
    found.drain(..surplus);
    Ok((found, next))
}

async fn send(
    context: &Context,
    sender: &ChunkSender,
    first: Vec<Arc<Event>>,
    mut after: u64,
    filter: Filter,
    follow: bool,
) -> Result<(), tokio::sync::mpsc::error::SendError<io::Result<Bytes>>> {
    for batch in first.chunks(BATCH) {
        sender.send(render(batch)).await?;
    }
    let log = Arc::clone(context.handle().events());
    let mut news = log.watch();
    loop {
        let end = *news.borrow_and_update();
        while after < end {
            let batch = match log.recent(after, BATCH) {
                Some(batch) => batch,
                None => {
                    let log = Arc::clone(&log);
                    let read = tokio::task::spawn_blocking(move || log.read(after, BATCH)).await;
                    match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
                        Ok(batch) => batch.into_iter().map(Arc::new).collect(),
                        Err(error) => return sender.send(Err(error)).await,
                    }
                }
            };
            // Nothing: they are gone from the disk.
            after = batch.last().map_or(end, |event| event.seq);
            let mut batch = batch;
            batch.retain(|event| filter.takes(event));
            if !batch.is_empty() {
                sender.send(render(&batch)).await?;
            }
        }
        if !follow {
            return Ok(());
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(KEEP_ALIVE) => sender.send(Ok(Bytes::from_static(b":\n\n"))).await?,
            () = sender.closed() => return Ok(()),
            () = context.ended() => return Ok(()),
        }
    }
}

fn render(events: &[Arc<Event>]) -> io::Result<Bytes> {
    let mut text = String::new();
    for event in events {
        let data = serde_json::to_string(&view(event))?;
        let kind = event.kind.name();
        // Writing to a String cannot fail.
        let _ = write!(text, "id: {}\nevent: {kind}\ndata: {data}\n\n", event.seq);
    }
    Ok(text.into())
}

fn view(event: &Event) -> EventView {
    EventView {
        v: EVENTS_VERSION,
        seq: event.seq,
        at: rfc3339(event.at),
        unit: event.unit.as_ref().map(ToString::to_string),
        run: event.run.map(|run| run.0),
        severity: event.kind.severity(),
        text: describe(event),
        kind: event.kind.clone(),
    }
}

#[cfg(test)]
mod page;
