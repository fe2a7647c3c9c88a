//! What goes over the line, with the numbers of winsvc.h, winuser.h and winerror.h.

use std::time::Duration;

use super::machine::{Ending, Settings};

/// A state, as the manager has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// `SERVICE_START_PENDING`.
    Starting,
    /// `SERVICE_RUNNING`.
    Running,
    /// `SERVICE_PAUSE_PENDING`.
    Pausing,
    /// `SERVICE_PAUSED`.
    Paused,
    /// `SERVICE_CONTINUE_PENDING`.
    Continuing,
    /// `SERVICE_STOP_PENDING`.
    Stopping,
    /// `SERVICE_STOPPED`.
    Stopped,
}

impl State {
    /// `dwCurrentState`.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Stopped => 1,
            Self::Starting => 2,
            Self::Stopping => 3,
            Self::Running => 4,
            Self::Continuing => 5,
            Self::Pausing => 6,
            Self::Paused => 7,
        }
    }

    /// On the way to another one: it has checkpoints, and a time within which the next one is due.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Pausing | Self::Continuing | Self::Stopping
        )
    }
}

/// Which controls the manager may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Accepted {
    /// Stop, shutdown and preshutdown.
    pub stop: bool,
    /// Pause and continue.
    pub pause: bool,
    /// Changed parameters.
    pub reload: bool,
    /// Sessions that begin, end, are locked …
    pub sessions: bool,
    /// Power: suspends, resumes, batteries.
    pub power: bool,
}

impl Accepted {
    /// `dwControlsAccepted`.
    #[must_use]
    pub fn number(self) -> u32 {
        [
            (self.stop, 0x1 | 0x4 | 0x100),
            (self.pause, 0x2),
            (self.reload, 0x8),
            (self.power, 0x40),
            (self.sessions, 0x80),
        ]
        .iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |all, (_, bits)| all | bits)
    }
}

/// What the manager is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Where the service stands.
    pub state: State,
    /// What may be asked of it now.
    pub accepted: Accepted,
    /// How it ended; of one that has not, well.
    pub ending: Ending,
    /// Counts while the state is pending; else 0.
    pub checkpoint: u32,
    /// Within which time the next checkpoint comes, or another state.
    pub hint: Duration,
}

/// `ERROR_SERVICE_SPECIFIC_ERROR`: the exit code is the service's own.
pub(super) const SPECIFIC: u32 = 1066;

impl Status {
    /// `dwWin32ExitCode` and `dwServiceSpecificExitCode`.
    #[must_use]
    pub fn exit(&self) -> (u32, u32) {
        match self.ending {
            Ending::Code(0) => (0, 0),
            Ending::Code(code) => (SPECIFIC, code),
            Ending::Win32(error) => (error, 0),
        }
    }
}

/// What the manager asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// To stop, by somebody's wish.
    Stop,
    /// To pause.
    Pause,
    /// To go on after a pause.
    Continue,
    /// How it is.
    Interrogate,
    /// The machine goes down: there are seconds left.
    Shutdown,
    /// Its parameters were changed.
    ParamChange,
    /// The machine is about to go down, and waits for this service (its preshutdown time-out, three minutes by default).
    Preshutdown,
    /// Something happened to a session.
    Session {
        /// What (`WTS_…`).
        event: u32,
        /// Its number.
        session: u32,
    },
    /// Something happened to the machine's power (`PBT_…`).
    Power(u32),
    /// One of those that a service gives a meaning to: 128 to 255.
    Custom(u8),
    /// One that no service is sent that did not ask for it.
    Other(u32),
}

impl Control {
    /// `event`, `session`: what came along, where something does.
    #[must_use]
    pub fn from_numbers(control: u32, event: u32, session: u32) -> Self {
        match control {
            1 => Self::Stop,
            2 => Self::Pause,
            3 => Self::Continue,
            4 => Self::Interrogate,
            5 => Self::Shutdown,
            6 => Self::ParamChange,
            13 => Self::Power(event),
            14 => Self::Session { event, session },
            15 => Self::Preshutdown,
            other => match u8::try_from(other) {
                Ok(code @ 128..) => Self::Custom(code),
                _ => Self::Other(other),
            },
        }
    }
}

/// What a control is answered with at once: 0, or `ERROR_CALL_NOT_IMPLEMENTED` for one that this service does not take.
#[must_use]
pub fn answer(settings: &Settings, control: Control) -> u32 {
    let takes = match control {
        Control::Stop | Control::Shutdown | Control::Preshutdown | Control::Interrogate => true,
        Control::Pause | Control::Continue => settings.pauses,
        Control::ParamChange => settings.reloads,
        Control::Session { .. } => settings.sessions,
        Control::Power(_) => settings.power,
        Control::Custom(code) => settings.custom.contains(&code),
        Control::Other(_) => false,
    };
    if takes { 0 } else { 120 }
}
