//! What Windows's numbers for errors mean to whoever administers services.

use std::io;

use crate::{Error, Kind};

/// ERROR_INVALID_LEVEL: the setting is one of a newer Windows (or one that Wine lacks).
const INVALID_LEVEL: i32 = 124;

/// ERROR_SERVICE_DOES_NOT_EXIST.
const NOT_THERE: i32 = 1060;

/// ERROR_ACCESS_DENIED.
const DENIED: i32 = 5;

/// Whether the setting is one that this Windows does not have.
pub(super) fn unknown_setting(error: &io::Error) -> bool {
    error.raw_os_error() == Some(INVALID_LEVEL)
}

/// Whether there is no such service.
pub(super) fn not_there(error: &io::Error) -> bool {
    error.raw_os_error() == Some(NOT_THERE)
}

/// What an error means of this service. `action` reads after "cannot".
pub(super) fn error(action: &str, name: &str, error: &io::Error) -> Error {
    let code = error.raw_os_error().unwrap_or(0);
    match code {
        DENIED => Error::AccessDenied {
            action: action.to_owned(),
            right: "the right of an administrator",
            how: "run it in a console that was opened with \"Run as administrator\"".to_owned(),
        },
        NOT_THERE => Error::NotInstalled {
            name: name.to_owned(),
            manager: Kind::Scm,
        },
        1073 => Error::Foreign {
            name: name.to_owned(),
            what: "a service of that name is there already".to_owned(),
        },
        1057 | 1078 => Error::Invalid(format!("{action}: {}", meaning(code).unwrap_or_default())),
        _ => Error::NotUp {
            action: action.to_owned(),
            why: match meaning(code) {
                Some(meaning) => format!("{meaning} (error {code})"),
                None => error.to_string(),
            },
        },
    }
}

/// What a number means, where that says more than Windows's own text (winerror.h).
pub(super) fn meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        2 | 3 => "its program is not there; `abide doctor` says where it was looked for",
        DENIED => "its account may not execute its program",
        120 => "it does not know that control",
        193 | 216 => "its program is none that this Windows can execute",
        1051 => "services that depend on it run; stop them first",
        1052 | 1061 => "it does not take that control, or not now",
        1053 => {
            "its program did not speak to the Service Control Manager in time; it may be no service"
        }
        1057 => "there is no such account, or its password is another one",
        1058 => "it is disabled, or what it depends on is; `abide enable` lets it start at boot",
        1059 => "it depends on itself, through others",
        1062 => "it does not run",
        1064 => "it ended in its own main function",
        1066 => "it ended with an exit code of its own",
        1067 => "its process ended without having said that the service stops",
        1068 => "what it depends on could not be started",
        1069 => {
            "its account could not log on: its password is another one, or it lacks the right to log on as a service"
        }
        1070 => "it hung while it started",
        1072 => {
            "it is marked for deletion, and goes when nobody has it open any more: close the Services console (services.msc), \
             the Event Viewer and Task Manager"
        }
        1075 => "what it depends on is not there, or marked for deletion",
        1078 => "another service has that display name",
        1079 => "another service of the same process has another account",
        1115 => "the machine is shutting down",
        _ => return None,
    })
}
