//! What `/proc` says of the processes below this one. Whoever leaves its parent becomes ours, since the
//! benchmark is a subreaper: so nothing that it started is ever out of its sight.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

use crate::clock;

/// A process as `/proc/PID/stat` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its name, at most 15 characters.
    pub name: String,
    /// It has ended, and nobody has waited for it.
    pub zombie: bool,
}

/// What a set of processes has used since each began.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// CPU time by pid, to 10 ms, threads that have ended included.
    processes: BTreeMap<u32, Duration>,
    /// By pid and thread: CPU time to the nanosecond, and context switches, voluntary and not.
    threads: BTreeMap<(u32, u32), (Duration, u64)>,
}

/// What was used between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// CPU time: exact, but for threads that have ended.
    pub cpu: Duration,
    /// Context switches of threads that live.
    pub switches: u64,
}

impl Used {
    /// What was used since an earlier look. A process that is new, or was not looked at, counts in full.
    #[must_use]
    pub fn since(&self, before: &Self) -> Cost {
        let mut cost = Cost::default();
        let mut exact: BTreeMap<u32, Duration> = BTreeMap::new();
        for (thread, (cpu, switches)) in &self.threads {
            let earlier = before.threads.get(thread).copied().unwrap_or_default();
            *exact.entry(thread.0).or_default() += cpu.saturating_sub(earlier.0);
            cost.switches += switches.saturating_sub(earlier.1);
        }
        for (pid, cpu) in &self.processes {
            let earlier = before.processes.get(pid).copied().unwrap_or_default();
            let whole = cpu.saturating_sub(earlier);
            let exact = exact.get(pid).copied().unwrap_or_default();
            // Its clock ticks are needed only for what ended threads have used.
            let ended = before
                .threads
                .keys()
                .any(|thread| thread.0 == *pid && !self.threads.contains_key(thread));
            cost.cpu += if ended { whole.max(exact) } else { exact };
        }
        cost
    }
}

/// Makes this process the parent of every orphan below it.
///
/// # Errors
/// The kernel refuses.
pub fn adopt_orphans() -> Result<(), String> {
    set_child_subreaper(Pid::from_raw(1))
        .map_err(|error| format!("cannot become the parent of orphans: {error}"))
}

/// Everything below this process.
#[must_use]
pub fn below() -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let pid = entry.file_name().to_string_lossy().parse::<u32>();
        let Ok(pid) = pid else { continue };
        // It may have ended since.
        let Some(process) = fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|stat| parse(&stat))
        else {
            continue;
        };
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = vec![std::process::id()];
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            if seen.insert(process.pid) {
                next.push(process.pid);
                found.push(process);
            }
        }
    }
    found
}

/// proc_pid_stat(5): the name is in parentheses and may hold any character.
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.next()?.parse().ok()?,
        name: name.to_owned(),
        zombie: state == "Z" || state == "X",
    })
}

/// Whether a program of the benchmark runs under this pid.
#[must_use]
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| parse(&stat))
        .is_some_and(|process| !process.zombie && process.name.starts_with("bench-"))
}

/// Proportional set size in MiB: memory, shared pages divided among those that share them.
///
/// # Errors
/// The process is not there, or not ours to look at.
pub fn pss(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
        .map(|kib| kib / 1024.0)
        .ok_or_else(|| format!("there is no Pss in {path}"))
}

/// What these processes have used so far.
#[must_use]
pub fn used(pids: &[u32]) -> Used {
    let mut used = Used::default();
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        used.processes
            .insert(*pid, ticks(&stat).unwrap_or_default());
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let Ok(thread) = task.file_name().to_string_lossy().parse() else {
                continue;
            };
            let text = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let nanoseconds = text("schedstat")
                .split(' ')
                .next()
                .and_then(|field| field.parse().ok());
            let switches = text("status")
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
                .sum::<u64>();
            let cpu = Duration::from_nanos(nanoseconds.unwrap_or(0));
            used.threads.insert((*pid, thread), (cpu, switches));
        }
    }
    used
}

/// utime and stime of proc_pid_stat(5).
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    // USER_HZ is 100 on every Linux that we know.
    Some(Duration::from_millis((next()? + next()?) * 10))
}

/// Sends a signal to a process below this one.
///
/// # Errors
/// There is none.
pub fn signal(pid: u32, signal: Signal) -> Result<(), String> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| format!("{pid} is no pid"))
        .and_then(|target| {
            kill_process(target, signal)
                .map_err(|error| format!("cannot send a signal to process {pid}: {error}"))
        })
}

/// Ends everything below this process, by pid, and waits until nothing is left.
///
/// # Errors
/// Something does not go away within half a minute.
pub fn end_all() -> Result<(), String> {
    let begun = clock::now();
    loop {
        let left = below();
        if left.is_empty() {
            return Ok(());
        }
        for process in &left {
            // Somebody else may have been quicker, and a zombie takes no signal.
            let _ = signal(process.pid, Signal::KILL);
            if process.parent == std::process::id() {
                reap(process.pid);
            }
        }
        if clock::ms(begun, clock::now()) > 30_000.0 {
            return Err(format!("cannot end {:?}", left.first()));
        }
        clock::let_pass(Duration::from_millis(2));
    }
}

/// Takes the exit of a child, if it has ended.
fn reap(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // What cannot be waited for yet is asked again.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_and_blanks() {
        let stat = "42 (a) (b c) S 7 42 42 0 -1 4194560 0 0 0 0 3 4 0 0";
        let process = parse(stat).expect("it is one");
        assert_eq!((process.pid, process.parent), (42, 7));
        assert_eq!(process.name, "a) (b c");
        assert_eq!(ticks(stat), Some(Duration::from_millis(70)));
    }

    #[test]
    fn a_thread_that_ended_takes_nothing_away() {
        let used = |ticks: u64, threads: &[(u32, u64)]| Used {
            processes: [(7, Duration::from_millis(ticks))].into(),
            threads: threads
                .iter()
                .map(|(thread, switches)| {
                    let cpu = Duration::from_micros(*switches);
                    ((7, *thread), (cpu, *switches))
                })
                .collect(),
        };
        let before = used(10, &[(7, 5), (8, 1000)]);
        let after = used(10, &[(7, 9), (9, 3)]);
        let cost = after.since(&before);
        assert_eq!(cost.switches, 7);
        assert_eq!(cost.cpu, Duration::from_micros(7));
        assert_eq!(used(30, &[]).since(&before).cpu, Duration::from_millis(20));
        // A tick that falls between two looks is no time that was used.
        let quiet = used(20, &[(7, 5), (8, 1000)]).since(&before);
        assert_eq!((quiet.cpu, quiet.switches), (Duration::ZERO, 0));
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(pss(std::process::id()).expect("it lives") > 0.0);
    }
}
