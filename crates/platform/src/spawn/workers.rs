use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use abide_model::{RunId, UnitId};

use super::{Order, SpawnError, Spawned, Step};

/// Enough for a name service's library to look up an account; only what is used takes memory.
const STACK: usize = 512 * 1024;

/// Threads at most. Beyond, orders wait.
const MOST: usize = 64;

/// A thread that has had nothing to do for this long ends.
const IDLE: Duration = Duration::from_secs(5);

type Done = dyn Fn(UnitId, RunId, Result<Spawned, SpawnError>) + Send + Sync;

/// Threads that spawn. They come while all others are busy (one that hangs on a dead disk delays
/// nobody), and go again when idle.
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    done: Box<Done>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Workers")
            .field("waiting", &state.orders.len())
            .field("threads", &state.threads)
            .finish_non_exhaustive()
    }
}

impl Workers {
    /// Threads start with the first orders. `done` is called on them, and must not block.
    ///
    /// # Errors
    /// None on this system; one that needs a thread from the beginning may have none.
    pub fn start(
        done: impl Fn(UnitId, RunId, Result<Spawned, SpawnError>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (state, work) = (Mutex::default(), Condvar::new());
        Ok(Self {
            shared: Arc::new(Shared {
                state,
                work,
                done: Box::new(done),
            }),
        })
    }

    /// Has this run started. Never blocks. The answer comes through `done`.
    pub fn submit(&self, order: Order) {
        let mut state = self.shared.lock();
        state.orders.push_back(order);
        // A thread that is idle may not have woken for an earlier order yet.
        if state.idle >= state.orders.len() || state.threads >= MOST {
            drop(state);
            self.shared.work.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        if let Err(e) = self.add_thread() {
            self.shared.give_up_thread(&e);
        }
    }

    fn add_thread(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let builder = thread::Builder::new()
            .name("spawn".into())
            .stack_size(STACK);
        builder.spawn(move || shared.work()).map(drop)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(order) = self.next() {
            let (unit, run) = (order.unit, order.run);
            let result = super::spawn(&order);
            drop(order);
            (self.done)(unit, run, result);
        }
    }

    /// The next order; `None`: this thread is to end.
    fn next(&self) -> Option<Order> {
        let mut state = self.lock();
        loop {
            if let Some(order) = state.orders.pop_front() {
                return Some(order);
            }
            if state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, IDLE);
            let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.orders.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }

    /// The machine has no thread to give: others will do the work, or it is refused.
    fn give_up_thread(&self, error: &io::Error) {
        let mut state = self.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        let orders = std::mem::take(&mut state.orders);
        drop(state);
        for order in orders {
            let text = format!("make a thread that starts it: {error}");
            let errno = error.raw_os_error();
            let error = SpawnError {
                step: Step::Prepare,
                errno,
                text,
                recorded: false,
            };
            (self.done)(order.unit, order.run, Err(error));
        }
    }
}
