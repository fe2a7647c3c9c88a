//! Why abide could not begin as a service, for whoever administers it: nobody sees the standard error of a service, and
//! its manager has a number for it and no words.
//!
//! It goes to the Event Log, under the service's own source, and to a file that `abide start` and `abide status` show:
//! beside the service's note, or else in its home, where this account may write.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use abide_host::log::eventlog;
use abide_platform::event_log::Source;

use crate::installed::{self, WHY_NOT};

/// Says it wherever it can be said.
pub fn tell(service: &OsStr, home: Option<&Path>, why: &str) {
    let name = service.to_string_lossy();
    let report = eventlog::not_begun(&name, why);
    // The file says it, too.
    let _unsaid = Source::open(&name)
        .and_then(|source| source.report(report.kind, report.id, &report.strings));
    for place in places(&name, home) {
        if fs::write(place, why).is_ok() {
            break;
        }
    }
}

/// It begins now: what was said of an earlier start is no more so.
pub fn forget(service: &OsStr, home: &Path) {
    for place in places(&service.to_string_lossy(), Some(home)) {
        // Mostly there is none; one that is not ours to remove says when it was written.
        let _none = fs::remove_file(place);
    }
}

/// In the order in which they are tried. A folder that is not there is not made for it.
fn places(name: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let noted = abide_daemon::installed::find(name);
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(noted) = &noted {
        folders.push(noted.directory.clone());
        folders.push(installed::home(noted).directory);
    }
    folders.extend(home.map(Path::to_owned));
    folders.iter().map(|folder| folder.join(WHY_NOT)).collect()
}
