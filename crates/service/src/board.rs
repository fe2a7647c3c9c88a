//! What is asked of the program, and who waits to hear of it: threads and tasks alike.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::controls::Event;
use crate::reason::Cause;

/// Events that wait for a program that does not take them: of more, the oldest are forgotten.
const KEPT: usize = 256;

/// Requests to the program. A stop is never taken back; of several requests to reload that nobody
/// has taken, one is left.
#[derive(Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stop: Option<Cause>,
    reload: bool,
    events: VecDeque<Event>,
    waiting: Vec<(u64, Waker)>,
    last_ticket: u64,
}

/// What a waiter found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Stop,
    Reload,
    Event(Event),
}

/// What a waiter waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaited {
    Stop,
    /// A reload, or the stop after which none comes any more.
    Reload,
    /// An event, or the stop.
    Event,
}

/// A task's place among those that wait, so that it is there once however often it is polled.
#[derive(Default, Debug)]
pub(crate) struct Ticket(Option<u64>);

impl Board {
    /// The first cause counts.
    ///
    /// Returns whether this was it.
    pub(crate) fn ask_stop(&self, cause: Cause) -> bool {
        let mut state = self.lock();
        let first = state.stop.is_none();
        if first {
            state.stop = Some(cause);
            self.tell(state);
        }
        first
    }

    pub(crate) fn ask_reload(&self) {
        let mut state = self.lock();
        state.reload = true;
        self.tell(state);
    }

    pub(crate) fn tell_event(&self, event: Event) {
        let mut state = self.lock();
        if state.events.len() == KEPT {
            state.events.pop_front();
        }
        state.events.push_back(event);
        self.tell(state);
    }

    pub(crate) fn stop_cause(&self) -> Option<Cause> {
        self.lock().stop
    }

    /// Blocks until what is awaited is there, or `limit` is over (`None`).
    pub(crate) fn wait(&self, awaited: Awaited, limit: Option<Duration>) -> Option<Found> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        loop {
            if let Some(found) = state.take(awaited) {
                return Some(found);
            }
            state = match until {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// The same for a task.
    pub(crate) fn poll(
        &self,
        awaited: Awaited,
        ticket: &mut Ticket,
        context: &Context<'_>,
    ) -> Poll<Found> {
        let mut state = self.lock();
        if let Some(found) = state.take(awaited) {
            state.forget(ticket);
            return Poll::Ready(found);
        }
        state.remember(ticket, context.waker());
        Poll::Pending
    }

    /// A task waits no longer.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.lock().forget(ticket);
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        // Outside the lock: a waker may poll at once.
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left a state that is whole: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, awaited: Awaited) -> Option<Found> {
        match awaited {
            _ if self.stop.is_some() => Some(Found::Stop),
            Awaited::Reload if std::mem::take(&mut self.reload) => Some(Found::Reload),
            Awaited::Event => self.events.pop_front().map(Found::Event),
            _ => None,
        }
    }

    fn remember(&mut self, ticket: &mut Ticket, waker: &Waker) {
        let number = *ticket.0.get_or_insert_with(|| {
            self.last_ticket += 1;
            self.last_ticket
        });
        match self.waiting.iter_mut().find(|(of, _)| *of == number) {
            Some((_, known)) => known.clone_from(waker),
            None => self.waiting.push((number, waker.clone())),
        }
    }

    fn forget(&mut self, ticket: &mut Ticket) {
        if let Some(number) = ticket.0.take() {
            self.waiting.retain(|(of, _)| *of != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_first_cause_of_a_stop_counts() {
        let board = Board::default();
        assert!(board.ask_stop(Cause::Interrupt));
        assert!(!board.ask_stop(Cause::Manager));
        assert_eq!(board.stop_cause(), Some(Cause::Interrupt));
        assert_eq!(board.wait(Awaited::Stop, None), Some(Found::Stop));
    }

    #[test]
    fn requests_to_reload_that_nobody_took_are_one_and_a_stop_goes_before_them() {
        let board = Board::default();
        board.ask_reload();
        board.ask_reload();
        let now = Some(Duration::ZERO);
        assert_eq!(board.wait(Awaited::Stop, now), None);
        assert_eq!(board.wait(Awaited::Reload, now), Some(Found::Reload));
        assert_eq!(board.wait(Awaited::Reload, now), None);
        board.ask_reload();
        board.ask_stop(Cause::Manager);
        assert_eq!(board.wait(Awaited::Reload, now), Some(Found::Stop));
    }

    #[test]
    fn events_come_in_their_order_and_none_after_a_stop() {
        let board = Board::default();
        board.tell_event(Event::Pause);
        board.tell_event(Event::Continue);
        let now = Some(Duration::ZERO);
        let next = || board.wait(Awaited::Event, now);
        assert_eq!(next(), Some(Found::Event(Event::Pause)));
        assert_eq!(next(), Some(Found::Event(Event::Continue)));
        assert_eq!(next(), None);
        for code in 0..=u8::MAX {
            board.tell_event(Event::Control(code));
        }
        board.tell_event(Event::Pause);
        assert_eq!(
            next(),
            Some(Found::Event(Event::Control(1))),
            "the oldest is forgotten"
        );
        board.ask_stop(Cause::Manager);
        assert_eq!(next(), Some(Found::Stop));
    }

    #[test]
    fn a_task_is_woken_once_and_leaves_nothing_behind() {
        let board = Board::default();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        let (mut stays, mut leaves) = (Ticket::default(), Ticket::default());
        for _ in 0..3 {
            assert!(board.poll(Awaited::Stop, &mut stays, &context).is_pending());
            assert!(
                board
                    .poll(Awaited::Stop, &mut leaves, &context)
                    .is_pending()
            );
        }
        board.leave(&mut leaves);
        board.ask_stop(Cause::Manager);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(board.poll(Awaited::Stop, &mut stays, &context).is_ready());
        assert!(board.lock().waiting.is_empty());
    }
}
