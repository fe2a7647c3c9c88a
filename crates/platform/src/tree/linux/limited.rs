//! The control groups of a run as far as they limit it, and tell what it uses.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;

use abide_model::{CgroupLimits, LimitUnsupported};
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{RunTree, legacy};
use crate::kernel_file;
use crate::limits::{self, Controller, OutOfMemory, Site, Version};

/// Where a child is to be born.
#[derive(Default)]
pub(crate) struct Place {
    /// Its group of v2.
    pub directory: Option<OwnedFd>,
    /// `cgroup.procs` of its groups of v1.
    pub legacy: Vec<OwnedFd>,
    pub unsupported: Vec<LimitUnsupported>,
}

impl RunTree {
    /// Makes its groups and sets the limits of the tree.
    pub(crate) fn enter(&self, limits: &CgroupLimits) -> io::Result<Place> {
        let mut place = Place::default();
        // Those of the run before: the figures of this one begin at zero, and it may need others.
        self.0.groups.legacy.discard(&self.0.slot);
        crate::fault::point("spawn.group");
        let home = self.0.groups.unified.as_ref().ok();
        if let (Some(home), Some(path)) = (home, &self.0.group) {
            // Once: asked a second time, it is gone.
            let made = self.0.made.swap(false, Ordering::Relaxed);
            let (directory, fresh) = home.enter(path, made)?;
            place.directory = Some(directory);
            if !fresh {
                limits::lift(path);
            }
        }
        for controller in limits::wanted(limits) {
            match self.provide(controller, &mut place.legacy) {
                Ok(site) => place
                    .unsupported
                    .extend(limits::set(&site, controller, limits)),
                Err(reason) => {
                    let named = controller.limits(limits).into_iter();
                    place
                        .unsupported
                        .extend(named.map(|limit| LimitUnsupported {
                            limit: limit.to_owned(),
                            reason: reason.clone(),
                        }));
                }
            }
        }
        Ok(place)
    }

    /// Where this controller can be told its limits: in the run's group of v2, else in one of v1, whose
    /// list of processes goes to `entered`. Errors: why nowhere, in words.
    fn provide(&self, controller: Controller, entered: &mut Vec<OwnedFd>) -> Result<Site, String> {
        let reason = match (&self.0.groups.unified, &self.0.group) {
            (Ok(home), Some(path)) => match home.provide(controller) {
                Ok(()) => {
                    return Ok(Site {
                        version: Version::V2,
                        path: path.clone(),
                    });
                }
                Err(reason) => reason,
            },
            (Ok(_), None) => "this run has no control group".to_owned(),
            (Err(reason), _) => format!("no control group can be made ({reason})"),
        };
        let path = match self.0.groups.legacy.slot(controller, &self.0.slot) {
            None => return Err(reason),
            Some(Err(why)) => return Err(bound_to_v1(controller, why)),
            Some(Ok(path)) => path,
        };
        let procs = legacy::make(&path).and_then(|()| open_procs(&path));
        let procs =
            procs.map_err(|e| bound_to_v1(controller, &format!("{}: {e}", path.display())))?;
        entered.push(procs);
        Ok(Site {
            version: Version::V1,
            path,
        })
    }

    /// The group in which this controller counts the run. `None`: nowhere.
    pub(crate) fn counted(&self, controller: Controller) -> Option<Site> {
        let (telling, version) = match controller {
            Controller::Memory => ("memory.current", "memory.usage_in_bytes"),
            Controller::Cpu => ("cpu.stat", "cpuacct.usage"),
            Controller::Processes => ("pids.current", "pids.current"),
            Controller::Io => ("io.stat", "blkio.throttle.io_service_bytes"),
        };
        let home = self.0.groups.unified.as_ref();
        if let Some(path) = &self.0.group
            && home.is_ok_and(|home| home.may_count(controller))
            && path.join(telling).exists()
        {
            return Some(Site {
                version: Version::V2,
                path: path.clone(),
            });
        }
        let path = self.0.groups.legacy.slot(controller, &self.0.slot)?.ok()?;
        path.join(version).exists().then_some(Site {
            version: Version::V1,
            path,
        })
    }

    /// Whether the kernel has ended processes of this run for want of memory. Reads a few small files
    /// of the kernel's; the run's groups are there until the next run of the unit.
    #[must_use]
    pub fn out_of_memory(&self) -> Option<OutOfMemory> {
        let Site { version, path } = self.counted(Controller::Memory)?;
        let (events, met, limit) = match version {
            Version::V2 => (
                "memory.events",
                number(&path, "memory.events", "oom"),
                "memory.max",
            ),
            Version::V1 => {
                // Memory and swap together have the same limit, and either may be met first.
                let failed = ["memory.failcnt", "memory.memsw.failcnt"];
                let failed = failed.into_iter().filter_map(|file| value(&path, file));
                (
                    "memory.oom_control",
                    Some(failed.sum()),
                    "memory.limit_in_bytes",
                )
            }
        };
        let killed = number(&path, events, "oom_kill").filter(|killed| *killed > 0)?;
        let limit = match met {
            Some(met) if met > 0 => value(&path, limit),
            _ => None,
        };
        Some(OutOfMemory { killed, limit })
    }
}

/// The number in a file of one.
pub(crate) fn value(group: &Path, file: &str) -> Option<u64> {
    let text = kernel_file::text(&group.join(file)).ok()?;
    text.trim().parse().ok()
}

/// The number after this word, in a file of lines "WORD NUMBER".
pub(crate) fn number(group: &Path, file: &str, word: &str) -> Option<u64> {
    number_in(&kernel_file::text(&group.join(file)).ok()?, word)
}

/// The same, of such a file's text.
pub(crate) fn number_in(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == word).then(|| value.trim().parse().ok())?
    })
}

fn open_procs(group: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(openat(
        CWD,
        group.join("cgroup.procs"),
        flags,
        Mode::empty(),
    )?)
}

fn bound_to_v1(controller: Controller, why: &str) -> String {
    format!(
        "the {} controller is bound to cgroup v1 on this machine, and {why}; boot with \
         systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=all to have it in cgroup v2",
        controller.v1()
    )
}
