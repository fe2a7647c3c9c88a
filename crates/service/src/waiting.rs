//! Waiting for a stop or for a reload: by blocking or by `.await`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::board::{Awaited, Found, Ticket};
use crate::controls::Event;
use crate::session::Shared;

/// The stop, as something to wait for: [`Stopping::wait`] blocks a thread, `.await` a task of
/// whatever runtime. Made by [`Context::stopping`](crate::Context::stopping).
///
/// It ends when the program is to stop, whoever asked for it, and also if that was long ago.
pub struct Stopping {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Stopping {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ticket: Ticket::default(),
        }
    }

    /// Blocks this thread until the program is to stop.
    pub fn wait(self) {
        self.shared.wait(Awaited::Stop, None);
    }

    /// Blocks this thread until the program is to stop, at most this long. Returns whether it is to.
    /// What a loop does that works at intervals: it ends at once, and not after the interval.
    #[must_use]
    pub fn wait_for(self, limit: Duration) -> bool {
        self.shared.wait(Awaited::Stop, Some(limit)).is_some()
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared
            .board
            .poll(Awaited::Stop, &mut this.ticket, context)
            .map(|_| ())
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.shared.board.leave(&mut self.ticket);
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").finish_non_exhaustive()
    }
}

/// The next request to read the configuration again, as something to wait for: [`Reloading::wait`]
/// blocks a thread, `.await` a task. Made by [`Context::reloading`](crate::Context::reloading).
///
/// It ends with `None` when the program is to stop: then no request follows.
pub struct Reloading {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Reloading {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ticket: Ticket::default(),
        }
    }

    /// Blocks this thread until a reload is asked for, or the program is to stop (`None`).
    #[must_use]
    pub fn wait(self) -> Option<Reload> {
        match self.shared.wait(Awaited::Reload, None) {
            Some(Found::Reload) => Some(Reload::begin(&self.shared)),
            _ => None,
        }
    }
}

impl Future for Reloading {
    type Output = Option<Reload>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.shared
            .board
            .poll(Awaited::Reload, &mut this.ticket, context)
            .map(|found| (found == Found::Reload).then(|| Reload::begin(&this.shared)))
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.shared.board.leave(&mut self.ticket);
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

/// The next [event](Event), as something to wait for: [`Events::wait`] blocks a thread, `.await` a task. Made by
/// [`Context::events`](crate::Context::events).
///
/// It ends with `None` when the program is to stop: then none follows.
pub struct Events {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Events {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ticket: Ticket::default(),
        }
    }

    /// Blocks this thread until there is an event, or the program is to stop (`None`).
    #[must_use]
    pub fn wait(self) -> Option<Event> {
        self.shared.wait(Awaited::Event, None).and_then(event)
    }
}

fn event(found: Found) -> Option<Event> {
    match found {
        Found::Event(event) => Some(event),
        Found::Stop | Found::Reload => None,
    }
}

impl Future for Events {
    type Output = Option<Event>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.shared
            .board
            .poll(Awaited::Event, &mut this.ticket, context)
            .map(event)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.board.leave(&mut self.ticket);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// A reload under way. The manager has been told that it began; that it is over is told when this
/// is dropped, also after a failure: the program goes on with what it had.
#[must_use = "the manager is told that the reload is over as soon as this is dropped"]
pub struct Reload {
    shared: Arc<Shared>,
}

impl Reload {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.begin_reload();
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// It is over; the same as dropping it, in a word.
    pub fn done(self) {}
}

impl Drop for Reload {
    fn drop(&mut self) {
        self.shared.end_reload();
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}
