//! The thread that numbers and writes events.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use abide_model::{Event, EventKind, Wall};
use tokio::sync::watch;

use super::files::Files;
use super::{Shared, Unnumbered, WAITING};

/// Events that followers find in memory.
const RECENT: usize = 64;

/// How often a disk that took nothing is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    files: Files,
    shared: Arc<Shared>,
    shown: watch::Sender<u64>,
    /// Numbered and shown, but not on the disk.
    unwritten: VecDeque<Arc<Event>>,
    last_at: Wall,
}

struct Batch {
    items: VecDeque<Unnumbered>,
    dropped: u64,
    /// How many were ever queued up to these.
    taken: u64,
    end: bool,
}

impl Writer {
    pub(super) fn new(files: Files, shared: Arc<Shared>, shown: watch::Sender<u64>) -> Self {
        Self {
            files,
            shared,
            shown,
            unwritten: VecDeque::new(),
            last_at: Wall(0),
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let batch = self.wait();
            let fresh = self.number(batch.items, batch.dropped);
            self.unwritten.extend(fresh.iter().cloned());
            self.write();
            self.show(fresh, batch.taken);
            if batch.end {
                return;
            }
        }
    }

    /// What to write next. Also returns when it is time to try a disk again that took nothing.
    fn wait(&self) -> Batch {
        let mut state = self.shared.lock();
        while state.queue.is_empty() && !state.end {
            state.busy = false;
            self.shared.idle.notify_all();
            if self.unwritten.is_empty() {
                let woken = self.shared.recorded.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            } else {
                let woken = self.shared.recorded.wait_timeout(state, RETRY);
                let (woken, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
                state = woken;
                if timeout.timed_out() {
                    break;
                }
            }
        }
        state.busy = true;
        Batch {
            items: std::mem::take(&mut state.queue),
            dropped: std::mem::take(&mut state.dropped),
            taken: state.queued,
            end: state.end,
        }
    }

    fn number(&mut self, items: VecDeque<Unnumbered>, dropped: u64) -> Vec<Arc<Event>> {
        let first_at = items.front().map_or(self.last_at, |item| item.at);
        let loss = (dropped > 0).then(|| Unnumbered {
            at: first_at,
            unit: None,
            run: None,
            kind: EventKind::Warning {
                text: format!("{dropped} events could not be written in time and are lost"),
            },
            complete: None,
        });
        let next = *self.shown.borrow() + 1;
        let mut fresh = Vec::with_capacity(items.len() + 1);
        for (seq, mut item) in (next..).zip(loss.into_iter().chain(items)) {
            if let Some(complete) = item.complete.take() {
                complete(&mut item.kind);
            }
            self.last_at = item.at;
            fresh.push(Arc::new(Event {
                seq,
                at: item.at,
                unit: item.unit,
                run: item.run,
                kind: item.kind,
            }));
        }
        fresh
    }

    fn write(&mut self) {
        while let Some(event) = self.unwritten.front() {
            if let Err(error) = self.files.append(event) {
                tracing::warn!(%error, "events cannot be written; they wait in memory");
                break;
            }
            self.unwritten.pop_front();
        }
        let surplus = self.unwritten.len().saturating_sub(WAITING);
        if surplus > 0 {
            self.unwritten.drain(..surplus);
            self.shared.lock().dropped += surplus as u64;
        }
        if self.unwritten.is_empty() && self.unwritten.capacity() > RECENT {
            self.unwritten = VecDeque::new();
        }
    }

    fn show(&self, fresh: Vec<Arc<Event>>, taken: u64) {
        let mut state = self.shared.lock();
        state.settled = taken;
        self.shared.idle.notify_all();
        let Some(last) = fresh.last().map(|event| event.seq) else {
            return;
        };
        state.recent.extend(fresh);
        let keep = RECENT.max(self.unwritten.len());
        let surplus = state.recent.len().saturating_sub(keep);
        state.recent.drain(..surplus);
        if state.recent.capacity() > 4 * keep {
            state.recent.shrink_to(keep);
        }
        // Under the lock, so that nobody sees a number whose event is not in `recent` yet.
        self.shown.send_replace(last);
        for bell in state.bells.iter().filter_map(Weak::upgrade) {
            bell.ring();
        }
    }
}
