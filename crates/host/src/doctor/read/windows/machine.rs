//! The machine, and a home.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use abide_platform::account::Account;
use abide_platform::{machine as platform, registry};

use super::files;
use crate::Error;
use crate::doctor::machine::{Clock, Disk, Folder, Kernel, Machine, Use};
use crate::doctor::scm::access::CHANGE_FOLDER;

/// Reads what there is of the machine and of this home. What cannot be read is not judged.
///
/// # Errors
/// None.
pub fn machine(home: &Path) -> Result<Machine, Error> {
    Ok(Machine {
        home: home.to_owned(),
        socket: None,
        long_paths: long_paths(),
        home_folder: folder(home),
        disk: disk(home),
        clock: clock(home),
        kernel: kernel(),
    })
}

/// Whose it is, and who else may write to it; `None`: it is not there, or may not be looked at.
fn folder(home: &Path) -> Option<Folder> {
    let node = files::thing(home).way.pop()?;
    let security = node.security?;
    let name = |sid: &str| {
        let name = abide_platform::account::name_of(sid).ok().flatten();
        name.unwrap_or_else(|| sid.to_owned())
    };
    let own = Account::own().ok();
    let own: Vec<&str> = own.iter().map(Account::sid).collect();
    // An abide of the machine's is administered by all of them.
    let is_owned = |sid: &str| own.contains(&sid) || ["S-1-5-32-544", "S-1-5-18"].contains(&sid);
    let strangers = security.strangers(CHANGE_FOLDER, &own);
    let owner = security.owner.filter(|owner| !is_owned(owner));
    Some(Folder::List {
        changers: strangers
            .iter()
            .filter(|sid| Some(*sid) != owner.as_ref())
            .map(|sid| name(sid))
            .collect(),
        other_owner: owner.map(|owner| name(&owner)),
    })
}

/// Programs that are prepared for it may use paths of more than 259 characters.
fn long_paths() -> Option<bool> {
    const KEY: &str = r"SYSTEM\CurrentControlSet\Control\FileSystem";
    match registry::value(KEY, "LongPathsEnabled") {
        Ok(Some(registry::Value::Number(number))) => Some(number != 0),
        Ok(None) => Some(false),
        _ => None,
    }
}

/// The disk that a path is on, or will be.
fn disk(path: &Path) -> Option<Disk> {
    let there = path.ancestors().find(|path| path.exists())?;
    let volume = platform::volume(there).ok()?;
    let root = volume.root.display().to_string();
    Some(Disk {
        free: volume.free,
        free_files: None,
        read_only: volume.read_only,
        network: volume.remote.then_some(root),
    })
}

fn clock(home: &Path) -> Clock {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    };
    let dated = [
        std::env::current_exe().ok(),
        std::env::var_os("SystemRoot").map(|root| PathBuf::from(root).join(r"System32\config")),
        Some(home.join("state")),
    ];
    let newest = dated
        .into_iter()
        .flatten()
        .filter_map(|path| fs::metadata(path).ok()?.modified().ok())
        .map(seconds)
        .max();
    Clock {
        now: seconds(SystemTime::now()),
        newest: newest.unwrap_or_default(),
    }
}

fn kernel() -> Kernel {
    let memory = platform::memory().ok();
    Kernel {
        memory: memory.map(|memory| (memory.available, memory.all)),
        commit: memory.map(|memory| Use {
            used: memory.commit_limit.saturating_sub(memory.commit_left),
            of: memory.commit_limit,
        }),
        ..Kernel::default()
    }
}
