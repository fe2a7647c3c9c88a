use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Halt, Io, OsState, Usage};
use crate::identity::{Stat, stat_of};
use crate::kernel_file;
use crate::limits::{Controller, Site, Version};
use crate::tree::{RunTree, number, number_in, pids, read_tag, value};

/// What each of these runs uses now, in the same order. One look at the system for all of them: the
/// members of control groups, and all processes if some of the runs have none.
#[must_use]
pub fn sample(runs: &[RunTree]) -> Vec<Usage> {
    let nothing = Usage {
        io: Some(Io::default()),
        ..Usage::default()
    };
    let mut usages = vec![nothing; runs.len()];
    let mut ungrouped: Vec<usize> = Vec::new();
    let mut by_session: HashMap<i32, usize> = HashMap::new();
    for (at, (run, usage)) in runs.iter().zip(&mut usages).enumerate() {
        match run.group_members() {
            Some(members) => {
                for pid in members {
                    if let Some(stat) = stat_of(pid) {
                        add(usage, pid, &stat, run.main() == Some(pid));
                    }
                }
            }
            None => {
                ungrouped.push(at);
                if let Some(leader) = run.leader().and_then(|pid| i32::try_from(pid).ok()) {
                    by_session.insert(leader, at);
                }
            }
        }
    }
    if !ungrouped.is_empty() {
        for pid in pids() {
            let Some(stat) = stat_of(pid) else { continue };
            // Most processes are in their run's own session; only the others' tags have to be read.
            let owner = by_session.get(&stat.session).copied().or_else(|| {
                let tag = read_tag(pid).filter(|tag| tag.is_one())?;
                ungrouped.iter().copied().find(|at| {
                    runs.get(*at)
                        .is_some_and(|run| run.has_member(stat.session, || Some(tag)))
                })
            });
            if let Some((run, usage)) =
                owner.and_then(|at| Some((runs.get(at)?, usages.get_mut(at)?)))
            {
                add(usage, pid, &stat, run.main() == Some(pid));
            }
        }
    }
    for (run, usage) in runs.iter().zip(&mut usages) {
        counted(run, usage);
    }
    usages
}

fn add(usage: &mut Usage, pid: u32, stat: &Stat, main: bool) {
    let state = os_state(stat.state);
    if main {
        usage.state = state;
    }
    if stat.state == b'X' || (state == Some(OsState::Zombie) && !main) {
        return;
    }
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let nanoseconds = stat.ticks.saturating_mul(1_000_000_000 / ticks);
    usage.cpu += Duration::from_nanos(nanoseconds);
    usage.memory += stat
        .resident
        .saturating_mul(rustix::param::page_size() as u64);
    usage.processes += 1;
    // A sum without some of its parts would be a wrong figure.
    usage.io = usage.io.zip(io_of(pid)).map(|(sum, io)| Io {
        read: sum.read + io.read,
        written: sum.written + io.written,
    });
}

/// proc_pid_io(5). `None`: it may not be seen. A process that has ended has used nothing.
fn io_of(pid: u32) -> Option<Io> {
    let text = match kernel_file::text(Path::new(&format!("/proc/{pid}/io"))) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Some(Io::default()),
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => return Some(Io::default()),
        Err(_) => return None,
    };
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
    };
    Some(Io {
        read: value("read_bytes:")?,
        written: value("write_bytes:")?,
    })
}

/// What the run's control groups count is exact, and covers processes that have ended.
fn counted(run: &RunTree, usage: &mut Usage) {
    if let Some(Site { version, path }) = run.counted(Controller::Cpu) {
        let stat = kernel_file::text(&path.join("cpu.stat")).unwrap_or_default();
        let cpu = match version {
            Version::V2 => number_in(&stat, "usage_usec").map(Duration::from_micros),
            Version::V1 => value(&path, "cpuacct.usage").map(Duration::from_nanos),
        };
        usage.cpu = cpu.unwrap_or(usage.cpu);
        usage.throttled = match version {
            Version::V2 => number_in(&stat, "throttled_usec").map(Duration::from_micros),
            Version::V1 => number_in(&stat, "throttled_time").map(Duration::from_nanos),
        };
    }
    if let Some(Site { version, path }) = run.counted(Controller::Memory) {
        let (file, droppable) = match version {
            Version::V2 => ("memory.current", "inactive_file"),
            Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
        };
        if let Some(all) = value(&path, file) {
            let droppable = number(&path, "memory.stat", droppable).unwrap_or(0);
            usage.memory = all.saturating_sub(droppable);
        }
    }
    if let Some(Site { version, path }) = run.counted(Controller::Io) {
        let io = match version {
            Version::V2 => fs::read_to_string(path.join("io.stat")).map(|text| io_of_v2(&text)),
            Version::V1 => fs::read_to_string(path.join("blkio.throttle.io_service_bytes"))
                .map(|text| io_of_v1(&text)),
        };
        usage.io = io.map_or(usage.io, Some);
    }
}

/// Lines "8:0 rbytes=90112 wbytes=0 rios=4 …".
fn io_of_v2(text: &str) -> Io {
    let sum = |key: &str| {
        let words = text.split_ascii_whitespace();
        let values = words.filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        values.filter_map(|value| value.parse::<u64>().ok()).sum()
    };
    Io {
        read: sum("rbytes"),
        written: sum("wbytes"),
    }
}

/// Lines "8:0 Read 90112", and a total without a device.
fn io_of_v1(text: &str) -> Io {
    let sum = |key: &str| {
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            (words.next()? == key).then(|| words.next()?.parse::<u64>().ok())?
        });
        lines.sum()
    };
    Io {
        read: sum("Read"),
        written: sum("Write"),
    }
}

/// What keeps this process from going on, if anything does.
#[must_use]
pub fn halt(pid: u32) -> Option<Halt> {
    match stat_of(pid)?.state {
        b'T' => Some(Halt::Stopped),
        b't' => {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let tracer = status.lines().find_map(|l| l.strip_prefix("TracerPid:"));
            let by = tracer.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0);
            Some(Halt::Traced { by })
        }
        b'D' => {
            let channel = fs::read_to_string(format!("/proc/{pid}/wchan")).ok();
            // "0" when it waits for nothing, or this may not be seen.
            let function = channel.filter(|name| !name.is_empty() && name != "0");
            Some(Halt::Blocked { function })
        }
        _ => None,
    }
}

/// The letter of proc_pid_stat(5).
fn os_state(letter: u8) -> Option<OsState> {
    Some(match letter {
        b'R' => OsState::Running,
        b'S' | b'I' => OsState::Sleeping,
        b'D' => OsState::Blocked,
        b'T' | b't' => OsState::Stopped,
        b'Z' | b'X' => OsState::Zombie,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_devices_are_added_up() {
        let v2 =
            "253:0 rbytes=4096 wbytes=10 rios=1 wios=1 dbytes=0 dios=0\n8:0 rbytes=1 wbytes=2\n";
        assert_eq!(
            io_of_v2(v2),
            Io {
                read: 4097,
                written: 12
            }
        );
        let v1 = "253:0 Read 4096\n253:0 Write 10\n253:0 Total 4106\n8:0 Read 1\n8:0 Write 2\nTotal 4109\n";
        assert_eq!(io_of_v1(v1), io_of_v2(v2));
        assert_eq!(io_of_v1("Total 0\n"), Io::default());
    }
}
