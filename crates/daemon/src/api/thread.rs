//! The thread of the API, and what brings it back.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::ApiConfig;
use super::server::{Server, warn};

/// How long to wait before the API is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// Threads that read files, at most; they end when there is nothing to read. A disk that hangs takes
/// some of them away for as long as it hangs.
const READERS: usize = 16;

/// The running API. Dropping it ends it, as [`Api::stop`] does.
#[derive(Debug)]
pub struct Api {
    ending: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    home: std::path::PathBuf,
    /// The socket's file stays: another daemon serves it.
    stays: Arc<AtomicBool>,
}

/// Ends an API from elsewhere.
#[derive(Clone, Debug)]
pub struct ApiEnd {
    ending: watch::Sender<bool>,
    stays: Arc<AtomicBool>,
}

impl ApiEnd {
    /// No connection is taken any more, what is under way is answered (a second at most), who follows
    /// something is let go. The sockets stay as they are, for another daemon. Does not block: see
    /// [`ApiConfig::ended`].
    pub fn leave(&self) {
        self.stay();
        self.ending.send_replace(true);
    }

    /// Whenever it ends, the sockets stay as they are.
    pub fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }
}

impl Api {
    /// Binds the home's socket and starts to answer; TCP addresses follow from the board.
    ///
    /// # Errors
    /// The socket or the token file cannot be made, or no thread started.
    pub fn start(config: ApiConfig) -> io::Result<Self> {
        let home = config.home.root().to_owned();
        let server = Server::bind(config.clone())?;
        let (ending, ended) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("api".into())
            .spawn(move || {
                let done = config.ended.clone();
                keep_up(config, server, ended);
                if let Some(done) = done {
                    done();
                }
            })?;
        Ok(Self {
            ending,
            thread: Some(thread),
            home,
            stays: Arc::default(),
        })
    }

    /// For whoever is to end it.
    #[must_use]
    pub fn end(&self) -> ApiEnd {
        ApiEnd {
            ending: self.ending.clone(),
            stays: Arc::clone(&self.stays),
        }
    }

    /// Answers what is under way (a second at most), then ends and removes the socket.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.ending.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there was caught and told of.
            let _ = thread.join();
        }
        if !self.stays.load(Ordering::Relaxed)
            && let Err(error) = abide_platform::control::remove(&self.home)
        {
            tracing::warn!(%error, "the socket cannot be removed");
        }
    }
}

/// Runs the server until it is told to end; a panic or an error starts it again.
fn keep_up(config: ApiConfig, server: Server, ended: watch::Receiver<bool>) {
    let mut next = Ok(server);
    loop {
        let outcome = next.and_then(|server| {
            catch_unwind(AssertUnwindSafe(|| run(server, &ended)))
                .unwrap_or_else(|panic| Err(io::Error::other(words(&*panic))))
        });
        if *ended.borrow() {
            return;
        }
        let why = outcome.map_or_else(|error| error.to_string(), |()| "it ended".to_owned());
        warn(
            &config,
            format!("the control API broke off ({why}) and is started again"),
        );
        match runtime() {
            Ok(runtime) => {
                let mut ended = ended.clone();
                runtime.block_on(async {
                    // Either way: time to look again.
                    let _ = tokio::time::timeout(PAUSE, ended.wait_for(|ended| *ended)).await;
                });
            }
            // Without descriptors there is no runtime to wait in.
            Err(_) => std::thread::park_timeout(PAUSE),
        }
        if *ended.borrow() {
            return;
        }
        next = Server::bind(config.clone());
    }
}

fn run(server: Server, ended: &watch::Receiver<bool>) -> io::Result<()> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(server.run(ended.clone()));
    // A thread that reads from a disk that hangs must not keep the daemon from ending.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_io_events_per_tick(64)
        .max_blocking_threads(READERS)
        .thread_keep_alive(Duration::from_secs(1))
        .thread_name("api-reader")
        .build()
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}
