//! What a service's body knows and can say.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_host::scm::Said;

use crate::link::Word;
use crate::log::Logger;
use crate::reason::{Cause, StopReason};
use crate::session::Shared;
use crate::starter::Starter;
use crate::waiting::{Events, Reloading, Stopping};

/// The service, as its body sees it: what is asked of it, and what it says. Cheap to clone, and may
/// be handed to every thread and task.
///
/// Nothing here fails and nothing here waits for long (five seconds, for a manager that does not
/// read). What the manager cannot be told is told to the log, once; where there is no manager that
/// listens, telling does nothing.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

impl Context {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// It is up: what depends on it may start, and `start` returns. Saying it again does nothing.
    ///
    /// | | |
    /// |---|---|
    /// | systemd (`Type=notify`), abide (`ready = { notify = true }`) | `READY=1` |
    /// | Windows | from `SERVICE_START_PENDING` to `SERVICE_RUNNING` |
    /// | runit, OpenRC, SysV, launchd | nothing: they take a process that lives for one that is up |
    pub fn ready(&self) {
        self.shared.say_ready();
    }

    /// One line about what it is doing, for people: `systemctl status`, `abide status`. Line breaks
    /// become spaces; of a long one the first 1,024 bytes are kept.
    pub fn status(&self, text: impl fmt::Display) {
        self.shared.tell(&[Word::Status(&text.to_string())]);
    }

    /// It is alive, and gets on with its work. To be called at least each
    /// [`beat_every`](Self::beat_every), from the loop that does the work; more often does no harm,
    /// a beat too many is not sent.
    ///
    /// Without any call the library gives beats by itself while it can see that the body lives: see
    /// [beats](crate#beats).
    pub fn beat(&self) {
        self.shared.beats.by_program(&self.shared);
    }

    /// How often somebody wants a beat: half of the time after which the program is taken for one
    /// that hangs. `None`: nobody counts them.
    #[must_use]
    pub fn beat_every(&self) -> Option<Duration> {
        self.shared.beats.every()
    }

    /// It starts, stops or reloads, and needs at least this long from now on, whatever the
    /// manager's own time-out is. To be said again as long as it takes.
    ///
    /// systemd and abide take it; on Windows the Service Control Manager hears of progress for so long; the others know no
    /// such time-out when they start a service.
    pub fn extend_timeout(&self, by: Duration) {
        self.shared.tell(&[Word::Extend(by)]);
    }

    /// The stop, as something to wait for.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping::new(Arc::clone(&self.shared))
    }

    /// Whether the program is to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.board.stop_cause().is_some()
    }

    /// Why the program is to stop; `None` while it is not. Under systemd the first call asks the
    /// manager, which takes some milliseconds, and two seconds at most.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.shared.stop_reason()
    }

    /// Asks the program itself to stop: everything that waits for [`stopping`](Self::stopping) goes on.
    pub fn stop(&self) {
        self.shared.ask_stop(Cause::Program);
    }

    /// The next request to read the configuration again, as something to wait for. Requests come
    /// only to a service that [takes them](crate::Service::reloads).
    #[must_use]
    pub fn reloading(&self) -> Reloading {
        Reloading::new(Arc::clone(&self.shared))
    }

    /// The next event, as something to wait for. They come from the Service Control Manager of Windows alone, to a service
    /// that asked for them: [`pauses`](crate::Service::pauses), [`control`](crate::Service::control),
    /// [`session_events`](crate::Service::session_events), [`power_events`](crate::Service::power_events).
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(&self.shared))
    }

    /// It rests, as [`Event::Pause`](crate::Event::Pause) asked for: the manager has it as paused.
    pub fn paused(&self) {
        self.shared.link.say(Said::Paused);
    }

    /// It works again, as [`Event::Continue`](crate::Event::Continue) asked for.
    pub fn continued(&self) {
        self.shared.link.say(Said::Continued);
    }

    /// The arguments of the program after its name, or those after `run`; on Windows those that the service was started
    /// with (`sc start NAME ARGUMENTS`) follow.
    #[must_use]
    pub fn args(&self) -> &[OsString] {
        &self.shared.arguments
    }

    /// Who started it.
    #[must_use]
    pub fn starter(&self) -> Starter {
        self.shared.starter()
    }

    /// Whether a person started it, who reads its output: [`interactive`](crate::interactive()).
    #[must_use]
    pub fn interactive(&self) -> bool {
        self.shared.interactive()
    }

    /// Where this service logs.
    #[must_use]
    pub fn log(&self) -> &Logger {
        &self.shared.log
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("starter", &self.starter())
            .field("stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}
