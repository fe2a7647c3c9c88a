//! Threads for what may block: making FIFOs, reading configuration, removing directories. A disk
//! that hangs holds one of them, never the driver.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Reading a configuration is the deepest of them.
const STACK: usize = 1 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A pool that grows while all its threads are busy, and ends them when there is nothing to do.
#[derive(Clone)]
pub struct Jobs {
    most: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    busy: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No job runs under this lock, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// At most so many threads: as many jobs may hang at once before others wait. With one, jobs are
    /// done in the order they come.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            shared: Arc::default(),
        }
    }

    /// Runs `job` on a thread of its own, or as soon as one is free.
    ///
    /// # Errors
    /// There is no thread at all and none can be made; the job is dropped.
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.shared.state();
        state.queue.push_back(Box::new(job));
        if state.threads - state.busy >= state.queue.len() || state.threads >= self.most {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        match std::thread::Builder::new()
            .name("job".into())
            .stack_size(STACK)
            .spawn(move || work(&shared))
        {
            Ok(_) => state.threads += 1,
            // Those that are there will come to it.
            Err(_) if state.threads > 0 => {}
            Err(e) => {
                state.queue.pop_back();
                return Err(e);
            }
        }
        Ok(())
    }

    /// Waits until nothing is left to do, at most so long.
    pub fn finish(&self, within: std::time::Duration) {
        let state = self.shared.state();
        // Whether it timed out changes nothing: what is left is only cleaning up.
        let _ = self
            .shared
            .ended
            .wait_timeout_while(state, within, |s| s.threads > 0);
    }
}

fn work(shared: &Shared) {
    let mut state = shared.state();
    while let Some(job) = state.queue.pop_front() {
        state.busy += 1;
        drop(state);
        job();
        state = shared.state();
        state.busy -= 1;
    }
    state.threads -= 1;
    shared.ended.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn a_job_that_hangs_holds_up_no_other() {
        let jobs = Jobs::new(16);
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().expect("lock");
        for _ in 0..10 {
            let gate = Arc::clone(&gate);
            jobs.submit(move || drop(gate.lock())).expect("submit");
        }
        let (done, wait) = channel();
        jobs.submit(move || done.send(()).expect("send"))
            .expect("submit");
        wait.recv_timeout(Duration::from_secs(30))
            .expect("the eleventh ran");
        drop(closed);
        jobs.finish(Duration::from_secs(30));
        assert_eq!(jobs.shared.state().threads, 0);
    }
}
