//! What the machine tells its services of itself: sessions and power, as the Service Control Manager of Windows has them.

use serde::{Deserialize, Serialize};

/// Something that happened to the machine, and that asks for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineEvent {
    /// To one of its sessions.
    Session {
        /// What.
        change: SessionEvent,
        /// Its number.
        session: u32,
    },
    /// To its power.
    Power(PowerEvent),
}

/// What happened to a session (`WTS_…` of winuser.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
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

/// What happened to the machine's power (`PBT_…` of winuser.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
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

/// The kinds by their numbers; any other is [`SessionEvent::Other`].
const SESSIONS: [(u32, SessionEvent); 8] = [
    (1, SessionEvent::ConsoleConnect),
    (2, SessionEvent::ConsoleDisconnect),
    (3, SessionEvent::RemoteConnect),
    (4, SessionEvent::RemoteDisconnect),
    (5, SessionEvent::Logon),
    (6, SessionEvent::Logoff),
    (7, SessionEvent::Lock),
    (8, SessionEvent::Unlock),
];

const POWER: [(u32, PowerEvent); 4] = [
    (4, PowerEvent::Suspend),
    (7, PowerEvent::ResumeByPerson),
    (10, PowerEvent::Status),
    (18, PowerEvent::Resume),
];

impl SessionEvent {
    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        let known = SESSIONS.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, event)| *event)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            named => SESSIONS
                .iter()
                .find(|(_, event)| *event == named)
                .map_or(0, |(number, _)| *number),
        }
    }
}

impl PowerEvent {
    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        let known = POWER.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, event)| *event)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            named => POWER
                .iter()
                .find(|(_, event)| *event == named)
                .map_or(0, |(number, _)| *number),
        }
    }
}

/// `SERVICE_CONTROL_POWEREVENT` and `SERVICE_CONTROL_SESSIONCHANGE` of winsvc.h.
const POWER_CONTROL: u32 = 13;
const SESSION_CONTROL: u32 = 14;

impl MachineEvent {
    /// What a service of Windows is told (HandlerEx): the control, the event's number, and the session's. `None`: no such
    /// control.
    #[must_use]
    pub fn from_numbers(control: u32, event: u32, session: u32) -> Option<Self> {
        match control {
            POWER_CONTROL => Some(Self::Power(PowerEvent::from_number(event))),
            SESSION_CONTROL => Some(Self::Session {
                change: SessionEvent::from_number(event),
                session,
            }),
            _ => None,
        }
    }

    /// The same three numbers.
    #[must_use]
    pub fn numbers(self) -> (u32, u32, u32) {
        match self {
            Self::Power(event) => (POWER_CONTROL, event.number(), 0),
            Self::Session { change, session } => (SESSION_CONTROL, change.number(), session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_windows_means_one_thing_and_comes_back_from_it() {
        for number in 0..20 {
            assert_eq!(SessionEvent::from_number(number).number(), number);
            assert_eq!(PowerEvent::from_number(number).number(), number);
            for control in [POWER_CONTROL, SESSION_CONTROL] {
                let session = if control == SESSION_CONTROL { 3 } else { 0 };
                let event = MachineEvent::from_numbers(control, number, session).expect("known");
                assert_eq!(event.numbers(), (control, number, session));
            }
        }
        assert_eq!(SessionEvent::from_number(7), SessionEvent::Lock);
        assert_eq!(PowerEvent::from_number(18), PowerEvent::Resume);
        assert_eq!(MachineEvent::from_numbers(4, 0, 0), None);
    }
}
