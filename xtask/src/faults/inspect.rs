//! What must be true of a home that is at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use abide_e2e::{Home, processes, wait};

use super::cast::crashes;
use super::chapter::Chapter;
use super::lines;

/// Descriptors of keeper and daemon.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    keeper: usize,
    daemon: usize,
    units: usize,
}

/// A daemon may hold so many more than after the first `up`: clients that are being served, files that are
/// open just now. A keeper holds what it is given.
const SPARE: usize = 24;
const KEEPERS_SPARE: usize = 4;

pub fn held(home: &Home) -> Held {
    let count = |pid: Option<u32>| {
        let dir = pid.and_then(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok());
        dir.map_or(0, Iterator::count)
    };
    Held {
        keeper: count(home.keeper()),
        daemon: count(home.daemon()),
        units: home.units().map_or(0, |units| units.len()),
    }
}

/// The process of the unit's last run, if it lives.
pub fn current(dir: &Path, unit: &str) -> Option<u32> {
    let runs = lines::runs(dir, unit);
    runs.last().copied().filter(|pid| processes::lives(*pid))
}

/// Runs that live, and their processes.
pub fn alive(dir: &Path, units: &BTreeSet<String>) -> BTreeMap<String, (u64, u32)> {
    let of = |unit: &String| {
        let runs = lines::runs(dir, unit);
        let pid = runs.last().copied().filter(|pid| processes::lives(*pid))?;
        Some((unit.clone(), (runs.len() as u64, pid)))
    };
    units.iter().filter_map(of).collect()
}

/// Every unit is what it is wanted to be, and has the process that it should.
pub fn state(chapter: &Chapter<'_>) -> Result<(), String> {
    let units = chapter.home.units().ok_or("no daemon answers")?;
    let wanted: BTreeSet<String> = chapter.wanted.names().into_iter().collect();
    let mut seen = BTreeSet::new();
    for unit in &units {
        let name = unit["name"].as_str().unwrap_or_default();
        let state = unit["state"].as_str().unwrap_or_default();
        seen.insert(name.to_owned());
        if !wanted.contains(name) {
            return Err(format!("{name} is there ({state})"));
        }
        let stopped = chapter.wanted.stopped.contains(name);
        let right = match state {
            "stopped" => stopped && unit["desired"] == "down",
            "running" => !stopped,
            "starting" | "backoff" => !stopped && crashes(name),
            _ => false,
        };
        if !right {
            return Err(format!("{name} is {state}: {}", unit["reason"]));
        }
        let pid = current(&chapter.dir, name);
        let said = unit["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        if !crashes(name) && said != pid {
            return Err(format!(
                "{name} is {state} as {said:?}, and runs as {pid:?}"
            ));
        }
    }
    match wanted.difference(&seen).next() {
        Some(missing) => Err(format!("{missing} is not there")),
        None => Ok(()),
    }
}

/// What was said, and answered, is still so.
pub fn desired(chapter: &Chapter<'_>, unsure: &BTreeSet<String>) -> Result<(), String> {
    let units = chapter.home.units().unwrap_or_default();
    for unit in &units {
        let name = unit["name"].as_str().unwrap_or_default();
        let down = chapter.wanted.stopped.contains(name);
        let known = chapter.wanted.names().iter().any(|wanted| wanted == name);
        let wanted = if down { "down" } else { "up" };
        if known && !unsure.contains(name) && unit["desired"] != wanted {
            return Err(format!(
                "{name} was commanded {wanted}, and is wanted {}",
                unit["desired"]
            ));
        }
    }
    Ok(())
}

/// After each round.
pub fn round(chapter: &Chapter<'_>) -> Result<(), String> {
    nothing_doubled(chapter)?;
    no_zombies(chapter)?;
    nothing_leaked(chapter)?;
    nothing_left(chapter)
}

fn nothing_doubled(chapter: &Chapter<'_>) -> Result<(), String> {
    match fs::read_to_string(chapter.dir.join("doubled")) {
        Ok(text) => Err(format!("a run was doubled: {}", text.trim())),
        Err(_) => Ok(()),
    }
}

/// Children of the keeper that have ended are reaped.
fn no_zombies(chapter: &Chapter<'_>) -> Result<(), String> {
    let look = || {
        let keeper = chapter.home.keeper()?;
        zombies(keeper).is_empty().then_some(())
    };
    wait::try_until("no zombie is there", wait::GENEROUS, look)
}

fn zombies(parent: u32) -> Vec<u32> {
    let is = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut words = stat.rsplit(')').next().unwrap_or("").split_whitespace();
        words.next() == Some("Z") && words.next() == Some(parent.to_string().as_str())
    };
    processes::all().into_iter().filter(is).collect()
}

fn nothing_leaked(chapter: &Chapter<'_>) -> Result<(), String> {
    let Some(first) = chapter.held else {
        return Ok(());
    };
    let mut last = None;
    let look = || {
        let now = held(&chapter.home);
        last = Some(now);
        // Each unit more has its share.
        let more = now.units.saturating_sub(first.units) * 4;
        let fine = now.keeper <= first.keeper + KEEPERS_SPARE + more
            && now.daemon <= first.daemon + SPARE + more;
        fine.then_some(())
    };
    wait::try_until("no descriptor is leaked", wait::GENEROUS, look)
        .map_err(|error| format!("{error}: first {first:?}, now {last:?}"))
}

/// The control group of the home, where this machine has one for it.
pub fn group(chapter: &Chapter<'_>) -> Option<PathBuf> {
    let pid = current(&chapter.dir, "steady-0")?;
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let root = roots
        .into_iter()
        .find(|root| Path::new(root).join("cgroup.procs").exists())?;
    let run = Path::new(root).join(line);
    let is_home = |dir: &&Path| {
        let name = dir.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("abide-")
    };
    run.ancestors().find(is_home).map(Path::to_owned)
}

/// Of a home that has no process any more, and was not taken down.
pub fn remove_group(group: Option<&Path>) {
    let Some(group) = group else { return };
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        // Files of a group go with it.
        let _ = fs::remove_dir(entry.path());
    }
    if let Err(error) = fs::remove_dir(group)
        && group.exists()
    {
        eprintln!("cannot remove {}: {error}", group.display());
    }
}

/// Folders of runs and control groups are of units that there are, and nothing temporary stays.
fn nothing_left(chapter: &Chapter<'_>) -> Result<(), String> {
    let names = chapter.wanted.names();
    let left = || {
        let mut left = Vec::new();
        for name in entries(&chapter.home.home().join("run")) {
            left.extend((!names.contains(&name)).then(|| format!("run/{name}")));
        }
        for name in entries(&chapter.home.home().join("state")) {
            left.extend(name.ends_with(".tmp").then(|| format!("state/{name}")));
        }
        for name in chapter.group.iter().flat_map(|group| entries(group)) {
            // A unit has two that take turns.
            let unit = name
                .strip_prefix("unit-")
                .map(|name| name.trim_end_matches('~'));
            let known = unit.is_none_or(|unit| names.iter().any(|name| name == unit));
            left.extend((!known).then(|| format!("control group {name}")));
        }
        left
    };
    let nothing = || left().is_empty().then_some(());
    wait::try_until("nothing is left behind", wait::GENEROUS, nothing)
        .map_err(|error| format!("{error}: {}", left().join(", ")))
}

fn entries(dir: &Path) -> Vec<String> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten();
    found
        .filter(|entry| entry.path().is_dir() || entry.path().extension().is_some())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with("cgroup.") && !name.contains(".pressure"))
        .collect()
}

/// After `down` nothing is left but state and logs.
pub fn down(chapter: &Chapter<'_>) -> Result<(), String> {
    nothing_doubled(chapter)?;
    wait::try_until("no process is left", wait::GENEROUS, || {
        chapter.home.processes().is_empty().then_some(())
    })
    .map_err(|error| format!("{error}: {:?}", chapter.home.processes()))?;
    let mut left = Vec::new();
    let group = chapter.group.iter().filter(|group| group.exists());
    left.extend(group.map(|group| group.display().to_string()));
    collect(&chapter.home.home(), &mut left);
    match left.first() {
        Some(first) => Err(format!("{} things are left behind: {first}", left.len())),
        None => Ok(()),
    }
}

/// FIFOs, sockets and temporary files.
fn collect(dir: &Path, left: &mut Vec<String>) {
    use std::os::unix::fs::FileTypeExt;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            collect(&path, left);
        } else if kind.is_fifo()
            || kind.is_socket()
            || path.extension().is_some_and(|ext| ext == "tmp")
        {
            left.push(path.display().to_string());
        }
    }
}
