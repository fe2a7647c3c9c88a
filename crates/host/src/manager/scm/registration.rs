//! A service as the Service Control Manager has it: what is written, and what is read back. Pure.

use std::fmt::{self, Write as _};
use std::time::Duration;

use abide_model::{AccountKind, AccountName};

use super::{command_line, rights};
use crate::Error;
use crate::service::{
    Holder, Password, Ready, Recovery, RecoveryAction, RecoveryKind, Restart, Right, Service,
    ServiceSid, Start,
};

/// `SERVICE_WIN32_OWN_PROCESS`.
pub(crate) const OWN_PROCESS: u32 = 0x10;

/// Before a group's name in a list of dependencies (`SC_GROUP_IDENTIFIER`).
const GROUP: char = '+';

/// After so long without a failure the count of failures begins anew, where nothing is said.
const RESET: Duration = Duration::from_secs(24 * 60 * 60);

/// A service of the Service Control Manager: its values in the registry, and its source in the Event Log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Its key.
    pub name: String,
    /// `Type`: [`OWN_PROCESS`] where it is ours.
    pub kind: u32,
    /// `ImagePath`.
    pub image_path: String,
    /// `DisplayName`.
    pub display_name: String,
    /// `Description`.
    pub description: String,
    /// `Start`: 2 at boot, 3 by hand, 4 disabled.
    pub start: u32,
    /// `DelayedAutostart`.
    pub delayed: bool,
    /// `ObjectName`.
    pub account: String,
    /// `DependOnService`, and `DependOnGroup` with `+` before each.
    pub dependencies: Vec<String>,
    /// `FailureActions`, `FailureActionsOnNonCrashFailures`, `FailureCommand`, `RebootMessage`.
    pub recovery: Recovery,
    /// `PreshutdownTimeout`; `None`: Windows's own.
    pub preshutdown: Option<Duration>,
    /// `ServiceSidType`.
    pub sid: ServiceSid,
    /// `RequiredPrivileges`.
    pub privileges: Vec<String>,
    /// `Environment`.
    pub environment: Vec<String>,
    /// `EventMessageFile` of the source.
    pub event_messages: Option<String>,
    /// What its account and its identifier may do with its folders and files because of it.
    pub rights: Vec<Right>,
    /// The account's password; never read back, and in no text.
    pub password: Option<Password>,
}

impl Registration {
    /// What is written for a service.
    ///
    /// # Errors
    /// [`Error::Invalid`]: what cannot be written.
    pub(super) fn of(service: &Service) -> Result<Self, Error> {
        let scm = &service.scm;
        let account = match &service.user {
            Some(name) => AccountName::new(name),
            None => AccountName::system(),
        };
        let groups = scm.groups.iter().map(|group| Self::group(group));
        let variables = service.environment.iter();
        Ok(Self {
            name: service.name.clone(),
            kind: OWN_PROCESS,
            image_path: command_line::write(
                &service.program.to_string_lossy(),
                &service.arguments,
            )?,
            display_name: service
                .display_name
                .clone()
                .unwrap_or_else(|| service.name.clone()),
            description: service.description.clone().unwrap_or_default(),
            start: match service.start {
                Start::Auto | Start::Delayed => 2,
                Start::Manual => 3,
                Start::Disabled => 4,
            },
            delayed: service.start == Start::Delayed,
            // LocalSystem may do everything anyway; its restricted identifier may not.
            rights: scm
                .rights
                .iter()
                .filter(|right| {
                    account.kind() != AccountKind::System || right.holder == Holder::Identifier
                })
                .cloned()
                .collect(),
            account: account.to_string(),
            dependencies: service.dependencies.iter().cloned().chain(groups).collect(),
            recovery: scm
                .recovery
                .clone()
                .unwrap_or_else(|| recovery(service.restart, service.restart_delay)),
            preshutdown: scm.preshutdown.or(service.stop_timeout),
            sid: scm.sid,
            privileges: scm.privileges.clone(),
            environment: variables
                .map(|(name, text)| format!("{name}={text}"))
                .collect(),
            event_messages: scm.event_messages.clone(),
            password: scm.password.clone(),
        })
    }

    /// What this manager does otherwise than was asked for.
    pub(super) fn notes(service: &Service) -> Vec<String> {
        let mut notes = Vec::new();
        if service.directory.is_some() {
            notes.push("Windows starts services in its system directory");
        }
        if service.watchdog.is_some() {
            notes.push("it has no watchdog");
        }
        if service.sandbox.is_some() {
            notes.push("it has no sandbox; an account of its own and few privileges come closest");
        }
        if service.restart == Restart::Always && service.scm.recovery.is_none() {
            notes.push("it starts nothing again that has stopped without an error");
        }
        if service.reload_signal.is_some() && !matches!(service.ready, Ready::Notify { .. }) {
            notes.push("it knows no signals: a reload is the program's own business");
        }
        notes.into_iter().map(ToOwned::to_owned).collect()
    }

    /// A group, as it is written among what a service depends on.
    pub(super) fn group(name: &str) -> String {
        format!("{GROUP}{name}")
    }

    /// The key in which its values lie, below `HKEY_LOCAL_MACHINE`.
    pub(super) fn key(name: &str) -> String {
        format!(r"SYSTEM\CurrentControlSet\Services\{name}")
    }

    /// The key of what is noted with it, and goes with it.
    pub(super) fn parameters(name: &str) -> String {
        format!(r"{}\Parameters", Self::key(name))
    }

    /// The key of its source in the Event Log.
    pub(super) fn source_key(name: &str) -> String {
        format!(r"SYSTEM\CurrentControlSet\Services\EventLog\Application\{name}")
    }
}

/// Whether a name among what a service depends on is a group's.
pub(super) fn is_group(name: &str) -> bool {
    name.starts_with(GROUP)
}

fn recovery(restart: Restart, delay: Duration) -> Recovery {
    if restart == Restart::Never {
        return Recovery::default();
    }
    Recovery {
        actions: vec![RecoveryAction {
            kind: RecoveryKind::Restart,
            after: delay,
        }],
        reset: RESET,
        non_crash: restart != Restart::OnAbnormal,
        command: None,
        reboot_message: None,
    }
}

/// Each value on a line, as it is written; what has Windows's own default is left out.
impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = String::new();
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(lines, "{name} = {text}");
            }
        };
        if self.kind != OWN_PROCESS {
            line("Type", &format!("{:#x}", self.kind));
        }
        line("ImagePath", &self.image_path);
        line("DisplayName", &self.display_name);
        line("Description", &self.description);
        line(
            "Start",
            match (self.start, self.delayed) {
                (2, false) => "2 (at boot)",
                (2, true) => "2 (at boot, delayed)",
                (3, _) => "3 (by hand)",
                (4, _) => "4 (disabled)",
                _ => "as a driver",
            },
        );
        line("ObjectName", &self.account);
        let (groups, services): (Vec<&str>, Vec<&str>) = self
            .dependencies
            .iter()
            .map(String::as_str)
            .partition(|name| is_group(name));
        line("DependOnService", &services.join(", "));
        line("DependOnGroup", &groups.join(", ").replace(GROUP, ""));
        line("FailureActions", &actions(&self.recovery));
        if self.recovery.non_crash {
            line("FailureActionsOnNonCrashFailures", "1");
        }
        line(
            "FailureCommand",
            self.recovery.command.as_deref().unwrap_or(""),
        );
        line(
            "RebootMessage",
            self.recovery.reboot_message.as_deref().unwrap_or(""),
        );
        if let Some(time) = self.preshutdown {
            line("PreshutdownTimeout", &format!("{} ms", time.as_millis()));
        }
        line(
            "ServiceSidType",
            match self.sid {
                ServiceSid::None => "",
                ServiceSid::Unrestricted => "1 (unrestricted)",
                ServiceSid::Restricted => "3 (restricted)",
            },
        );
        line("RequiredPrivileges", &self.privileges.join(", "));
        for variable in &self.environment {
            line("Environment", variable);
        }
        if let Some(file) = &self.event_messages {
            let key = Self::source_key(&self.name);
            line(&format!(r"{key}\EventMessageFile"), file);
        }
        if AccountName::new(&self.account).logs_on_by_right() {
            line(&format!("right of {}", self.account), "log on as a service");
        }
        for right in &self.rights {
            let holder = rights::holder(&self.name, &self.account, right);
            line(&format!("right of {holder}"), &rights::text(right));
        }
        f.write_str(&lines)
    }
}

fn actions(recovery: &Recovery) -> String {
    if recovery.actions.is_empty() {
        return String::new();
    }
    let actions: Vec<String> = recovery
        .actions
        .iter()
        .map(|action| {
            let what = match action.kind {
                RecoveryKind::None => "nothing",
                RecoveryKind::Restart => "restart",
                RecoveryKind::Reboot => "reboot",
                RecoveryKind::Run => "run",
            };
            format!("{what} after {} ms", action.after.as_millis())
        })
        .collect();
    format!(
        "{}; counted anew after {} s",
        actions.join(", "),
        recovery.reset.as_secs()
    )
}
