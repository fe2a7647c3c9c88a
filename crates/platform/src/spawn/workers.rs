use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use abide_model::{RunId, UnitId};

use super::{Order, SpawnError, Spawned, Step};
use crate::tree::RunTree;

/// Enough for a name service's library to look up an account; only what is used takes memory.
const STACK: usize = 512 * 1024;

/// Threads at most. Beyond, orders wait.
const MOST: usize = 64;

/// A thread that has had nothing to do for this long ends.
const IDLE: Duration = Duration::from_secs(5);

/// What may come after the starts waits until no order has come for this long: it would take the processors
/// from the programs that were just started, and from orders that are on their way.
const QUIET: Duration = Duration::from_millis(20);

/// How long a thread that was called is ready for an order without sleeping: longer than it takes from the end of a
/// program to the order for the next one.
const READY: Duration = Duration::from_micros(300);

/// When for so long no order was taken while some wait, those that are at work hang.
const STUCK: Duration = Duration::from_millis(20);

type Done = dyn Fn(UnitId, RunId, Result<Spawned, SpawnError>) + Send + Sync;

/// Threads that spawn: as many as keep the processors busy, and one more each time that these hang (on a
/// dead disk, a name service that does not answer), so that nobody waits for them. They come with the first
/// orders, and go again when idle.
///
/// ```text
///  submit ──► orders ──► threads ──► done          a thread too many costs more than it brings: making
///                │                                 it, and a switch for each order
///                └─ nobody takes one for 20 ms ──► the one that watches goes to work, another watches
/// ```
///
/// What may come after the start of a run is done when it is quiet again: see `RunTree::make_way`.
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// There is something for the thread that is ready.
    ordered: AtomicBool,
    work: Condvar,
    /// For the one that watches.
    watch: Condvar,
    /// As many as the processors can use.
    enough: usize,
    done: Box<Done>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    /// Runs that were started, and have made no way yet for the next one.
    after: VecDeque<RunTree>,
    /// No order came for [`QUIET`].
    quiet: bool,
    threads: usize,
    idle: usize,
    /// One of the idle ones was called, and looks for an order without sleeping.
    ready: bool,
    /// Orders that were taken so far.
    taken: u64,
    /// One of the threads watches whether the others hang.
    watched: bool,
    closed: bool,
}

/// What a thread does next.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are orders, and one alive at a time in each worker"
)]
enum Next {
    Spawn(Order),
    MakeWay(RunTree),
    End,
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
        // One more than processors: while it waits for its child, another has work for the processor.
        let enough = thread::available_parallelism().map_or(2, |n| n.get() + 1);
        Ok(Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                ordered: AtomicBool::new(false),
                work: Condvar::new(),
                watch: Condvar::new(),
                enough: enough.min(MOST),
                done: Box::new(done),
            }),
        })
    }

    /// An order may come within [`READY`]: a program has ended. One thread wakes while that is still being decided, so
    /// that the order does not wait for it. For nothing where there is no processor to spare.
    pub fn call(&self) {
        let mut state = self.shared.lock();
        if state.idle == 0 || state.ready || !state.orders.is_empty() || self.shared.enough <= 2 {
            return;
        }
        state.ready = true;
        self.shared.ordered.store(false, Ordering::Relaxed);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Has this run started. Never blocks. The answer comes through `done`.
    pub fn submit(&self, order: Order) {
        let mut state = self.shared.lock();
        state.orders.push_back(order);
        state.quiet = false;
        // A thread that is idle may not have woken for an earlier order yet.
        if state.idle >= state.orders.len() {
            let ready = state.ready && state.orders.len() == 1;
            drop(state);
            if ready {
                self.shared.ordered.store(true, Ordering::Release);
                return;
            }
            self.shared.work.notify_one();
            return;
        }
        let watch = state.threads >= self.shared.enough;
        if watch && state.watched || state.threads >= MOST {
            return;
        }
        state.threads += 1;
        state.watched |= watch;
        drop(state);
        if let Err(e) = add_thread(&self.shared, watch) {
            self.shared.give_up_thread(&e, watch);
        }
    }
}

fn add_thread(shared: &Arc<Shared>, watch: bool) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let builder = thread::Builder::new()
        .name("spawn".into())
        .stack_size(STACK);
    let run = move || {
        if watch {
            watch_others(&shared);
        }
        shared.work();
    };
    builder.spawn(run).map(drop)
}

/// Returns when this thread is to work like the others: they hang, or have nothing to do.
fn watch_others(shared: &Arc<Shared>) {
    let mut state = shared.lock();
    let mut taken = state.taken;
    loop {
        let waited = shared.watch.wait_timeout(state, STUCK);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.closed || state.orders.is_empty() {
            state.watched = false;
            return;
        }
        if state.taken == taken {
            break;
        }
        taken = state.taken;
    }
    // Others may hang as well, and then there must be somebody to see it.
    state.watched = state.threads < MOST;
    if !state.watched {
        return;
    }
    state.threads += 1;
    drop(state);
    if let Err(e) = add_thread(shared, true) {
        shared.give_up_thread(&e, true);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        self.shared.watch.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            match self.next() {
                Next::Spawn(order) => {
                    let (unit, run) = (order.unit, order.run);
                    let result = super::spawn(&order);
                    let started = result.is_ok();
                    let tree = order.tree.clone();
                    // Closes its ends, which nobody waits for, after the answer.
                    (self.done)(unit, run, result);
                    drop(order);
                    if started {
                        self.lock().after.push_back(tree);
                    }
                }
                Next::MakeWay(tree) => tree.make_way(),
                Next::End => return,
            }
        }
    }

    fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(order) = state.orders.pop_front() {
                if state.orders.is_empty() {
                    state.orders = VecDeque::new();
                }
                state.taken = state.taken.wrapping_add(1);
                return Next::Spawn(order);
            }
            if state.closed {
                state.threads -= 1;
                return Next::End;
            }
            let rest = if state.after.is_empty() { IDLE } else { QUIET };
            if state.quiet
                && let Some(tree) = state.after.pop_front()
            {
                if state.after.is_empty() {
                    state.after = VecDeque::new();
                }
                return Next::MakeWay(tree);
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, rest);
            let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if state.ready && state.orders.is_empty() {
                state = self.be_ready(state);
            }
            state.ready = false;
            state.idle -= 1;
            if waited.timed_out() && state.orders.is_empty() {
                state.quiet = true;
                if rest == IDLE && state.after.is_empty() {
                    state.threads -= 1;
                    return Next::End;
                }
            }
        }
    }

    /// This thread was called: looks for an order for a while, without sleeping.
    fn be_ready<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        drop(state);
        let until = Instant::now() + READY;
        while !self.ordered.load(Ordering::Acquire) && Instant::now() < until {
            std::hint::spin_loop();
        }
        self.lock()
    }

    /// The machine has no thread to give: others will do the work, or it is refused.
    fn give_up_thread(&self, error: &io::Error, watch: bool) {
        let mut state = self.lock();
        state.threads -= 1;
        if watch {
            state.watched = false;
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use abide_model::{Command, EnvironmentSpec, Launch, Limits, StdinSpec, UnitName};

    use super::*;
    use crate::tree::Trees;

    /// One that is refused before there is a process.
    fn order(run: u64) -> Order {
        let name: UnitName = "test".parse().expect("a name");
        let trees = Trees::without_groups(Path::new("/"));
        let launch = Launch {
            command: Command::Argv(Vec::new()),
            directory: "/".into(),
            environment: EnvironmentSpec::default(),
            user: None,
            password_file: None,
            group: None,
            umask: 0o022,
            priority: None,
            cpu_affinity: None,
            oom_score: None,
            stdin: StdinSpec::Null,
            limits: Limits::default(),
            notify: None,
            fd_store: 0,
            socket: None,
        };
        let tree = trees.run(UnitId(1), &name, RunId(run));
        Order::new(UnitId(1), RunId(run), Arc::new(launch), tree)
    }

    #[test]
    fn every_order_is_carried_out_once_whether_a_worker_was_called_for_it_or_not() {
        let (done, carried_out) = channel();
        let workers = Workers::start(move |_, run, result| {
            assert!(result.is_err(), "there is nothing to execute");
            // The test may have failed already.
            let _ = done.send(run);
        })
        .expect("start");
        for run in (1..=400).step_by(2) {
            if run % 3 == 0 {
                workers.call();
            }
            // Called twice, and with more orders than were expected.
            if run % 5 == 0 {
                workers.call();
            }
            let orders = 1 + run / 2 % 2;
            for more in 0..orders {
                workers.submit(order(run + more));
            }
            let mut runs: Vec<u64> = (0..orders)
                .map(|_| {
                    let within = Duration::from_secs(30);
                    carried_out.recv_timeout(within).expect("carried out").0
                })
                .collect();
            runs.sort_unstable();
            assert_eq!(runs, (run..run + orders).collect::<Vec<_>>());
        }
        assert!(carried_out.try_recv().is_err());
    }
}
