//! Many statuses, as JSON that is made while it is sent: of ten thousand units no more than a few pieces
//! are in memory at once, and the client takes the first ones apart while the next ones are looked at.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use abide_model::UnitStatus;
use abide_platform::usage::{Desk, Figures};
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;

use super::Context;
use super::body::{ChunkSender, Chunks};
use super::brief::Brief;
use super::error::Answer;
use super::status::{blocking, status};
use super::usage::Sampling;
use crate::board::UnitEntry;

/// So many units are looked at in one go.
const PIECE: usize = 40;

/// Pieces that are made at once. Most of the work is the kernel's, which tells of two processes at once.
const AT_ONCE: usize = 2;

/// How much is said of each unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// All.
    Whole,
    /// See [`Brief`].
    Brief,
}

/// An element of the list.
#[derive(Debug)]
pub(super) enum Listed {
    /// Of this daemon, to be looked at.
    Unit(Arc<UnitEntry>),
    /// Of another machine, as it said.
    Remote(Box<UnitStatus>),
}

impl Listed {
    /// By what the list is ordered.
    pub(super) fn key(&self) -> (&str, Option<&str>) {
        match self {
            Self::Unit(unit) => (unit.name.as_str(), None),
            Self::Remote(status) => (&status.name, status.host.as_deref()),
        }
    }
}

struct List {
    context: Context,
    elements: Vec<Listed>,
    sampling: Sampling,
    length: Length,
}

/// The list as an answer.
pub(super) async fn answer(
    context: Context,
    elements: Vec<Listed>,
    length: Length,
) -> Answer<Response> {
    let list = blocking(move || List::begin(context, elements, length)).await?;
    let (sender, body) = Chunks::channel();
    tokio::spawn(send(Arc::new(list), sender));
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, Body::new(body)).into_response())
}

/// Makes the pieces, some at once, and sends them in their order.
async fn send(list: Arc<List>, sender: ChunkSender) {
    let pieces = list.pieces();
    let mut pieces = pieces.into_iter();
    let mut under_way = VecDeque::with_capacity(AT_ONCE);
    loop {
        while under_way.len() < AT_ONCE
            && let Some(range) = pieces.next()
        {
            let list = Arc::clone(&list);
            under_way.push_back(tokio::task::spawn_blocking(move || list.piece(range)));
        }
        let Some(next) = under_way.pop_front() else {
            return;
        };
        let piece = next.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        let last = piece.is_err();
        // A client that went away, or a part that cannot be made: nothing more is looked at.
        if sender.send(piece).await.is_err() || last {
            return;
        }
    }
}

impl List {
    /// Blocks.
    fn begin(context: Context, elements: Vec<Listed>, length: Length) -> Self {
        let units = elements.iter().filter_map(|listed| match listed {
            Listed::Unit(unit) => Some(&**unit),
            Listed::Remote(_) => None,
        });
        let figures = Figures {
            cpu: false,
            io: length == Length::Whole,
        };
        Self {
            sampling: Sampling::begin(Arc::clone(&context.sampler), units, figures),
            context,
            elements,
            length,
        }
    }

    /// The parts of the list, at least one.
    fn pieces(&self) -> Vec<Range<usize>> {
        let all = self.elements.len();
        let starts = (0..all.max(1)).step_by(PIECE);
        starts
            .map(|start| start..(start + PIECE).min(all))
            .collect()
    }

    /// Some elements with what belongs before and after them. Blocks.
    fn piece(&self, range: Range<usize>) -> io::Result<Bytes> {
        let each = match self.length {
            Length::Whole => 1536,
            Length::Brief => 512,
        };
        let mut json = Vec::with_capacity(range.len() * each);
        let mut desk = Desk::default();
        if range.start == 0 {
            json.push(b'[');
        }
        for at in range.clone() {
            if at > 0 {
                json.push(b',');
            }
            match self.elements.get(at) {
                Some(Listed::Unit(unit)) => {
                    let sample = self.sampling.of(unit, &mut desk);
                    self.write(&mut json, &status(&self.context, unit, sample))?;
                }
                Some(Listed::Remote(status)) => self.write(&mut json, status)?,
                None => {}
            }
        }
        if range.end == self.elements.len() {
            json.push(b']');
        }
        Ok(json.into())
    }

    fn write(&self, json: &mut Vec<u8>, status: &UnitStatus) -> io::Result<()> {
        match self.length {
            Length::Whole => serde_json::to_writer(json, status)?,
            Length::Brief => serde_json::to_writer(json, &Brief(status))?,
        }
        Ok(())
    }
}
