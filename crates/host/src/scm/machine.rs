//! What a service of the manager tells it, and asks of its program: pure, time comes in with each call.
//!
//! ```text
//!              Ready            Pause            Paused
//!  Starting ──────────► Running ──────► Pausing ──────► Paused
//!     │                  │   ▲                             │ Continue
//!     │                  │   ╰──────── Continuing ◄────────╯
//!     │                  │   Continued
//!     ╰────────┬─────────┴── Stop, Shutdown, Preshutdown; the program's own wish; from any of them
//!              ▼
//!          Stopping ── Ended ──► Stopped          (Ended from any of them leads there)
//! ```
//!
//! While a state is pending, checkpoints are counted up, each before the time that was promised with the one before
//! is over: the manager, and whoever waits for it, knows by them that there is progress. A program that
//! takes longer than its limit, and has not asked for more, gets no more of them: it is then taken for one that hangs.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::numbers::{Accepted, Control, State, Status, answer};

/// Within which time the manager is promised the next checkpoint, and when it gets it.
const HINT: Duration = Duration::from_secs(6);
const EVERY: Duration = Duration::from_secs(2);

/// What a service takes, and how long it may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Until it is ready.
    pub start_limit: Duration,
    /// Until it has stopped; until a pause has begun or ended.
    pub stop_limit: Duration,
    /// It can be paused.
    pub pauses: bool,
    /// It reads its configuration again when its parameters change.
    pub reloads: bool,
    /// It wants to hear of sessions.
    pub sessions: bool,
    /// It wants to hear of the machine's power.
    pub power: bool,
    /// The controls from 128 to 255 that it knows.
    pub custom: Vec<u8>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_limit: Duration::from_secs(90),
            stop_limit: Duration::from_secs(90),
            pauses: false,
            reloads: false,
            sessions: false,
            power: false,
            custom: Vec::new(),
        }
    }
}

/// What the program says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// It is up.
    Ready,
    /// It needs this long from now on.
    More(Duration),
    /// It is on its way down.
    Stopping,
    /// It rests.
    Paused,
    /// It works again.
    Continued,
    /// It has ended.
    Ended(Ending),
}

/// How it ended. One whose process goes without a word the manager takes for a crash (`ERROR_PROCESS_ABORTED`, 1067).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// With a code of its own; 0: well. The manager has another one as `ERROR_SERVICE_SPECIFIC_ERROR` (1066).
    Code(u32),
    /// With an error of Windows.
    Win32(u32),
}

/// What is asked of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// To stop. At most once, and nothing follows.
    Stop(StopCause),
    /// To rest until it is to continue, and to say so.
    Pause,
    /// To work again, and to say so.
    Continue,
    /// To read its configuration again.
    Reload,
    /// What one of its own controls means.
    Custom(u8),
    /// Nothing: something happened to a session.
    Session {
        /// What (`WTS_…`).
        event: u32,
        /// Its number.
        session: u32,
    },
    /// Nothing: something happened to the machine's power (`PBT_…`).
    Power(u32),
}

/// Why it is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopCause {
    /// Somebody wants it.
    Requested,
    /// The machine goes down.
    Shutdown,
    /// The machine is about to go down, and waits for this service.
    Preshutdown,
}

/// One service, from its start to its end.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    ending: Ending,
    checkpoint: u32,
    /// When the next checkpoint is due, and after when none comes.
    next: Duration,
    limit: Duration,
    reports: VecDeque<Status>,
    asked: VecDeque<Asked>,
}

impl Machine {
    /// One that the manager has just started. `now` is the time since whatever moment, the same one in all calls.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        let mut machine = Self {
            settings,
            state: State::Starting,
            ending: Ending::Code(0),
            checkpoint: 0,
            next: now,
            limit: now,
            reports: VecDeque::new(),
            asked: VecDeque::new(),
        };
        machine.enter(State::Starting, now);
        machine
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The next thing to tell the manager: before anything is asked of the program.
    pub fn poll_report(&mut self) -> Option<Status> {
        self.reports.pop_front()
    }

    /// The next thing to ask of the program.
    pub fn poll_asked(&mut self) -> Option<Asked> {
        self.asked.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        (self.state.is_pending() && self.next < self.limit).then_some(self.next)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.progress(now);
        }
    }

    /// The manager asks something. What it may not ask, or asks for nothing, leads to nothing.
    pub fn handle_control(&mut self, now: Duration, control: Control) {
        if self.state == State::Stopped || answer(&self.settings, control) != 0 {
            return;
        }
        if control == Control::Interrogate {
            self.report();
            return;
        }
        if self.state == State::Stopping {
            return;
        }
        match control {
            Control::Stop => self.stop(now, StopCause::Requested),
            Control::Shutdown => self.stop(now, StopCause::Shutdown),
            Control::Preshutdown => self.stop(now, StopCause::Preshutdown),
            Control::Pause if matches!(self.state, State::Running | State::Continuing) => {
                self.enter(State::Pausing, now);
                self.asked.push_back(Asked::Pause);
            }
            Control::Continue if matches!(self.state, State::Paused | State::Pausing) => {
                self.enter(State::Continuing, now);
                self.asked.push_back(Asked::Continue);
            }
            Control::ParamChange => self.asked.push_back(Asked::Reload),
            Control::Custom(code) => self.asked.push_back(Asked::Custom(code)),
            Control::Session { event, session } => {
                self.asked.push_back(Asked::Session { event, session });
            }
            Control::Power(event) => self.asked.push_back(Asked::Power(event)),
            Control::Pause | Control::Continue | Control::Interrogate | Control::Other(_) => {}
        }
    }

    /// The program says something. What is of no meaning in this state leads to nothing: a program that
    /// becomes ready while it is to stop does not run again.
    pub fn handle_said(&mut self, now: Duration, said: Said) {
        match (said, self.state) {
            (_, State::Stopped) => {}
            (Said::Ended(ending), _) => {
                self.ending = ending;
                self.enter(State::Stopped, now);
            }
            (Said::Ready, State::Starting)
            | (Said::Continued, State::Paused | State::Pausing | State::Continuing) => {
                self.enter(State::Running, now);
            }
            (Said::Paused, State::Running | State::Pausing) if self.settings.pauses => {
                self.enter(State::Paused, now);
            }
            (Said::Stopping, state) if state != State::Stopping => self.enter(State::Stopping, now),
            (Said::More(time), state) if state.is_pending() => {
                self.limit = self.limit.max(now.saturating_add(time));
                // It may have been without checkpoints.
                if self.next <= now {
                    self.progress(now);
                }
            }
            _ => {}
        }
    }

    fn stop(&mut self, now: Duration, cause: StopCause) {
        self.enter(State::Stopping, now);
        // What it has not heard of yet it need not do any more.
        self.asked.clear();
        self.asked.push_back(Asked::Stop(cause));
    }

    fn enter(&mut self, state: State, now: Duration) {
        self.state = state;
        self.checkpoint = u32::from(state.is_pending());
        let limit = match state {
            State::Starting => self.settings.start_limit,
            _ => self.settings.stop_limit,
        };
        self.limit = now.saturating_add(limit);
        self.next = now.saturating_add(EVERY);
        self.report();
    }

    fn progress(&mut self, now: Duration) {
        self.checkpoint = self.checkpoint.saturating_add(1);
        self.next = now.saturating_add(EVERY);
        self.report();
    }

    fn report(&mut self) {
        let settled = matches!(self.state, State::Running | State::Paused);
        // In a pending start or stop the manager refuses all of them by itself.
        let wanted = settled || matches!(self.state, State::Pausing | State::Continuing);
        let status = Status {
            state: self.state,
            accepted: Accepted {
                stop: wanted,
                pause: settled && self.settings.pauses,
                reload: settled && self.settings.reloads,
                sessions: settled && self.settings.sessions,
                power: settled && self.settings.power,
            },
            ending: self.ending,
            checkpoint: self.checkpoint,
            hint: if self.state.is_pending() {
                HINT
            } else {
                Duration::ZERO
            },
        };
        self.reports.push_back(status);
    }
}
