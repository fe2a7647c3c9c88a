//! `abide host`: one unit, for the operating system's service manager, in a home of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_config::Caller;
use abide_model::{Spec, UnitName};

use super::{Answer, files, launch};
use crate::args::HostArgs;
use crate::failure::Failure;
use crate::home::Home;
use crate::installed::{self, shelf};
use crate::managed::Manager;
use abide_daemon::installed::{HostedUnit, find as find_installed};

/// Becomes the keeper of a home that has only this unit. Returns only when it cannot.
pub(super) fn run(home: Option<Home>, args: &HostArgs, manager: &Manager) -> Answer {
    let noted = find_installed(&args.target);
    let (unit, own_home) = match noted.and_then(|service| {
        let home = installed::home(&service);
        Some((service.note.unit?, home))
    }) {
        Some((unit, home)) => (unit, home),
        None => {
            let unit = find(&args.target)?;
            let home = Home {
                directory: default_home(&unit)?,
                named: true,
            };
            (unit, home)
        }
    };
    if let Some(time) = start_time(&unit) {
        manager.needs(time);
    }
    let home = home.unwrap_or(own_home);
    launch::host(&home, &unit, args.managed.managed, manager)
}

/// How long the unit may take to be ready, and a little more. That its file cannot be read its daemon says.
fn start_time(unit: &HostedUnit) -> Option<Duration> {
    let spec = spec(&unit.file, unit.name.as_str(), files::caller().ok()?).ok()?;
    let ready = spec.policy.ready.as_ref()?;
    Some(ready.within.saturating_add(super::install::MARGIN))
}

/// Where a unit that was never installed has its home.
fn default_home(unit: &HostedUnit) -> Result<PathBuf, Failure> {
    let scope = if abide_platform::account::is_administrator() {
        abide_host::Scope::System
    } else {
        abide_host::Scope::User
    };
    Ok(shelf(scope)?.homes.join(service_name(&unit.name)))
}

/// A unit's name as managers take it.
#[must_use]
pub(super) fn service_name(unit: &UnitName) -> String {
    unit.as_str().replace(':', "-")
}

/// The unit that `FILE:UNIT` means, as the file has it now.
///
/// # Errors
/// There is no such file or unit, or the file has mistakes.
pub(super) fn find(target: &str) -> Result<HostedUnit, Failure> {
    let caller = files::caller()?;
    let (file, name) = split(target, &caller.directory).ok_or_else(|| {
        Failure::usage(format!("cannot find what {target:?} means")).help(
            "write FILE:UNIT, as in shop.toml:web; `abide install --name NAME -- PROGRAM` makes a service of a program",
        )
    })?;
    let spec = spec(&file, &name, caller)?;
    Ok(HostedUnit {
        file,
        name: base(&spec),
    })
}

/// At the first colon that has a file before it.
fn split(target: &str, directory: &Path) -> Option<(PathBuf, String)> {
    target.match_indices(':').find_map(|(at, _)| {
        let file = abide_config::source_name(Path::new(&target[..at]), directory);
        (at > 0 && file.is_file()).then(|| (file, target[at + 1..].to_owned()))
    })
}

/// Its spec; of instances the first one's.
///
/// # Errors
/// As for [`find`].
pub(super) fn spec(file: &Path, name: &str, mut caller: Caller) -> Result<Spec, Failure> {
    let file = [file.to_owned()];
    caller.environment = files::inherited(&file, &caller);
    caller.origins = false;
    let loaded = abide_config::load(&file, &caller);
    if loaded.diagnostics.has_errors() {
        let text = loaded.diagnostics.render(false);
        return Err(Failure::rendered(text, crate::failure::Code::Usage));
    }
    let is_meant = |spec: &&Spec| {
        let base = base(spec);
        base.as_str() == name || base.as_str().rsplit(':').next() == Some(name)
    };
    let found = loaded.specs().find(is_meant).cloned();
    found.ok_or_else(|| {
        let mut names: Vec<String> = loaded.specs().map(|spec| base(spec).to_string()).collect();
        names.dedup();
        Failure::usage(format!("{} has no unit called {name:?}", file[0].display()))
            .help(format!("it has {}", names.join(", ")))
    })
}

/// The name without the instance.
fn base(spec: &Spec) -> UnitName {
    let name = spec.name.as_str();
    let base = name.split('@').next().unwrap_or(name);
    // A part of a name that was one.
    base.parse().unwrap_or_else(|_| spec.name.clone())
}
