//! What the Service Control Manager asks, put on the board.

use std::sync::{Arc, Weak};

use abide_host::scm::{Asked, StopCause};

use crate::reason::{Cause, StopReason};
use crate::session::Shared;

/// What the Service Control Manager of Windows says beside stops and reloads, to a service that
/// [asked for it](crate::Service::pauses). Other managers say no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It is to rest, and to say [`paused`](crate::Context::paused) when it does.
    Pause,
    /// It is to work again, and to say [`continued`](crate::Context::continued) when it does.
    Continue,
    /// A control of its own, 128 to 255 (`sc control NAME 128`).
    Control(u8),
    /// Something happened to somebody's session.
    Session {
        /// What.
        event: SessionEvent,
        /// The session's number.
        session: u32,
    },
    /// Something happened to the machine's power.
    Power(PowerEvent),
}

/// What happened to a session (`WTS_…`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Somebody logged on.
    Logon,
    /// Somebody logged off.
    Logoff,
    /// It was locked.
    Lock,
    /// It was unlocked.
    Unlock,
    /// It was connected to the console.
    ConsoleConnect,
    /// It was disconnected from the console.
    ConsoleDisconnect,
    /// It was connected to from another machine.
    RemoteConnect,
    /// That connection ended.
    RemoteDisconnect,
    /// Another one, by its number.
    Other(u32),
}

/// What happened to the machine's power (`PBT_…`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PowerEvent {
    /// It is about to sleep.
    Suspend,
    /// It has woken up; also when nobody sits there.
    Resume,
    /// Somebody sits there who woke it up.
    ResumeByPerson,
    /// Mains or battery, and how full that is.
    Status,
    /// Another one, by its number.
    Other(u32),
}

impl PowerEvent {
    fn from_number(event: u32) -> Self {
        match event {
            4 => Self::Suspend,
            7 => Self::ResumeByPerson,
            10 => Self::Status,
            18 => Self::Resume,
            other => Self::Other(other),
        }
    }
}

impl SessionEvent {
    fn from_number(event: u32) -> Self {
        match event {
            1 => Self::ConsoleConnect,
            2 => Self::ConsoleDisconnect,
            3 => Self::RemoteConnect,
            4 => Self::RemoteDisconnect,
            5 => Self::Logon,
            6 => Self::Logoff,
            7 => Self::Lock,
            8 => Self::Unlock,
            other => Self::Other(other),
        }
    }
}

/// From now on what is asked is on the board.
pub(crate) fn begin(shared: &Arc<Shared>) {
    // Weak: the listener stays as long as the process.
    let listener = Arc::downgrade(shared);
    shared.link.listen(move |asked| hear(&listener, asked));
}

fn hear(shared: &Weak<Shared>, asked: Asked) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let event = match asked {
        Asked::Stop(cause) => {
            let reason = match cause {
                StopCause::Requested => StopReason::Requested,
                StopCause::Shutdown => StopReason::Shutdown,
                StopCause::Preshutdown => StopReason::Preshutdown,
            };
            shared.ask_stop(Cause::Told(reason));
            return;
        }
        Asked::Reload if shared.reloads() => return shared.board.ask_reload(),
        // One that it never said that it takes.
        Asked::Reload => return,
        Asked::Custom(code) if shared.reloads_on(code) => return shared.board.ask_reload(),
        Asked::Custom(code) => Event::Control(code),
        Asked::Pause => Event::Pause,
        Asked::Continue => Event::Continue,
        Asked::Session { event, session } => Event::Session {
            event: SessionEvent::from_number(event),
            session,
        },
        Asked::Power(event) => Event::Power(PowerEvent::from_number(event)),
    };
    shared.board.tell_event(event);
}
