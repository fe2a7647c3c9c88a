//! One service from its begin to its end: what all parts of it share.

use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::beats::Beats;
use crate::board::{Awaited, Board, Found};
use crate::context::Context;
use crate::controls;
use crate::error::RunError;
use crate::link::{Link, Word};
use crate::log::{Logger, Severity};
use crate::reason::{self, Cause, StopReason};
use crate::requests;
use crate::service::Service;
use crate::starter::{Starter, starter};

/// What the context, the waiters and the library's threads share.
pub(crate) struct Shared {
    pub(crate) board: Board,
    pub(crate) beats: Beats,
    pub(crate) log: Logger,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) link: Link,
    name: String,
    reloads: bool,
    reload_controls: Vec<u8>,
    starter: Starter,
    ready: AtomicBool,
    stopping: Once,
    reason: OnceLock<StopReason>,
    /// The thread of a body that blocks, and whether it waits in a call of ours.
    body: ThreadId,
    body_waits: AtomicBool,
    /// The manager could not be told something; said once until it hears again.
    unheard: AtomicBool,
}

impl Shared {
    pub(crate) fn reloads(&self) -> bool {
        self.reloads
    }

    /// Whether this control means a reload.
    pub(crate) fn reloads_on(&self, control: u8) -> bool {
        self.reload_controls.contains(&control)
    }

    pub(crate) fn interactive(&self) -> bool {
        self.starter == Starter::Person
    }

    pub(crate) fn starter(&self) -> Starter {
        self.starter
    }

    /// Returns whether nobody had asked before.
    pub(crate) fn ask_stop(&self, cause: Cause) -> bool {
        let first = self.board.ask_stop(cause);
        if first {
            self.say_stopping();
        }
        first
    }

    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        let cause = self.board.stop_cause()?;
        Some(
            *self
                .reason
                .get_or_init(|| reason::find_out(cause, &self.name)),
        )
    }

    pub(crate) fn say_ready(&self) {
        if !self.ready.swap(true, Ordering::SeqCst) {
            self.tell(&[Word::Ready]);
        }
    }

    /// Once, and done when this returns: a body that ends at once must not end the process before.
    fn say_stopping(&self) {
        self.stopping.call_once(|| self.tell(&[Word::Stopping]));
    }

    pub(crate) fn begin_reload(&self) {
        self.tell(&[Word::Reloading]);
    }

    pub(crate) fn end_reload(&self) {
        // While it stops, it is not ready again.
        if self.board.stop_cause().is_none() {
            self.ready.store(true, Ordering::SeqCst);
            self.tell(&[Word::Ready]);
        }
    }

    pub(crate) fn tell(&self, words: &[Word<'_>]) {
        self.report(self.link.tell(words));
    }

    /// A manager that cannot be told is a matter for the log: the service goes on without.
    pub(crate) fn report(&self, told: io::Result<()>) {
        match told {
            Ok(()) => self.unheard.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.unheard.swap(true, Ordering::Relaxed) {
                    self.log
                        .warning(format_args!("cannot tell the manager how it is: {error}"));
                }
            }
        }
    }

    /// Blocks; the manager may take the body's thread for alive meanwhile.
    pub(crate) fn wait(&self, awaited: Awaited, limit: Option<Duration>) -> Option<Found> {
        let body = thread::current().id() == self.body;
        if body {
            self.body_waits.store(true, Ordering::Relaxed);
        }
        let found = self.board.wait(awaited, limit);
        if body {
            self.body_waits.store(false, Ordering::Relaxed);
        }
        found
    }

    pub(crate) fn body_waits(&self) -> bool {
        self.body_waits.load(Ordering::Relaxed)
    }
}

/// A service that runs. Dropped, it has ended, and signals do again what they do by default.
pub(crate) struct Session {
    shared: Arc<Shared>,
}

impl Session {
    pub(crate) fn begin(service: &Service, mut arguments: Vec<OsString>) -> Result<Self, RunError> {
        let mut starter = starter();
        let link = Link::find(starter, service.controls()).map_err(RunError::Start)?;
        if starter == Starter::Scm && !link.is_of_scm() {
            // Its child, but no service of it.
            starter = Starter::Person;
        }
        arguments.extend_from_slice(link.arguments());
        let shared = Arc::new(Shared {
            board: Board::default(),
            beats: Beats::find(&link),
            log: service.logger(),
            arguments,
            link,
            name: service.name().to_owned(),
            reloads: service.takes_reloads(),
            reload_controls: service.reload_controls().to_vec(),
            starter,
            ready: AtomicBool::new(false),
            stopping: Once::new(),
            reason: OnceLock::new(),
            body: thread::current().id(),
            body_waits: AtomicBool::new(false),
            unheard: AtomicBool::new(false),
        });
        if let Err(error) = requests::begin(&shared) {
            // The manager would wait for it.
            shared.link.end(error.exit_code());
            return Err(error);
        }
        let session = Self { shared };
        controls::begin(&session.shared);
        Beats::begin(&session.shared).map_err(RunError::Start)?;
        if service.is_ready_at_once() {
            session.shared.say_ready();
        }
        Ok(session)
    }

    pub(crate) fn context(&self) -> Context {
        Context::new(Arc::clone(&self.shared))
    }

    /// The body's task is about to be polled.
    pub(crate) fn polled(&self, task: &std::task::Context<'_>) {
        self.shared.beats.polled(task.waker(), &self.shared);
    }

    /// Tells the manager and the log how it went.
    pub(crate) fn end(self, outcome: Result<(), RunError>) -> Result<(), RunError> {
        if let Err(error) = &outcome {
            let text = format!("failed: {error}");
            self.shared.tell(&[Word::Status(&text)]);
            let severity = match error {
                RunError::Panicked(_) => Severity::Critical,
                _ => Severity::Error,
            };
            // Whoever is there reads it from the program itself.
            if !self.shared.interactive() {
                self.shared.log.log(severity, &text);
            }
        }
        self.shared.say_stopping();
        let code = outcome.as_ref().err().map_or(0, RunError::exit_code);
        self.shared.link.end(code);
        outcome
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.beats.end();
        requests::end();
        // One that is dropped before its end, with the future that it was.
        self.shared.link.end(0);
    }
}
