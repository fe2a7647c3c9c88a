//! Controllers for the groups of units (cgroups(7), "no internal processes").
//!
//! ```text
//!  PARENT               where abide was started: gives its controllers to the groups below it, but
//!    │                  (unless it is the system's root) only if no process is directly in it
//!    └─ abide-HOME
//!         ├─ keeper     so the keeper and the daemon go here, if they are in the way
//!         ├─ unit-web
//!         └─ unit-db
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::group::{make_directory, members, remove};
use crate::limits::Controller;

/// The group that keeper and daemon move to, inside the home's.
pub(super) const KEEPER: &str = "keeper";

/// How often new processes are looked for before moving them is given up.
const ROUNDS: usize = 5;

/// Has `home`'s parent give this controller to `home`, and `home` to its units. Errors: why not.
pub(super) fn provide(home: &Path, controller: Controller) -> Result<(), String> {
    let name = controller.v2();
    if is_passed_on(home, controller) {
        return Ok(());
    }
    let parent = home.parent().unwrap_or(home);
    if !lists(&home.join("cgroup.controllers"), name) {
        if !lists(&parent.join("cgroup.controllers"), name) {
            return Err(format!(
                "the {name} controller of cgroup v2 is not available in {}",
                parent.display()
            ));
        }
        match enable(parent, name) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                make_room(parent, &home.join(KEEPER))?;
                enable(parent, name).map_err(|e| refused(parent, name, &e))?;
            }
            result => result.map_err(|e| refused(parent, name, &e))?,
        }
    }
    enable(home, name).map_err(|e| refused(home, name, &e))
}

/// Whether `home` gives this controller to its units.
pub(super) fn is_passed_on(home: &Path, controller: Controller) -> bool {
    lists(&home.join("cgroup.subtree_control"), controller.v2())
}

fn refused(group: &Path, name: &str, error: &io::Error) -> String {
    format!(
        "the {name} controller cannot be passed on by {}: {error}",
        group.display()
    )
}

fn lists(file: &Path, controller: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().any(|word| word == controller)
}

fn enable(group: &Path, controller: &str) -> io::Result<()> {
    fs::write(
        group.join("cgroup.subtree_control"),
        format!("+{controller}"),
    )
}

/// Moves abide's own processes out of the parent. Errors: who else is there.
fn make_room(parent: &Path, leaf: &Path) -> Result<(), String> {
    make_directory(leaf).map_err(|e| format!("make the group {}: {e}", leaf.display()))?;
    let program = |pid: &str| {
        let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
        Some((file.dev(), file.ino()))
    };
    let own = program("self");
    for _ in 0..ROUNDS {
        let there = members(parent);
        if there.is_empty() {
            return Ok(());
        }
        for pid in there {
            // The keeper, the daemon, and the `abide up` that waits for them.
            if own.is_none() || program(&pid.to_string()) != own {
                return Err(in_the_way(parent, pid));
            }
            match fs::write(leaf.join("cgroup.procs"), pid.to_string()) {
                // It has ended meanwhile.
                Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
                result => {
                    result.map_err(|e| format!("move process {pid} to {}: {e}", leaf.display()))?
                }
            }
        }
    }
    Err(format!("processes keep coming in {}", parent.display()))
}

fn in_the_way(parent: &Path, pid: u32) -> String {
    let who = match pid {
        0 => "a process from outside of this container".to_owned(),
        _ => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {pid} ({})", name.trim_end())
        }
    };
    format!(
        "{who} is in {} itself, and a group with processes of its own passes no controllers on; start abide in a \
         group of its own, as with `systemd-run --scope -p Delegate=yes abide up`",
        parent.display()
    )
}

/// The other way round, as far as it was done, so that the home's group can be removed.
pub(super) fn give_back(home: &Path) {
    let leaf = home.join(KEEPER);
    if !leaf.is_dir() {
        return;
    }
    let Some(parent) = home.parent() else { return };
    for group in [home, parent] {
        for controller in Controller::ALL {
            let off = format!("-{}", controller.v2());
            // One that is off already, or that somebody else's group there uses.
            let _ = fs::write(group.join("cgroup.subtree_control"), off);
        }
    }
    for pid in members(&leaf) {
        // What does not go back keeps the group, which is found again.
        let _ = fs::write(parent.join("cgroup.procs"), pid.to_string());
    }
    remove(&leaf);
}

/// Where an abide that finds itself in `own` was started: a keeper may have moved there.
pub(super) fn before_the_move(own: PathBuf) -> PathBuf {
    let home = own.parent().filter(|home| {
        let name = home.file_name().map(|name| name.to_string_lossy());
        own.ends_with(KEEPER) && name.is_some_and(|name| name.starts_with("abide-"))
    });
    home.and_then(Path::parent)
        .map_or(own.clone(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abide_that_has_moved_knows_where_it_came_from() {
        let before = |path: &str| before_the_move(path.into());
        assert_eq!(
            before("/g/user.scope/abide-12345/keeper"),
            Path::new("/g/user.scope")
        );
        assert_eq!(before("/g/keeper"), Path::new("/g/keeper"));
        assert_eq!(
            before("/g/abide-12345/unit-keeper"),
            Path::new("/g/abide-12345/unit-keeper")
        );
    }
}
