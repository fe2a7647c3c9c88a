//! Answers without an end: events, and log lines.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};

use abide_model::api::EventView;

use super::{Error, sse};

/// The next bytes of a body; `None` at its end.
pub(super) async fn frame(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(Error::Broken(error.to_string())),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Server-sent events, one by one.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    parser: sse::Parser,
    ready: std::collections::VecDeque<Vec<u8>>,
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Self {
        Self {
            body,
            parser: sse::Parser::default(),
            ready: std::collections::VecDeque::new(),
        }
    }

    /// Another event is here already.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next event; `None` when the daemon closed the stream.
    ///
    /// # Errors
    /// When the stream breaks, or says something that is no event.
    pub async fn next(&mut self) -> Result<Option<EventView>, Error> {
        Ok(self.next_told().await?.map(|told| told.event))
    }

    /// The next event, also as it came; `None` when the daemon closed the stream.
    ///
    /// # Errors
    /// As [`Events::next`].
    pub async fn next_told(&mut self) -> Result<Option<Told>, Error> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                let event = serde_json::from_slice(&data);
                let event = event.map_err(|e| Error::Strange(e.to_string()))?;
                return Ok(Some(Told { event, data }));
            }
            let Some(bytes) = frame(&mut self.body).await? else {
                return Ok(None);
            };
            let ready = &mut self.ready;
            self.parser
                .feed(&bytes, |data| ready.push_back(data.to_vec()));
        }
    }
}

/// An event of the stream.
#[derive(Debug)]
pub struct Told {
    /// As far as this version understands it.
    pub event: EventView,
    /// The JSON that came, with whatever a newer daemon put in it.
    pub data: Vec<u8>,
}

/// Lines of a body, in batches as they come.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(body: Incoming) -> Self {
        Self {
            body,
            rest: Vec::new(),
        }
    }

    /// The next bytes, up to the end of a line unless it is the last; `None` at the end.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let Some(bytes) = frame(&mut self.body).await? else {
                let rest = std::mem::take(&mut self.rest);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            };
            self.rest.extend_from_slice(&bytes);
            // Only the new bytes can hold the newline that was missing.
            if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
                let after = self.rest.split_off(self.rest.len() - bytes.len() + end + 1);
                return Ok(Some(std::mem::replace(&mut self.rest, after)));
            }
        }
    }

    /// The next bytes, wherever they end; `None` at the end.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn next_raw(&mut self) -> Result<Option<Bytes>, Error> {
        frame(&mut self.body).await
    }
}
