//! Answers that are made while they are sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

/// Chunks that wait for a slow client; whoever makes them waits too.
const WAITING: usize = 2;

/// A body whose chunks come from a task. An error breaks the connection off, so that a client does
/// not take a part for the whole.
#[derive(Debug)]
pub(super) struct Chunks(mpsc::Receiver<io::Result<Bytes>>);

/// Where the task puts its chunks. When the client is gone, sending fails.
pub(super) type ChunkSender = mpsc::Sender<io::Result<Bytes>>;

impl Chunks {
    pub(super) fn channel() -> (ChunkSender, Self) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (sender, Self(receiver))
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(cx)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}
