//! What is written into which file of a control group: Documentation/admin-guide/cgroup-v2.rst and
//! cgroup-v1/ of the kernel.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use abide_model::{CgroupLimits, LimitUnsupported};

/// The period over which a CPU share is counted, in microseconds (the kernel's default).
const PERIOD: f64 = 100_000.0;

/// A part of the kernel that limits one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Processes,
    Io,
}

impl Controller {
    pub(crate) const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Processes, Self::Io];

    /// What cgroup v2 calls it.
    pub(crate) fn v2(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Processes => "pids",
            Self::Io => "io",
        }
    }

    /// What cgroup v1 calls it.
    pub(crate) fn v1(self) -> &'static str {
        match self {
            Self::Io => "blkio",
            _ => self.v2(),
        }
    }

    /// The limits that it enforces, by their keys in the configuration, as far as they are wanted.
    pub(crate) fn limits(self, limits: &CgroupLimits) -> Vec<&'static str> {
        let named = |name, there: bool| there.then_some(name);
        match self {
            Self::Memory => vec![named("memory", limits.memory.is_some())],
            Self::Cpu => vec![named("cpu", limits.cpu.is_some())],
            Self::Processes => vec![named("processes", limits.processes.is_some())],
            Self::Io => vec![
                named("io_read", limits.io_read.is_some()),
                named("io_write", limits.io_write.is_some()),
            ],
        }
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The controllers that these limits need.
pub(crate) fn wanted(limits: &CgroupLimits) -> impl Iterator<Item = Controller> {
    Controller::ALL
        .into_iter()
        .filter(|controller| !controller.limits(limits).is_empty())
}

/// Which control groups a group is one of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A group in which a controller can be told its limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    pub version: Version,
    pub path: PathBuf,
}

/// Sets the limits of one controller. What cannot be had is returned with its reason.
pub(crate) fn set(
    site: &Site,
    controller: Controller,
    limits: &CgroupLimits,
) -> Vec<LimitUnsupported> {
    let mut unsupported = Vec::new();
    let mut keep = |limit: &str, result: Result<(), String>| {
        if let Err(reason) = result {
            let limit = limit.to_owned();
            unsupported.push(LimitUnsupported { limit, reason });
        }
    };
    match controller {
        Controller::Memory => {
            if let Some(bytes) = limits.memory {
                keep("memory", memory(site, bytes));
            }
        }
        Controller::Cpu => {
            if let Some(cpus) = limits.cpu {
                keep("cpu", cpu(site, cpus));
            }
        }
        Controller::Processes => {
            if let Some(n) = limits.processes {
                keep("processes", write(site, "pids.max", &n.to_string()));
            }
        }
        Controller::Io => {
            if let Some(rate) = limits.io_read {
                keep(
                    "io_read",
                    io(site, rate, "rbps", "blkio.throttle.read_bps_device"),
                );
            }
            if let Some(rate) = limits.io_write {
                keep(
                    "io_write",
                    io(site, rate, "wbps", "blkio.throttle.write_bps_device"),
                );
            }
        }
    }
    unsupported
}

/// Takes the limits off a group of v2 that an earlier run left.
pub(crate) fn lift(group: &Path) {
    for file in ["memory.max", "memory.swap.max", "cpu.max", "pids.max"] {
        let path = group.join(file);
        if path.exists() {
            // What stays is lower than what was asked for, and shows in the group.
            let _ = fs::write(path, "max");
        }
    }
}

fn write(site: &Site, file: &str, value: &str) -> Result<(), String> {
    let path = site.path.join(file);
    fs::write(&path, value).map_err(|e| format!("writing {value:?} to {}: {e}", path.display()))
}

/// Like [`write`], for files that not every kernel has.
fn write_if_there(site: &Site, file: &str, value: &str) -> Result<(), String> {
    if site.path.join(file).exists() {
        write(site, file, value)
    } else {
        Ok(())
    }
}

/// Swap is no way around the limit: a program that leaks is ended, and does not take the disk along.
fn memory(site: &Site, bytes: u64) -> Result<(), String> {
    let bytes = bytes.to_string();
    match site.version {
        Version::V2 => {
            write(site, "memory.max", &bytes)?;
            write_if_there(site, "memory.swap.max", "0")?;
            // All or nothing: a unit that lost one of its processes is neither up nor restarted.
            write_if_there(site, "memory.oom.group", "1")
        }
        Version::V1 => {
            write(site, "memory.limit_in_bytes", &bytes)?;
            // Memory and swap together.
            write_if_there(site, "memory.memsw.limit_in_bytes", &bytes)
        }
    }
}

fn cpu(site: &Site, cpus: f64) -> Result<(), String> {
    // At least what the kernel takes, 1 ms a period.
    let quota = (cpus * PERIOD).max(1000.0);
    match site.version {
        Version::V2 => write(site, "cpu.max", &format!("{quota:.0} {PERIOD:.0}")),
        Version::V1 => {
            write(site, "cpu.cfs_period_us", &format!("{PERIOD:.0}"))?;
            write(site, "cpu.cfs_quota_us", &format!("{quota:.0}"))
        }
    }
}

/// The rate is one for each device, since the kernel counts by device.
fn io(site: &Site, rate: u64, key: &str, file: &str) -> Result<(), String> {
    let devices = devices().map_err(|e| format!("look for block devices in {DEVICES}: {e}"))?;
    for device in devices {
        let done = match site.version {
            Version::V2 => write(site, "io.max", &format!("{device} {key}={rate}")),
            Version::V1 => write(site, file, &format!("{device} {rate}")),
        };
        // One that was taken out meanwhile needs no limit.
        if Path::new("/sys/dev/block").join(&device).exists() {
            done?;
        }
    }
    Ok(())
}

const DEVICES: &str = "/sys/block";

/// The numbers of all block devices that hold something, as `MAJOR:MINOR`. Partitions are not among
/// them: the kernel counts for the whole device.
fn devices() -> io::Result<Vec<String>> {
    let mut devices = Vec::new();
    let entries = match fs::read_dir(DEVICES) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(devices),
        result => result?,
    };
    for entry in entries {
        let read = |name: &str| fs::read_to_string(entry.as_ref().ok()?.path().join(name)).ok();
        // Loop devices without a file, drives without a disk.
        let empty = read("size").is_none_or(|size| size.trim() == "0");
        if let (Some(device), false) = (read("dev"), empty) {
            devices.push(device.trim().to_owned());
        }
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_controllers_that_a_limit_needs_are_asked_for() {
        assert_eq!(wanted(&CgroupLimits::default()).count(), 0);
        let limits = CgroupLimits {
            cpu: Some(0.5),
            io_write: Some(1000),
            ..CgroupLimits::default()
        };
        let controllers: Vec<_> = wanted(&limits).collect();
        assert_eq!(controllers, [Controller::Cpu, Controller::Io]);
        assert_eq!(Controller::Io.limits(&limits), ["io_write"]);
    }
}
