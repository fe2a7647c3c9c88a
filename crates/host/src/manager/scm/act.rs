//! Starting, stopping, asking: each ends in its time, whatever Windows does.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::calls::{Calls, RunState};
use super::explain;
use crate::process::pause;
use crate::{Error, Exit, State, Status};

/// Between two looks at what tells nobody that it has changed.
const LOOK: Duration = Duration::from_millis(25);

const STOPPED: u32 = 1;
const START_PENDING: u32 = 2;
const STOP_PENDING: u32 = 3;
const RUNNING: u32 = 4;

/// SERVICE_CONTROL_STOP.
const STOP: u32 = 1;

/// SERVICE_CONTROL_PARAMCHANGE.
const CHANGED: u32 = 6;

/// ERROR_SERVICE_NEVER_STARTED, the exit code of what was not started since boot.
const NEVER_STARTED: u32 = 1077;
/// ERROR_SERVICE_SPECIFIC_ERROR.
const OWN: u32 = 1066;

/// A time that runs.
pub(super) struct Limit {
    begun: Instant,
    within: Duration,
}

impl Limit {
    pub(super) fn new(within: Duration) -> Self {
        Self {
            begun: Instant::now(),
            within,
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.within.saturating_sub(self.begun.elapsed())
    }

    pub(super) fn over(&self) -> bool {
        self.left().is_zero()
    }

    pub(super) fn timed_out(&self, action: String, state: String) -> Error {
        Error::TimedOut {
            action,
            within: self.within,
            state,
        }
    }
}

fn look(calls: &dyn Calls, name: &str) -> Result<RunState, Error> {
    let said = calls.state(name);
    said.map_err(|e| explain::error(&format!("ask for {name}"), name, &e))
}

/// Starts it, and waits until it runs.
pub(super) fn start(calls: &Arc<dyn Calls>, name: &str, within: Duration) -> Result<(), Error> {
    let limit = Limit::new(within);
    let action = format!("start {name}");
    // It may be on its way down.
    let mut state = look(&**calls, name)?;
    while state.state == STOP_PENDING && !limit.over() {
        pause(LOOK);
        state = look(&**calls, name)?;
    }
    if state.state == STOPPED {
        match asked(calls, name, &limit)? {
            // ERROR_SERVICE_ALREADY_RUNNING: somebody else was as quick.
            Err(error) if error.raw_os_error() == Some(1056) => {}
            answer => answer.map_err(|e| explain::error(&action, name, &e))?,
        }
    }
    loop {
        let state = look(&**calls, name)?;
        match state.state {
            STOPPED | STOP_PENDING => {
                return Err(Error::NotUp {
                    action,
                    why: ended(&state).map_or_else(
                        || "it stopped at once, without an error".to_owned(),
                        |(_, why)| why,
                    ),
                });
            }
            START_PENDING => {}
            _ => return Ok(()),
        }
        if limit.over() {
            let state = format!(
                "it is starting, and says that it is at its step {}",
                state.checkpoint
            );
            return Err(limit.timed_out(format!("{name} to be up"), state));
        }
        pause(LOOK);
    }
}

/// StartServiceW returns only when the process has connected, or after 30 s: in a thread, so that this does not
/// take longer than it may.
fn asked(calls: &Arc<dyn Calls>, name: &str, limit: &Limit) -> Result<io::Result<()>, Error> {
    let (tell, told) = channel();
    let (asking, service) = (Arc::clone(calls), name.to_owned());
    std::thread::spawn(move || tell.send(asking.start(&service)));
    told.recv_timeout(limit.left()).map_err(|_| {
        let state = "its process has not spoken to the Service Control Manager yet".to_owned();
        limit.timed_out(format!("{name} to be up"), state)
    })
}

/// Stops it, and waits until it has stopped and its process is gone.
pub(super) fn stop(calls: &dyn Calls, name: &str, limit: &Limit) -> Result<(), Error> {
    let action = format!("stop {name}");
    let mut pid = 0;
    let mut asked = false;
    loop {
        let state = look(calls, name)?;
        if state.pid != 0 {
            pid = state.pid;
        }
        match state.state {
            STOPPED => break,
            STOP_PENDING => {}
            _ if asked && state.state == RUNNING => {
                // It has taken the control, and not said yet that it stops.
            }
            _ => match calls.control(name, STOP) {
                Ok(()) => asked = true,
                Err(error) => match error.raw_os_error() {
                    // ERROR_SERVICE_NOT_ACTIVE: it stopped by itself.
                    Some(1062) => break,
                    // It starts, and takes controls when it is up; or its process has just died.
                    Some(1052 | 1061 | 109) if !limit.over() => {}
                    // ERROR_DEPENDENT_SERVICES_RUNNING.
                    Some(1051) => return Err(depended_on(calls, name, &error)),
                    _ => return Err(explain::error(&action, name, &error)),
                },
            },
        }
        if limit.over() {
            return Err(limit.timed_out(
                format!("{name} to be down"),
                format!("it is {}", word(&state)),
            ));
        }
        pause(LOOK);
    }
    // It says that it has stopped a moment before it ends; till then its files are in use.
    if pid != 0
        && !calls
            .ended(pid, limit.left())
            .map_err(|e| explain::error(&action, name, &e))?
    {
        return Err(limit.timed_out(
            format!("the process of {name} to end"),
            format!("it has stopped, and process {pid} is still there"),
        ));
    }
    Ok(())
}

fn depended_on(calls: &dyn Calls, name: &str, error: &io::Error) -> Error {
    match calls.dependents(name) {
        Ok(names) if !names.is_empty() => Error::NotUp {
            action: format!("stop {name}"),
            why: format!("{} depend on it and run; stop them first", names.join(", ")),
        },
        _ => explain::error(&format!("stop {name}"), name, error),
    }
}

/// Tells it that its parameters were changed.
pub(super) fn reload(calls: &dyn Calls, name: &str) -> Result<(), Error> {
    let told = calls.control(name, CHANGED);
    told.map_err(|e| explain::error(&format!("reload {name}"), name, &e))
}

/// Sends it a control code of its own.
pub(super) fn control(calls: &dyn Calls, name: &str, code: u8) -> Result<(), Error> {
    let action = format!("send the control code {code} to {name}");
    if code < 128 {
        return Err(Error::Invalid(format!(
            "{action}: those of services' own are 128 to 255"
        )));
    }
    let sent = calls.control(name, code.into());
    sent.map_err(|e| explain::error(&action, name, &e))
}

/// How it is.
pub(super) fn status(calls: &dyn Calls, name: &str) -> Result<Status, Error> {
    let state = match calls.state(name) {
        Err(error) if explain::not_there(&error) => return Ok(Status::not_installed()),
        said => said.map_err(|e| explain::error(&format!("ask for {name}"), name, &e))?,
    };
    let configuration = match calls.configuration(name) {
        Err(error) if explain::not_there(&error) => return Ok(Status::not_installed()),
        said => said.map_err(|e| explain::error(&format!("ask for {name}"), name, &e))?,
    };
    let ended = (state.state == STOPPED).then(|| ended(&state)).flatten();
    let detail = match (&ended, state.state) {
        (Some((_, why)), _) => Some(why.clone()),
        (None, 5..=7) => Some(word(&state).to_owned()),
        (None, STOPPED) if configuration.start == 4 => Some("disabled".to_owned()),
        _ => None,
    };
    Ok(Status {
        state: match state.state {
            STOPPED if ended.is_some() => State::Failed,
            STOPPED => State::Stopped,
            START_PENDING => State::Starting,
            STOP_PENDING => State::Stopping,
            _ => State::Running,
        },
        pid: (state.pid != 0).then_some(state.pid),
        exit: ended.map(|(code, _)| Exit::Code(code)),
        enabled: configuration.start == 2,
        detail,
    })
}

fn word(state: &RunState) -> &'static str {
    match state.state {
        STOPPED => "stopped",
        START_PENDING => "starting",
        STOP_PENDING => "stopping",
        5 => "being continued",
        6 => "being paused",
        7 => "paused",
        _ => "running",
    }
}

/// The exit code of one that ended with an error, and what that says.
fn ended(state: &RunState) -> Option<(i32, String)> {
    match state.exit {
        0 | NEVER_STARTED => None,
        OWN => {
            let code = state.own_exit.cast_signed();
            Some((code, format!("it ended with exit code {code}")))
        }
        code => {
            let code = code.cast_signed();
            let why = match explain::meaning(code) {
                Some(meaning) => format!("{meaning} (error {code})"),
                None => format!("it ended with error {code}"),
            };
            Some((code, why))
        }
    }
}
