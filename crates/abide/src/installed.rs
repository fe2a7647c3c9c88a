//! Services of the operating system that `abide install` has made: reached, and forgotten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use abide_daemon::installed::{Installed, Shelf};
use abide_host::{Error, Kind, Manager, Scope};

use crate::failure::Failure;
use crate::home::Home;

/// The file in which a service of Windows that could not begin says why: in the folder of its note, or in its home.
pub const WHY_NOT: &str = "why-not.txt";

/// Longer reasons are cut.
const LONGEST_REASON: usize = 4096;

/// Why the service could not begin when it was last started, if it said that.
#[must_use]
pub fn why_not(service: &Installed) -> Option<String> {
    let text = places_of_reason(service)
        .iter()
        .find_map(|place| fs::read(place).ok())?;
    let text = text.get(..LONGEST_REASON).unwrap_or(&text);
    let text = String::from_utf8_lossy(text);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// It is started anew: what it said before is no more so.
pub fn forget_why_not(service: &Installed) {
    for place in places_of_reason(service) {
        // Mostly there is none. Who may not remove it may not start the service either.
        let _none = fs::remove_file(place);
    }
}

fn places_of_reason(service: &Installed) -> [PathBuf; 2] {
    [&service.directory, &service.note.home].map(|folder| folder.join(WHY_NOT))
}

/// Where services of this scope are noted.
///
/// # Errors
/// A user without HOME.
pub fn shelf(scope: Scope) -> Result<Shelf, Failure> {
    Shelf::of(scope).ok_or_else(|| {
        Failure::usage("cannot tell where this user's services are: HOME is not set".to_owned())
    })
}

/// The manager that has it.
///
/// # Errors
/// It is not here any more.
pub fn manager(service: &Installed) -> Result<Manager, Error> {
    let kind: Kind = service.note.manager.parse().map_err(Error::Invalid)?;
    Manager::of(kind, service.scope)
}

/// The home that it serves.
#[must_use]
pub fn home(service: &Installed) -> Home {
    Home {
        directory: service.note.home.clone(),
        named: true,
    }
}

/// Forgets it; with its home too, if that is there for it alone.
///
/// # Errors
/// What cannot be removed.
pub fn forget(service: &Installed, with_home: bool) -> Result<(), Failure> {
    let remove = |path: &Path| match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Failure::new(format!(
            "cannot remove {}: {e}",
            path.display()
        ))),
        _ => Ok(()),
    };
    let shelf = shelf(service.scope)?;
    let own_home = service.note.home == shelf.homes.join(&service.name);
    if with_home && own_home && service.note.unit.is_some() {
        remove(&service.note.home)?;
        remove_empty(&shelf.homes);
    }
    remove(&service.directory)?;
    remove_empty(&shelf.notes);
    Ok(())
}

/// Removes folders that are left without anything in them: that of services, and abide's own.
fn remove_empty(shelf: &Path) {
    for directory in shelf.ancestors().take(2) {
        // Whatever is in it stays.
        let _ = fs::remove_dir(directory);
    }
}
