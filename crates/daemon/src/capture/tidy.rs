//! The thread that compresses and removes: there only while there is something to do, and behind
//! everything else.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::engine::{Engine, Key};
use super::held;
use super::pass::wall;
use super::system;

/// zstd works on the heap; the rest is ours.
const STACK: usize = 256 << 10;

/// Log directories to look at.
#[derive(Default)]
pub struct Tidying(Mutex<Work>, Condvar);

#[derive(Default)]
struct Work {
    queue: VecDeque<Key>,
    queued: HashSet<Key>,
    running: bool,
    /// Everything goes down: what is under way is finished, and nothing more is compressed.
    over: bool,
}

impl Tidying {
    /// Look at the directory of this stream. Does not block.
    pub fn ask(&self, engine: &Arc<Engine>, key: Key) {
        let mut work = held(&self.0);
        if work.over {
            return;
        }
        if work.queued.insert(key) {
            work.queue.push_back(key);
        }
        if !work.running {
            let engine = Arc::clone(engine);
            let thread = std::thread::Builder::new()
                .name("tidy".to_owned())
                .stack_size(STACK);
            match thread.spawn(move || engine.tidying.run(&engine)) {
                Ok(_) => work.running = true,
                // The next one who asks tries again.
                Err(error) => {
                    tracing::warn!(%error, "cannot start the thread that compresses logs")
                }
            }
        }
    }

    /// Compresses nothing more, and waits so long for what is under way, which would leave a temporary file,
    /// and for what an earlier death has left.
    pub fn finish(&self, within: Duration) {
        let mut work = held(&self.0);
        work.over = true;
        // Who is not done by then is on a disk that hangs, and puts it right the next time.
        drop(self.1.wait_timeout_while(work, within, |work| work.running));
    }

    fn run(&self, engine: &Engine) {
        if let Err(error) = system::come_last() {
            tracing::debug!(%error, "compressing at normal priority");
        }
        loop {
            let key = {
                let mut work = held(&self.0);
                let Some(key) = work.queue.pop_front() else {
                    work.running = false;
                    self.1.notify_all();
                    return;
                };
                work.queued.remove(&key);
                key
            };
            let Some(stream) = engine.stream(key) else {
                continue;
            };
            let (now, spec) = (wall(), stream.unit.spec());
            let go_on = || !held(&self.0).over;
            let removing = |removed| stream.unit.removing(removed);
            match abide_log::tidy_while(&stream.dir, &spec, now, &go_on, &removing) {
                Ok(next) => {
                    if let Some(next) = next {
                        let wait = u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0);
                        engine.tidy_after(key, Duration::from_nanos(wait));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(
                    unit = %stream.unit.name, %error, dir = %stream.dir.display(),
                    "cannot compress or remove old log segments"
                ),
            }
        }
    }
}
