//! Signs of life: when they are owed, and who gives them.
//!
//! A beat must mean that work goes on, so none is sent by a thread that would beat beside a hung
//! program. Until the program calls [`beat`](crate::Context::beat) itself, the library gives a beat
//! where it sees for itself that the body lives: its thread waits in a call of this library, or its
//! runtime polled it when asked to. From the program's first own beat on, only its own count.

mod http;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::link::{Link, Word};
use crate::session::Shared;

use http::Endpoint;

/// How often beats go to a URL when nothing says how often they are owed.
const UNSAID: Duration = Duration::from_secs(1);

/// What the thread needs: it sends a datagram or one HTTP request.
const STACK: usize = 128 * 1024;

/// Beats, if somebody waits for them.
pub(crate) struct Beats {
    owed: Option<Owed>,
    by_program: AtomicBool,
    turn: Mutex<Turn>,
    changed: Condvar,
}

struct Owed {
    way: Way,
    /// Half of the time after which the program is taken for one that hangs (sd_watchdog_enabled(3)).
    every: Duration,
}

enum Way {
    /// A datagram, sent by whoever beats.
    Notify,
    /// A request, sent by the thread: a beat must not wait for a network.
    Http(Endpoint),
}

#[derive(Default)]
struct Turn {
    ended: bool,
    /// A beat waits for the thread to send it.
    due: bool,
    last: Option<Instant>,
    /// The body's task, and whether its next poll is a beat.
    task: Option<Waker>,
    asked: bool,
}

impl Beats {
    /// By what the environment says; the notify socket goes before the URL.
    pub(crate) fn find(link: &Link) -> Self {
        let limit = link.beat_limit();
        let every = limit.map(|limit| limit / 2);
        let way = if link.takes_beats() {
            limit.map(|_| Way::Notify)
        } else {
            Endpoint::find().map(Way::Http)
        };
        Self {
            owed: way.map(|way| Owed {
                way,
                every: every.unwrap_or(UNSAID),
            }),
            by_program: AtomicBool::new(false),
            turn: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn every(&self) -> Option<Duration> {
        self.owed.as_ref().map(|owed| owed.every)
    }

    /// Begins to give beats by itself; a thread only where somebody waits for them.
    pub(crate) fn begin(shared: &Arc<Shared>) -> std::io::Result<()> {
        if shared.beats.owed.is_none() {
            return Ok(());
        }
        let shared = Arc::downgrade(shared);
        thread::Builder::new()
            .name("abide-beats".into())
            .stack_size(STACK)
            .spawn(move || attend(&shared))?;
        Ok(())
    }

    /// The program says that it lives.
    pub(crate) fn by_program(&self, shared: &Shared) {
        // Not swapped each time: a busy loop beats often, on many threads.
        if !self.by_program.load(Ordering::Relaxed) {
            self.by_program.store(true, Ordering::Relaxed);
        }
        self.give(shared);
    }

    /// The body's task is polled.
    pub(crate) fn polled(&self, waker: &Waker, shared: &Shared) {
        if self.owed.is_none() {
            return;
        }
        let mut turn = self.lock();
        match &mut turn.task {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let asked = std::mem::take(&mut turn.asked);
        drop(turn);
        if asked && !self.by_program.load(Ordering::Relaxed) {
            self.give(shared);
        }
    }

    pub(crate) fn end(&self) {
        let mut turn = self.lock();
        turn.ended = true;
        turn.task = None;
        drop(turn);
        self.changed.notify_all();
    }

    /// Sends one, unless the last was a moment ago.
    fn give(&self, shared: &Shared) {
        let Some(owed) = &self.owed else { return };
        let now = Instant::now();
        let mut turn = self.lock();
        let fresh = turn
            .last
            .is_some_and(|last| now.duration_since(last) < owed.every / 4);
        if fresh {
            return;
        }
        turn.last = Some(now);
        match owed.way {
            Way::Notify => {
                drop(turn);
                shared.tell(&[Word::Beat]);
            }
            Way::Http(_) => {
                turn.due = true;
                drop(turn);
                self.changed.notify_all();
            }
        }
    }

    /// Waits for the next turn. What is to be done then.
    fn next(&self, owed: &Owed) -> Next {
        let until = Instant::now() + owed.every;
        let mut turn = self.lock();
        loop {
            if turn.ended {
                return Next::End;
            }
            if std::mem::take(&mut turn.due) {
                return Next::Send;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Look;
            }
            turn = self
                .changed
                .wait_timeout(turn, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Asks the body's task to show that it is polled.
    fn ask(&self) {
        let mut turn = self.lock();
        if let Some(task) = turn.task.clone() {
            turn.asked = true;
            drop(turn);
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        // Each change is one assignment: what a panic left behind is whole.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    Send,
    Look,
    End,
}

/// The thread: looks whether the body lives each time that a beat is owed.
fn attend(shared: &Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let beats = &shared.beats;
        let Some(owed) = &beats.owed else { return };
        match beats.next(owed) {
            Next::End => return,
            Next::Send => {
                if let Way::Http(endpoint) = &owed.way {
                    shared.report(endpoint.post());
                }
            }
            Next::Look if beats.by_program.load(Ordering::Relaxed) => {}
            Next::Look if shared.body_waits() => beats.give(&shared),
            Next::Look => beats.ask(),
        }
    }
}
