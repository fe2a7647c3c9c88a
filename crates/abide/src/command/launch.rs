//! Starting keeper and daemon.

use std::path::PathBuf;
use std::time::Duration;

use abide_daemon::home::Home as Paths;
use abide_platform::keeper::{Launch, StartError, start_detached};

use super::{Answer, Context};
use crate::args::DaemonArgs;
use crate::client::Error;
use crate::daemon::Role;
use crate::failure::Failure;
use crate::home::Home;
use crate::managed::Manager;
use abide_daemon::installed::HostedUnit;

/// How long a daemon may take until it serves: reading the state of a thousand units, and adopting them.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts keeper and daemon in the background if no daemon runs. Says whether it did.
///
/// # Errors
/// The daemon's own words, if it cannot start.
pub(super) async fn ensure(context: &Context<'_>) -> Result<bool, Failure> {
    match context.client.daemon().await {
        Ok(_) => return Ok(false),
        Err(Error::NoDaemon) => {}
        Err(error) => return Err(context.client.failure(error)),
    }
    let home = context.client.home();
    let paths = create(home)?;
    let log = paths.daemon_log();
    let launch = Launch {
        home: home.directory.clone(),
        daemon: role(home, Vec::new(), Place::Background).arguments(),
    };
    let started = start_detached(&launch, &log).and_then(|starting| starting.wait(READY_WITHIN));
    match started {
        Ok(()) => Ok(true),
        // Somebody else was quicker: two `abide up` at once.
        Err(error) => match context.client.daemon().await {
            Ok(_) => Ok(false),
            Err(_) => Err(failure(error, home)),
        },
    }
}

/// `abide daemon`: this process becomes the keeper. Returns only when it cannot.
pub(super) fn foreground(home: &Home, args: &DaemonArgs, manager: &Manager) -> Answer {
    let paths = create(home)?;
    let files = super::files::absolute(&args.files)?;
    let managed = args.managed.managed;
    let role = role(home, files, Place::Foreground { managed });
    let error = manager.keep(&role, &paths.daemon_log());
    Err(failure(StartError::Io(error), home))
}

/// `abide host`: this process becomes the keeper of a home that has one unit. Returns only when it cannot.
pub(super) fn host(home: &Home, unit: &HostedUnit, managed: bool, manager: &Manager) -> Answer {
    let paths = create(home)?;
    let files = vec![unit.file.clone()];
    let role = Role {
        hosted: Some(unit.name.clone()),
        ..role(home, files, Place::Foreground { managed })
    };
    let error = manager.keep(&role, &paths.daemon_log());
    Err(failure(StartError::Io(error), home))
}

fn create(home: &Home) -> Result<Paths, Failure> {
    let paths = Paths::new(home.directory.clone());
    paths.create().map_err(|error| {
        let text = format!("cannot {}", crate::failure::plain(&error));
        let mut failure = Failure::new(text);
        failure.split_help();
        if failure.help.is_none() {
            failure.help = Some("choose another one with --home DIR".to_owned());
        }
        failure
    })?;
    Ok(paths)
}

/// Where a daemon runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Background,
    Foreground { managed: bool },
}

fn role(home: &Home, files: Vec<PathBuf>, place: Place) -> Role {
    Role {
        home: home.directory.clone(),
        foreground: place != Place::Background,
        managed: place == Place::Foreground { managed: true },
        notify: None,
        hosted: None,
        files,
    }
}

fn failure(error: StartError, home: &Home) -> Failure {
    let text = match &error {
        StartError::Refused(words) => words.trim().to_owned(),
        _ => format!("cannot {error}"),
    };
    let mut failure = Failure::new(text);
    failure.split_help();
    if failure.help.is_none() {
        failure.help = Some(format!(
            "{} has more",
            home.directory.join("daemon.log").display()
        ));
    }
    failure
}
