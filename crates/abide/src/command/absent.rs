//! What there is no counterpart of on Windows yet: each is refused with its reason.

use crate::failure::{Code, Failure};

fn no_services(what: &str) -> Failure {
    Failure::new(format!(
        "cannot {what}: abide does not speak to the Service Control Manager yet"
    ))
    .help("`sc.exe create` makes a service of a program that is one")
}

fn no_daemon() -> Failure {
    Failure::new(
        "cannot start a daemon: abide has none for Windows yet, only `check`, `completions` and what reads a home"
            .to_owned(),
    )
    .code(Code::NoDaemon)
}

/// Starting keeper and daemon.
pub(super) mod launch {
    use super::no_daemon;
    use crate::args::DaemonArgs;
    use crate::client::Error;
    use crate::command::{Answer, Context};
    use crate::failure::Failure;
    use crate::home::Home;

    /// Says whether a daemon was started: there is one, or none can be.
    pub async fn ensure(context: &Context<'_>) -> Result<bool, Failure> {
        match context.client.daemon().await {
            Ok(_) => Ok(false),
            Err(Error::NoDaemon) => Err(no_daemon()),
            Err(error) => Err(context.client.failure(error)),
        }
    }

    /// `abide daemon`.
    pub fn foreground(_home: &Home, _args: &DaemonArgs) -> Answer {
        Err(no_daemon())
    }
}

/// `abide doctor`.
pub(super) mod doctor {
    use super::no_services;
    use crate::args::DoctorArgs;
    use crate::command::{Answer, Context};

    /// Refuses.
    pub async fn run(_context: &mut Context<'_>, _args: &DoctorArgs) -> Answer {
        Err(no_services("look at services"))
    }
}

/// `abide host`.
pub(super) mod host {
    use super::no_services;
    use crate::args::HostArgs;
    use crate::command::Answer;
    use crate::home::Home;

    /// Refuses.
    pub fn run(_home: Option<Home>, _args: &HostArgs) -> Answer {
        Err(no_services("host a unit for a service manager"))
    }
}

/// Units that are hosted by themselves, each in a home of its own.
pub(super) mod hosted {
    use crate::command::Context;

    /// There is none.
    pub async fn turn_to(_context: &mut Context<'_>, _name: &mut String) {}

    /// As [`turn_to`].
    pub async fn turn_to_one(_context: &mut Context<'_>, _patterns: &mut [String]) {}
}

/// `abide install`.
pub(super) mod install {
    use super::no_services;
    use crate::args::InstallArgs;
    use crate::command::{Answer, Context};

    /// Refuses.
    pub async fn run(_context: &mut Context<'_>, _args: &InstallArgs) -> Answer {
        Err(no_services("install a service"))
    }
}

/// `abide uninstall`.
pub(super) mod uninstall {
    use super::no_services;
    use crate::args::UninstallArgs;
    use crate::command::{Answer, Context};

    /// Refuses.
    pub fn run(_context: &mut Context<'_>, _args: &UninstallArgs) -> Answer {
        Err(no_services("uninstall a service"))
    }
}

/// Services of the operating system, as `start`, `stop`, `status` and their like take them.
pub(super) mod service {
    use abide_model::UnitStatus;
    use abide_model::api::Verb;

    use super::no_services;
    use crate::args::ChangeArgs;
    use crate::command::Context;
    use crate::failure::{Code, Failure};

    /// None is meant unless `--service` says so.
    pub async fn change(
        _context: &mut Context<'_>,
        verb: Verb,
        args: &ChangeArgs,
    ) -> Result<Option<Code>, Failure> {
        if args.service {
            return Err(no_services(&format!(
                "{} a service of the operating system",
                verb.as_str()
            )));
        }
        Ok(None)
    }

    /// None is installed.
    pub async fn statuses(_patterns: &[String]) -> Vec<UnitStatus> {
        Vec::new()
    }
}
