use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use abide_model::{RunId, UnitId};
use rustix::fs::CWD;

use super::{Figures, Halt, Io, OsState, Usage};
use crate::identity::{Stat, parse_stat, stat_of};
use crate::kernel_file;
use crate::limits::{Controller, Site, Version};
use crate::tree::{RunTree, Scratch, Survey, number, number_in, pids, read_tag, value};

/// One look at the system for many runs. What they have in common is read when it begins: how the home's
/// control groups are laid out, and all processes if some of the runs have no group.
#[derive(Debug)]
pub struct Look {
    survey: Option<Survey>,
    /// Of the runs that have no control group.
    ungrouped: HashMap<(UnitId, RunId), Usage>,
}

/// Memory that a [`Look`] uses again from run to run.
#[derive(Default, Debug)]
pub struct Desk {
    scratch: Scratch,
    path: String,
}

impl Look {
    /// Begins to look at these runs, which are of one home. Blocks.
    #[must_use]
    pub fn begin<'r>(runs: impl IntoIterator<Item = &'r RunTree>, figures: Figures) -> Self {
        let mut survey = None;
        let mut ungrouped = Vec::new();
        for run in runs {
            if run.is_grouped() {
                survey.get_or_insert_with(|| Survey::begin(run));
            } else {
                ungrouped.push(run);
            }
        }
        // Whether a share of a CPU is wanted of a run may be known only when it is asked for; the time is read anyway.
        let figures = Figures {
            cpu: true,
            ..figures
        };
        Self {
            survey,
            ungrouped: in_proc(&ungrouped, figures),
        }
    }

    /// What one of the runs uses. Blocks.
    #[must_use]
    pub fn at(&self, run: &RunTree, figures: Figures, desk: &mut Desk) -> Usage {
        let members = self
            .survey
            .as_ref()
            .and_then(|survey| survey.members(run, &mut desk.scratch));
        let mut usage = match members {
            Some(members) => {
                let mut usage = nothing(figures);
                for pid in members {
                    if let Some(stat) = desk.stat(pid) {
                        add(&mut usage, pid, &stat, run.main() == Some(pid));
                    }
                }
                usage
            }
            None => {
                let found = self.ungrouped.get(&(run.unit(), run.run()));
                found.copied().unwrap_or_else(|| nothing(figures))
            }
        };
        self.counted(run, figures, &mut usage, desk);
        usage
    }

    /// What the run's control groups count is exact, and covers processes that have ended.
    fn counted(&self, run: &RunTree, figures: Figures, usage: &mut Usage, desk: &mut Desk) {
        let counts = |controller| {
            let survey = self.survey.as_ref();
            survey.is_none_or(|survey| survey.counts(run, controller))
        };
        if figures.cpu {
            self.counted_cpu(run, usage, desk);
        }
        if counts(Controller::Memory)
            && let Some(Site { version, path }) = run.counted(Controller::Memory)
        {
            let (file, droppable) = match version {
                Version::V2 => ("memory.current", "inactive_file"),
                Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
            };
            if let Some(all) = value(&path, file) {
                let droppable = number(&path, "memory.stat", droppable).unwrap_or(0);
                usage.memory = all.saturating_sub(droppable);
            }
        }
        if figures.io
            && counts(Controller::Io)
            && let Some(Site { version, path }) = run.counted(Controller::Io)
        {
            let io = match version {
                Version::V2 => fs::read_to_string(path.join("io.stat")).map(|text| io_of_v2(&text)),
                Version::V1 => fs::read_to_string(path.join("blkio.throttle.io_service_bytes"))
                    .map(|text| io_of_v1(&text)),
            };
            usage.io = io.map_or(usage.io, Some);
        }
    }

    fn counted_cpu(&self, run: &RunTree, usage: &mut Usage, desk: &mut Desk) {
        let stat = self
            .survey
            .as_ref()
            .and_then(|survey| survey.file(run, "cpu.stat", &mut desk.scratch));
        if let Some(stat) = stat {
            let cpu = number_in(stat, "usage_usec").map(Duration::from_micros);
            usage.cpu = cpu.or(usage.cpu);
            usage.throttled = number_in(stat, "throttled_usec").map(Duration::from_micros);
        } else if let Some(Site { path, .. }) = run.counted(Controller::Cpu) {
            let cpu = value(&path, "cpuacct.usage").map(Duration::from_nanos);
            usage.cpu = cpu.or(usage.cpu);
            usage.throttled = number(&path, "cpu.stat", "throttled_time").map(Duration::from_nanos);
        }
    }
}

impl Desk {
    fn stat(&mut self, pid: u32) -> Option<Stat> {
        self.path.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.path, "/proc/{pid}/stat");
        kernel_file::bytes_at(CWD, Path::new(&self.path), &mut self.scratch.text).ok()?;
        parse_stat(&self.scratch.text)
    }
}

/// What each of these runs uses now, in the same order. Blocks.
#[must_use]
pub fn sample(runs: &[RunTree], figures: Figures) -> Vec<Usage> {
    let look = Look::begin(runs, figures);
    let mut desk = Desk::default();
    let runs = runs.iter();
    runs.map(|run| look.at(run, figures, &mut desk)).collect()
}

/// A run without a process.
fn nothing(figures: Figures) -> Usage {
    Usage {
        cpu: figures.cpu.then_some(Duration::ZERO),
        io: figures.io.then(Io::default),
        ..Usage::default()
    }
}

/// Looks at all processes for those of these runs.
fn in_proc(runs: &[&RunTree], figures: Figures) -> HashMap<(UnitId, RunId), Usage> {
    let key = |run: &RunTree| (run.unit(), run.run());
    let mut usages: HashMap<_, _> = runs
        .iter()
        .map(|run| (key(run), nothing(figures)))
        .collect();
    if runs.is_empty() {
        return usages;
    }
    let leader = |run: &&RunTree| run.leader().and_then(|pid| i32::try_from(pid).ok());
    let by_session: HashMap<i32, &RunTree> = runs
        .iter()
        .filter_map(|run| Some((leader(run)?, *run)))
        .collect();
    for pid in pids() {
        let Some(stat) = stat_of(pid) else { continue };
        // Most processes are in their run's own session; only the others' tags have to be read.
        let owner = by_session.get(&stat.session).copied().or_else(|| {
            let tag = read_tag(pid).filter(|tag| tag.is_one())?;
            let mut runs = runs.iter().copied();
            runs.find(|run| run.has_member(stat.session, || Some(tag)))
        });
        if let Some(run) = owner
            && let Some(usage) = usages.get_mut(&key(run))
        {
            add(usage, pid, &stat, run.main() == Some(pid));
        }
    }
    usages
}

/// Adds a process to those figures that the usage has.
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
    usage.cpu = usage.cpu.map(|cpu| cpu + Duration::from_nanos(nanoseconds));
    usage.memory += stat
        .resident
        .saturating_mul(rustix::param::page_size() as u64);
    usage.processes += 1;
    // A sum without some of its parts would be a wrong figure.
    usage.io = usage.io.and_then(|sum| {
        let io = io_of(pid)?;
        Some(Io {
            read: sum.read + io.read,
            written: sum.written + io.written,
        })
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
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::kernel_file::reads;
    use crate::tree::Trees;

    /// Runs of one process each (this one), in folders that look like their control groups.
    fn runs(home: &Path, n: usize) -> Vec<RunTree> {
        let all = format!("nr_descendants {n}\nnr_dying_descendants 0\n");
        fs::write(home.join("cgroup.stat"), all).unwrap();
        let trees = Trees::with_group(home);
        let run = |unit| {
            let name = format!("u{unit}").parse().unwrap();
            let run = trees.run(UnitId(unit), &name, RunId(1));
            let group = run.group().unwrap();
            fs::create_dir(&group).unwrap();
            let own = std::process::id();
            fs::write(group.join("cgroup.procs"), format!("{own}\n")).unwrap();
            fs::write(group.join("cpu.stat"), "usage_usec 5\n").unwrap();
            run.set_leader(own);
            run
        };
        (0..u32::try_from(n).unwrap()).map(run).collect()
    }

    #[test]
    fn what_a_run_costs_to_look_at_does_not_grow_with_their_number() {
        for (figures, each) in [(Figures::default(), 2), (Figures::ALL, 4)] {
            let read = [1, 10, 100].map(|n| {
                let home = tempfile::tempdir().unwrap();
                let runs = runs(home.path(), n);
                reads::during(|| assert_eq!(sample(&runs, figures).len(), n))
            });
            assert_eq!(read[1] - read[0], 9 * each, "{figures:?}");
            assert_eq!(read[2] - read[1], 90 * each, "{figures:?}");
        }
    }

    #[test]
    fn only_figures_that_were_asked_for_are_given() {
        let home = tempfile::tempdir().unwrap();
        let runs = runs(home.path(), 1);
        let few = sample(&runs, Figures::default());
        assert_eq!((few[0].cpu, few[0].io, few[0].processes), (None, None, 1));
        assert!(few[0].memory > 0 && few[0].state.is_some());
        let all = sample(&runs, Figures::ALL);
        assert_eq!(all[0].cpu, Some(Duration::from_micros(5)));
        assert!(all[0].io.is_some());
    }

    #[test]
    fn without_a_group_a_time_that_is_asked_for_late_is_there_too() {
        let home = tempfile::tempdir().unwrap();
        let trees = Trees::without_groups(home.path());
        let run = trees.run(UnitId(1), &"u1".parse().unwrap(), RunId(1));
        // A session of its own: that of this process may lie outside its pid namespace.
        let mut program = Command::new("setsid")
            .args(["sh", "-c", "echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = program.stdout.take().unwrap();
        said.read_exact(&mut [0]).unwrap();
        run.set_leader(program.id());
        let look = Look::begin([&run], Figures::default());
        let figures = Figures {
            cpu: true,
            ..Figures::default()
        };
        let usage = look.at(&run, figures, &mut Desk::default());
        program.kill().unwrap();
        program.wait().unwrap();
        assert!(usage.cpu.is_some() && usage.memory > 0 && usage.processes > 0);
    }

    #[test]
    fn processes_in_a_group_that_a_program_made_inside_its_own_are_counted() {
        let home = tempfile::tempdir().unwrap();
        let runs = runs(home.path(), 2);
        let inner = runs[0].group().unwrap().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("cgroup.procs"), "1\n").unwrap();
        fs::write(home.path().join("cgroup.stat"), "nr_descendants 3\n").unwrap();
        let both = sample(&runs, Figures::default());
        assert_eq!((both[0].processes, both[1].processes), (2, 1));
    }

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
