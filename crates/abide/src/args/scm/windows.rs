use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_daemon::installed::Shelf;
use abide_host::{
    Password, Recovery, RecoveryAction, RecoveryKind, ScmSettings, Service, ServiceSid,
};
use abide_platform::{account, private};
use clap::{Args, ValueEnum};

use crate::args::install::{ServiceControl, parse_control};
use crate::args::parse_duration;
use crate::failure::Failure;

/// The account that stands for the machine, as Windows finds it.
const SYSTEM: &str = r"NT AUTHORITY\SYSTEM";

/// Options of the Service Control Manager.
#[derive(Args, Debug, Default)]
pub struct ScmArgs {
    /// A load-order group of which a member must run first; may be repeated
    #[arg(long, value_name = "GROUP")]
    pub depends_on_group: Vec<String>,
    /// A file whose first line is the account's password [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// What Windows does when the service fails: restart, run, reboot or none, each with a time before it, such as
    /// restart:1s,restart:10s,none [default: restart:1s]
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = parse_step)]
    pub recover: Vec<RecoveryAction>,
    /// After so long without a failure the steps begin anew
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1d")]
    pub recover_reset: Duration,
    /// An exit code that is not 0 is a failure, too, and not only a process that vanished
    #[arg(long)]
    pub recover_errors: bool,
    /// The command line of the step run
    #[arg(long, value_name = "COMMAND")]
    pub recover_command: Option<String>,
    /// What users are told before the step reboot
    #[arg(long, value_name = "TEXT")]
    pub recover_message: Option<String>,
    /// How long it may take to end when the machine shuts down
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub preshutdown: Option<Duration>,
    /// Whether it has an identifier of its own that rights can be given to: none, unrestricted or restricted
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "KIND"
    )]
    pub service_sid: Sid,
    /// A privilege of the account that it keeps, such as SeChangeNotifyPrivilege; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    pub privilege: Vec<String>,
    /// What a control of the service means (sc control NAME CODE), such as 128=reload: reload or restart all units, or
    /// read-files again; may be repeated
    #[arg(long, value_name = "CODE=COMMAND", value_parser = parse_control)]
    pub control: Vec<ServiceControl>,
}

/// Whether a service's own identifier is in its token.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sid {
    /// No
    #[default]
    None,
    /// Yes
    Unrestricted,
    /// Yes, and only what that may be written to can be
    Restricted,
}

/// `restart:1s`, `reboot:1m`, `none`.
fn parse_step(text: &str) -> Result<RecoveryAction, String> {
    let (word, after) = text.split_once(':').unwrap_or((text, "0s"));
    let kind = match word {
        "restart" => RecoveryKind::Restart,
        "run" => RecoveryKind::Run,
        "reboot" => RecoveryKind::Reboot,
        "none" => RecoveryKind::None,
        _ => {
            return Err(format!(
                "{word:?} is no step; there are restart, run, reboot and none"
            ));
        }
    };
    let after = parse_duration(after)?;
    Ok(RecoveryAction { kind, after })
}

impl ScmArgs {
    /// As the manager takes them. An account that has a password is asked for it.
    ///
    /// # Errors
    /// The password cannot be had.
    pub fn settings(&self, account: Option<&str>) -> Result<ScmSettings, Failure> {
        let recovery = (!self.recover.is_empty()).then(|| Recovery {
            actions: self.recover.clone(),
            reset: self.recover_reset,
            non_crash: self.recover_errors,
            command: self.recover_command.clone(),
            reboot_message: self.recover_message.clone(),
        });
        if recovery.is_none()
            && (self.recover_errors
                || self.recover_command.is_some()
                || self.recover_message.is_some())
        {
            return Err(Failure::usage(
                "cannot tell what is to be done when the service fails: give the steps with --recover"
                    .to_owned(),
            ));
        }
        Ok(ScmSettings {
            groups: self.depends_on_group.clone(),
            password: self.password(account)?,
            recovery,
            preshutdown: self.preshutdown,
            sid: match self.service_sid {
                Sid::None => ServiceSid::None,
                Sid::Unrestricted => ServiceSid::Unrestricted,
                Sid::Restricted => ServiceSid::Restricted,
            },
            privileges: self.privilege.clone(),
            event_messages: None,
            rights: Vec::new(),
        })
    }

    /// The arguments of the abide that is the service, for what its controls mean.
    ///
    /// # Errors
    /// One code means two things.
    pub fn controls(&self) -> Result<Vec<String>, Failure> {
        let mut controls = self.control.clone();
        controls.sort_by_key(|control| control.code);
        if let Some(two) = controls.windows(2).find(|two| two[0].code == two[1].code) {
            return Err(Failure::usage(format!(
                "cannot give the control {} two meanings",
                two[0].code
            )));
        }
        Ok(controls
            .iter()
            .flat_map(|control| ["--control".to_owned(), control.to_string()])
            .collect())
    }

    /// Whether this service could keep in this home, if it is there already. The one of a hosted unit is the machine's. True:
    /// LocalSystem could, once it is no more the administrator's own who installs the service.
    ///
    /// # Errors
    /// Somebody else has it, or may write to it; after "cannot".
    pub fn check_home(
        &self,
        service: &Service,
        home: &Path,
        shelf: &Shelf,
    ) -> Result<bool, Failure> {
        if home.starts_with(&shelf.homes) || !home.exists() {
            return Ok(false);
        }
        let account = service.user.as_deref();
        let account = account.filter(|account| abide_host::needs_rights(account));
        // Of one that is not there it is said elsewhere.
        let Ok(Some(sid)) = account::sid_of(account.unwrap_or(SYSTEM)) else {
            return Ok(false);
        };
        // Unless the service is there already, nobody was given anything for it.
        let identifier = (self.service_sid == Sid::Restricted).then(|| {
            account::sid_of(&format!(r"NT SERVICE\{}", service.name))
                .ok()
                .flatten()
        });
        let trusted: Vec<&str> = std::iter::once(&sid)
            .chain(identifier.iter().flatten())
            .map(String::as_str)
            .collect();
        let Err(error) = private::check_directory_for(home, &trusted) else {
            return Ok(false);
        };
        if account.is_none() && private::check_directory(home).is_ok() {
            return Ok(true);
        }
        let mut failure = Failure::usage(format!("cannot {error}"));
        failure.split_help();
        Err(failure)
    }

    /// Makes a home of this administrator's own the administrators'.
    ///
    /// # Errors
    /// After "cannot".
    pub fn give_home(&self, home: &Path) -> Result<(), Failure> {
        private::give_to_machine(home).map_err(|error| {
            Failure::new(format!(
                "cannot give {} to the administrators: {error}",
                home.display()
            ))
        })
    }

    fn password(&self, account: Option<&str>) -> Result<Option<Password>, Failure> {
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
            return Ok(Some(Password::new(text.lines().next().unwrap_or_default())));
        }
        let Some(account) = account.filter(|account| abide_host::needs_password(account)) else {
            return Ok(None);
        };
        if !std::io::stdin().is_terminal() {
            // One of ours that stays as it is keeps its password; else it is said that it is missing.
            return Ok(None);
        }
        let failed =
            |error: std::io::Error| Failure::new(format!("cannot ask for a password: {error}"));
        let mut errors = std::io::stderr();
        write!(errors, "password of {account} (nothing: as it is): ").map_err(failed)?;
        let text = abide_platform::terminal::read_unseen().map_err(failed)?;
        writeln!(errors).map_err(failed)?;
        Ok((!text.is_empty()).then(|| Password::new(text)))
    }
}
