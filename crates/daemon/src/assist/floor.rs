//! The thread that waits for commands and probes, and those on which something may block.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Only what is used takes memory. Name services' libraries are the deepest that runs on these.
const STACK: usize = 512 << 10;
/// The thread that waits.
const WAITING: usize = 256 << 10;
/// A thread that has had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(5);

/// What may block, by what it blocks on, and how many at once. Each kind has its own number, so that a
/// name server that does not answer holds up no process, and so on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blocks {
    /// Making a process, on its directory and its program's file.
    Spawn,
    /// Looking at a file.
    File,
    /// Asking for the address of a name.
    Name,
    /// Reading a log, matching an expression, looking at processes: works, and ends.
    Work,
}

const SPAWNS: usize = 64;
const FILES: usize = 32;
const NAMES: usize = 16;
const WORK: usize = 4;

/// See the module. Started when it is first needed.
pub(crate) struct Floor {
    started: Mutex<Option<Started>>,
    places: [std::sync::Arc<tokio::sync::Semaphore>; 4],
}

struct Started {
    handle: Handle,
    /// Dropped: the thread ends.
    _open: oneshot::Sender<()>,
}

impl Floor {
    pub fn new() -> Self {
        let places = [SPAWNS, FILES, NAMES, WORK];
        Self {
            started: Mutex::new(None),
            places: places.map(|n| std::sync::Arc::new(tokio::sync::Semaphore::new(n))),
        }
    }

    /// Runs a task on the thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<AbortHandle> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let started = match &mut *started {
            Some(started) => started,
            none => none.insert(start()?),
        };
        // Boxed: what is left of a task that is done but not forgotten is small then.
        Ok(started.handle.spawn(Box::pin(task)).abort_handle())
    }

    /// Does something that may block, on a thread for that, when one of its kind is free. A caller that
    /// goes away meanwhile leaves the thread at work, and its place taken.
    ///
    /// # Errors
    /// It has panicked.
    pub async fn block<T: Send + 'static>(
        &self,
        kind: Blocks,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let at = match kind {
            Blocks::Spawn => &self.places[0],
            Blocks::File => &self.places[1],
            Blocks::Name => &self.places[2],
            Blocks::Work => &self.places[3],
        };
        let place = std::sync::Arc::clone(at).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await
            .map_err(|error| format!("a mistake in abide: {error}"))
    }
}

fn start() -> io::Result<Started> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(SPAWNS + FILES + NAMES + WORK)
        .thread_keep_alive(IDLE)
        .thread_stack_size(STACK)
        .thread_name("assist-job")
        .build()?;
    let handle = runtime.handle().clone();
    let (open, closed) = oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("assist".into())
        .stack_size(WAITING)
        .spawn(move || {
            // An error: nobody is left who could want something.
            let _ = runtime.block_on(closed);
            // What blocks on something that never answers is not waited for.
            runtime.shutdown_background();
        })?;
    Ok(Started {
        handle,
        _open: open,
    })
}
