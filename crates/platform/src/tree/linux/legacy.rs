//! Control groups v1: one hierarchy a controller, for limits and figures only. What belongs to a run
//! is never asked of them (see [`super::tag`]).
//!
//! A run gets a group in a hierarchy only if one of its limits needs that controller and v2 does not
//! have it. The groups are made below the one that abide itself is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::group::{make_directory, remove};
use crate::limits::Controller;

/// Set to `0`, no group is made in any v1 hierarchy.
const SWITCH: &str = "ABIDE_CGROUP_V1";

/// Where a home's groups go in each hierarchy.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    /// For each controller that is bound to v1: the home's group, or why there can be none.
    bases: Vec<(Controller, Result<PathBuf, String>)>,
}

impl Legacy {
    /// Looks where groups could be made, and makes none.
    pub(super) fn find(home: u64) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (own, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        let off = std::env::var_os(SWITCH).is_some_and(|value| value == "0");
        let bases = places(&own, &mounts)
            .into_iter()
            .map(|(controller, place)| {
                let base = place.and_then(|place| {
                    if off {
                        return Err(format!("groups of v1 are switched off ({SWITCH}=0)"));
                    }
                    // A hierarchy that is mounted to be read only says so here.
                    let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
                    match rustix::fs::access(&place, rights) {
                        Ok(()) => Ok(place.join(format!("abide-{home:05x}"))),
                        Err(e) => {
                            let why = io::Error::from(e);
                            Err(format!("a group in {}: {why}", place.display()))
                        }
                    }
                });
                (controller, base)
            });
        Self {
            bases: bases.collect(),
        }
    }

    /// The group of this name for this controller, whether it is there or not. `None`: the controller is not
    /// bound to v1. Errors: why there can be none, in words.
    pub(super) fn slot(&self, controller: Controller, slot: &str) -> Option<Result<PathBuf, &str>> {
        let (_, base) = self.bases.iter().find(|(c, _)| *c == controller)?;
        Some(match base {
            Ok(base) => Ok(base.join(slot)),
            Err(reason) => Err(reason),
        })
    }

    /// Some unit of the home has, or had, a group for this controller.
    pub(super) fn is_used(&self, controller: Controller) -> bool {
        let mut bases = self.bases.iter();
        bases.any(|(c, base)| *c == controller && base.as_ref().is_ok_and(|base| base.is_dir()))
    }

    /// Removes the groups of this name. One that is not empty stays.
    pub(super) fn discard(&self, slot: &str) {
        for base in self.bases() {
            remove(&base.join(slot));
        }
    }

    /// Removes everything that is empty.
    pub(super) fn remove(&self) {
        for base in self.bases() {
            remove(base);
        }
    }

    fn bases(&self) -> impl Iterator<Item = &Path> {
        self.bases
            .iter()
            .filter_map(|(_, base)| base.as_deref().ok())
    }
}

/// Makes a fresh group, and the home's if it is not there.
pub(super) fn make(path: &Path) -> io::Result<()> {
    remove(path);
    if let Some(base) = path.parent() {
        make_directory(base)?;
    }
    make_directory(path)
}

/// For each controller that is bound to v1: the directory of the group that this process is in.
/// `own` is `/proc/self/cgroup`, `mounts` is `/proc/self/mountinfo`.
fn places(own: &str, mounts: &str) -> Vec<(Controller, Result<PathBuf, String>)> {
    let mut places = Vec::new();
    for controller in Controller::ALL {
        let name = controller.v1();
        // cgroups(7): "5:cpu,cpuacct:/daemons"; v2 has an empty list.
        let group = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            controllers.split(',').any(|c| c == name).then_some(group)
        });
        let Some(group) = group else { continue };
        let mount = mounts.lines().find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut kind = after.split(' ');
            let (kind, options) = (kind.next()?, kind.nth(1)?);
            let mut fields = before.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            let bound = kind == "cgroup" && options.split(',').any(|o| o == name);
            bound.then_some((root, point, options))
        });
        places.push((
            controller,
            match mount {
                None => Err("its hierarchy is not mounted here".to_owned()),
                // A new group of it takes no process before its processors are set.
                Some((.., options)) if options.split(',').any(|o| o == "cpuset") => {
                    Err("it shares a hierarchy with cpuset, which is not supported".to_owned())
                }
                Some((root, point, _)) => {
                    let inside = Path::new(group).strip_prefix(root);
                    Ok(Path::new(point).join(inside.unwrap_or(Path::new(""))))
                }
            },
        ));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_each_hierarchy() {
        let own =
            "5:cpu,cpuacct:/\n4:memory:/user/1\n3:pids:/docker/abc/x\n1:name=systemd:/\n0::/\n";
        let mounts = "\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            39 31 0:36 /docker/abc /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let found = places(own, mounts);
        let path = |text: &str| Ok(PathBuf::from(text));
        assert_eq!(
            found,
            [
                (Controller::Memory, path("/sys/fs/cgroup/memory/user/1")),
                (Controller::Cpu, path("/sys/fs/cgroup/cpu,cpuacct/")),
                (Controller::Processes, path("/sys/fs/cgroup/pids/x")),
            ]
        );
        assert_eq!(places("0::/\n", mounts), []);
        let not_mounted = places("5:memory:/\n", "");
        assert!(matches!(
            not_mounted.as_slice(),
            [(Controller::Memory, Err(_))]
        ));
    }
}
