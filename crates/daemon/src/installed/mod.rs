//! Services of the operating system that `abide install` has made: what was noted of each.
//!
//! ```text
//!  /etc/abide/services/NAME/service.json    which manager, which home, which unit of which file
//!                          /unit.toml       the unit, if it was given on the command line
//!  /var/lib/abide/services/NAME/            the home of a unit that is hosted by itself
//! ```
//! A user's own lie in `$XDG_CONFIG_HOME/abide/services` and in the user's state directory; on Windows the machine's lie
//! in `%ProgramData%\abide\services` and `%ProgramData%\abide\hosted`.
//!
//! A unit that is hosted so is not kept by a daemon that has its file as well: it would run twice.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::{commands, places};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::{commands, places};

use std::fs;
use std::path::{Path, PathBuf};

use abide_host::Scope;
use abide_model::UnitName;
use serde::{Deserialize, Serialize};

/// Where services are noted, and where their homes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shelf {
    /// Of whom.
    pub scope: Scope,
    /// The notes.
    pub notes: PathBuf,
    /// The homes.
    pub homes: PathBuf,
}

/// One service, as it was installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Of whom.
    pub scope: Scope,
    /// What was noted.
    pub note: Note,
    /// Where that lies.
    pub directory: PathBuf,
}

/// What is noted of a service, as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The manager that has it.
    pub manager: String,
    /// The home that it serves.
    pub home: PathBuf,
    /// The unit that it hosts; null: it is the daemon of that home.
    pub unit: Option<HostedUnit>,
}

/// A unit, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostedUnit {
    /// The configuration file, absolute.
    pub file: PathBuf,
    /// Its full name in it, without an instance.
    pub name: UnitName,
}

impl Shelf {
    /// Of this scope; `None`: this user has no HOME, or there is no such service on this system.
    #[must_use]
    pub fn of(scope: Scope) -> Option<Self> {
        let (notes, homes) = places(scope)?;
        Some(Self {
            scope,
            notes,
            homes,
        })
    }

    /// The services that are noted here, by name.
    fn all(&self) -> Vec<Installed> {
        let entries = fs::read_dir(&self.notes).into_iter().flatten().flatten();
        let mut all: Vec<Installed> = entries
            .filter_map(|entry| self.find(entry.file_name().to_str()?))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn find(&self, name: &str) -> Option<Installed> {
        // A name is one folder, and not a way to elsewhere.
        if name.contains(['/', '\\', ':']) || name.starts_with('.') {
            return None;
        }
        let directory = self.notes.join(name);
        let text = fs::read_to_string(directory.join("service.json")).ok()?;
        Some(Installed {
            name: name.to_owned(),
            scope: self.scope,
            note: serde_json::from_str(&text).ok()?,
            directory,
        })
    }
}

/// The shelves that concern this user: their own before the machine's.
fn shelves() -> Vec<Shelf> {
    let root = abide_platform::machine::is_privileged();
    let own = (!root).then(|| Shelf::of(Scope::User)).flatten();
    own.into_iter().chain(Shelf::of(Scope::System)).collect()
}

/// The service of this name.
#[must_use]
pub fn find(name: &str) -> Option<Installed> {
    shelves().iter().find_map(|shelf| shelf.find(name))
}

/// All services that were installed here.
#[must_use]
pub fn all() -> Vec<Installed> {
    shelves().iter().flat_map(Shelf::all).collect()
}

/// The units of this file that services of the operating system host, with their services' names.
#[must_use]
pub fn hosted(file: &Path) -> Vec<(UnitName, String)> {
    let noted = all().into_iter().filter_map(|service| {
        let unit = service.note.unit.filter(|unit| unit.file == file)?;
        Some((unit.name, service.name))
    });
    let mut hosted: Vec<_> = noted.collect();
    for (name, words) in commands() {
        if let Some(unit) = unit_of(&words, file)
            && !hosted.iter().any(|(_, known)| *known == name)
        {
            hosted.push((unit, name));
        }
    }
    hosted
}

/// The service that the abide of this home is.
#[must_use]
pub fn serves(home: &Path) -> Option<String> {
    let noted = all().into_iter().find(|service| service.note.home == home);
    noted.map(|service| service.name).or_else(|| {
        let mut all = commands().into_iter();
        all.find_map(|(name, words)| (home_of(&words)? == home).then_some(name))
    })
}

/// The unit of this file that such an abide hosts: `abide --home HOME host … FILE:UNIT`.
fn unit_of(words: &[String], file: &Path) -> Option<UnitName> {
    let target = words
        .last()
        .filter(|_| words.iter().any(|word| word == "host"))?;
    let unit = target.strip_prefix(file.to_str()?)?.strip_prefix(':')?;
    unit.parse().ok()
}

/// The home of such an abide.
fn home_of(words: &[String]) -> Option<&Path> {
    let at = words.iter().position(|word| word == "--home")?;
    words.get(at + 1).map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_executes_tells_its_unit_and_its_home() {
        let words =
            r"C:\abide.exe --home C:\hosted\web host --control 128=reload C:\a.toml:shop:web";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let unit = unit_of(&words, Path::new(r"C:\a.toml")).expect("it hosts one");
        assert_eq!(unit.as_str(), "shop:web");
        assert_eq!(unit_of(&words, Path::new(r"C:\b.toml")), None);
        assert_eq!(home_of(&words), Some(Path::new(r"C:\hosted\web")));
        let daemon: Vec<String> = ["abide", "daemon", "/a.toml:web"].map(str::to_owned).into();
        assert_eq!(unit_of(&daemon, Path::new("/a.toml")), None);
    }
}
