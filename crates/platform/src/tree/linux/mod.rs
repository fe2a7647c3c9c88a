#![allow(unsafe_code)]

mod group;
mod hunt;
mod legacy;
mod limited;
mod room;
mod scan;
mod survey;
mod tag;
mod wake;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use abide_model::{RunId, Signal, UnitId, UnitName};

pub(super) use self::hunt::{Hunt, hunt};
pub(crate) use self::limited::{Place, number, number_in, value};
pub(crate) use self::scan::pids;
pub(crate) use self::survey::{Scratch, Survey};
pub(super) use self::wake::{Wake, wait};

use self::group::HomeGroup;
use self::legacy::Legacy;
use self::scan::{Quarry, tag_in_proc, tag_of};
use self::tag::{Tag, Tags, auxiliary_run, is_auxiliary, number_of};
use crate::identity::Record;

/// What all runs of a home share: its part of the tags, and its control group where one can be made.
#[derive(Clone, Debug)]
pub struct Trees {
    tags: Tags,
    groups: Arc<Groups>,
}

/// The control groups of a home.
#[derive(Debug)]
struct Groups {
    /// That of v2, or why there is none.
    unified: Result<HomeGroup, String>,
    /// Those of v1, for limits.
    legacy: Legacy,
}

/// All processes of one run. Cheap to clone; valid from before the run's spawn.
#[derive(Clone, Debug)]
pub struct RunTree(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    unit: UnitId,
    run: RunId,
    tag: Option<Tag>,
    home: u64,
    /// What its control groups are called.
    slot: String,
    groups: Arc<Groups>,
    group: Option<PathBuf>,
    /// That group was made ahead, for this run.
    made: AtomicBool,
    /// That of the next run was made.
    next_made: AtomicBool,
    /// The process it began with, and number of its session and process group; 0: not spawned yet.
    leader: AtomicU32,
    /// The main process, if that is another one by now; else 0.
    main: AtomicU32,
}

impl Groups {
    /// Removes the groups of this name. One that is not empty stays.
    fn discard(&self, slot: &str) {
        if let Ok(home) = &self.unified {
            home.discard(slot);
            home.discard(&other_slot(slot));
        }
        self.legacy.discard(slot);
    }
}

/// What a unit's control groups are called. The prefix keeps a unit called "cgroup.procs" apart from the
/// files of a group.
fn unit_slot(name: &UnitName) -> String {
    format!("unit-{name}")
}

/// What the group of v2 of a unit's other runs is called. Every second run is in this one: so the next
/// run's can be made ahead, and the last one's removed later. No name of a unit ends with a tilde.
fn other_slot(slot: &str) -> String {
    format!("{slot}~")
}

/// What the group of v2 of this run is called.
fn run_slot(slot: &str, run: RunId) -> String {
    if run.0.is_multiple_of(2) {
        other_slot(slot)
    } else {
        slot.to_owned()
    }
}

impl Trees {
    /// Finds out what this system offers, and makes the home's control group where it can.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        let tags = Tags::new(home);
        Self {
            tags,
            groups: Arc::new(Groups {
                unified: HomeGroup::make(tags.home()),
                legacy: Legacy::find(tags.home()),
            }),
        }
    }

    /// Like [`Trees::new`], but as on a system that has no control groups.
    #[must_use]
    pub fn without_groups(home: &Path) -> Self {
        Self {
            tags: Tags::new(home),
            groups: Arc::new(Groups {
                unified: Err("control groups are switched off".to_owned()),
                legacy: Legacy::default(),
            }),
        }
    }

    /// As if the home's control group were this folder.
    #[cfg(test)]
    pub(crate) fn with_group(path: &Path) -> Self {
        Self {
            tags: Tags::new(path),
            groups: Arc::new(Groups {
                unified: Ok(HomeGroup::like(path)),
                legacy: Legacy::default(),
            }),
        }
    }

    /// The home's control group.
    ///
    /// # Errors
    /// Why none can be had, in words.
    pub fn group(&self) -> Result<&Path, &str> {
        match &self.groups.unified {
            Ok(group) => Ok(group.path()),
            Err(reason) => Err(reason),
        }
    }

    /// Whether nothing can escape from a run, so that its emptiness is exact: there are control groups.
    #[must_use]
    pub fn are_exact(&self) -> bool {
        self.groups.unified.is_ok()
    }

    /// The tree of a run that is about to be started.
    #[must_use]
    pub fn run(&self, unit: UnitId, name: &UnitName, run: RunId) -> RunTree {
        let slot = unit_slot(name);
        let group = self.in_home(&run_slot(&slot, run));
        self.tree(unit, run, self.tags.tag(unit, run), slot, group, 0)
    }

    /// As [`Trees::run`], for the run that follows on `last` in the same unit: what
    /// [`RunTree::make_way`] made ahead for it is used.
    #[must_use]
    pub fn run_after(
        &self,
        last: Option<&RunTree>,
        name: &UnitName,
        unit: UnitId,
        run: RunId,
    ) -> RunTree {
        let tree = self.run(unit, name, run);
        let made = last.is_some_and(|last| {
            // It was made for the run that comes next by number.
            last.0.run.0 + 1 == run.0 && last.0.next_made.load(Ordering::Acquire)
        });
        tree.0.made.store(made, Ordering::Relaxed);
        tree
    }

    /// The tree of an auxiliary command of a unit ([`crate::spawn::spawn_auxiliary`]): apart from those of
    /// the unit's runs, so that either is ended without the other. Of `n` only the lowest 19 bits count;
    /// no two living commands of a unit may have the same.
    #[must_use]
    pub fn auxiliary(&self, unit: UnitId, name: &UnitName, n: u32) -> RunTree {
        let run = auxiliary_run(n);
        let slot = format!("aux-{}-{}-{name}", unit.0, number_of(run));
        let group = self.in_home(&slot);
        self.tree(unit, run, self.tags.tag(unit, run), slot, group, 0)
    }

    /// The trees of auxiliary commands that are there now. For a daemon that has started none yet: they
    /// are what one before it left behind, to be ended.
    #[must_use]
    pub fn auxiliaries_left(&self) -> Vec<RunTree> {
        let tree =
            |unit, run, slot, group| self.tree(unit, run, self.tags.tag(unit, run), slot, group, 0);
        if let Ok(home) = &self.groups.unified {
            let groups = home.auxiliaries().into_iter();
            return groups
                .map(|(unit, n, slot)| {
                    let group = Some(home.slot(&slot));
                    tree(unit, auxiliary_run(n), slot, group)
                })
                .collect();
        }
        let mut text = Vec::new();
        let mut found: Vec<(UnitId, RunId)> = pids()
            .into_iter()
            .filter_map(|pid| self.tags.auxiliary(tag_of(pid, &mut text)?))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .map(|(unit, run)| {
                let slot = format!("aux-{}-{}", unit.0, number_of(run));
                tree(unit, run, slot, None)
            })
            .collect()
    }

    /// The unit on whose behalf this process runs as (part of) an auxiliary command, if it does.
    #[must_use]
    pub fn auxiliary_of(&self, pid: u32) -> Option<UnitId> {
        if let Ok(home) = &self.groups.unified {
            let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
            let mut groups = home.auxiliaries().into_iter();
            return groups
                .find(|(_, _, slot)| group::is_below(&home.slot(slot), &text))
                .map(|(unit, _, _)| unit);
        }
        let tag = tag_of(pid, &mut Vec::new())?;
        self.tags.auxiliary(tag).map(|(unit, _)| unit)
    }

    /// The tree of a run of which only the main process is known, from the keeper's table.
    #[must_use]
    pub fn known(&self, unit: UnitId, name: &UnitName, run: RunId, pid: u32) -> RunTree {
        let tree = self.run(unit, name, run);
        tree.set_leader(pid);
        tree
    }

    /// The tree of a run that a daemon before this one started. `record` is what was found in its
    /// record file, or what the keeper knows.
    #[must_use]
    pub fn adopt(&self, name: &UnitName, record: &Record) -> RunTree {
        let tag = self
            .tags
            .tag(record.unit, record.run)
            .filter(|_| record.tagged);
        // A record that was lost to a full disk names no group; then it is where it would be made.
        let slot = unit_slot(name);
        let group = record
            .group
            .clone()
            .or_else(|| self.in_home(&run_slot(&slot, record.run)))
            .filter(|path| path.is_dir());
        let main = record.process.pid;
        let leader = record.leader.unwrap_or(main);
        let tree = self.tree(record.unit, record.run, tag, slot, group, leader);
        tree.change_main(main);
        tree
    }

    fn tree(
        &self,
        unit: UnitId,
        run: RunId,
        tag: Option<Tag>,
        slot: String,
        group: Option<PathBuf>,
        leader: u32,
    ) -> RunTree {
        RunTree(Arc::new(Inner {
            unit,
            run,
            tag,
            home: self.tags.home(),
            slot,
            groups: Arc::clone(&self.groups),
            group,
            made: AtomicBool::new(false),
            next_made: AtomicBool::new(false),
            leader: AtomicU32::new(leader),
            main: AtomicU32::new(0),
        }))
    }

    /// The path of a group of v2.
    fn in_home(&self, slot: &str) -> Option<PathBuf> {
        let home = self.groups.unified.as_ref().ok()?;
        Some(home.slot(slot))
    }

    /// Removes the control group of a unit that is forgotten. Its processes must be gone.
    pub fn forget(&self, name: &UnitName) {
        self.groups.discard(&unit_slot(name));
    }

    /// Removes every empty control group of the home and then its own, as the last act of a daemon
    /// that leaves nothing behind.
    pub fn remove(&self) {
        if let Ok(group) = &self.groups.unified {
            group.remove();
        }
        self.groups.legacy.remove();
    }
}

impl RunTree {
    /// The unit.
    #[must_use]
    pub fn unit(&self) -> UnitId {
        self.0.unit
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.0.run
    }

    /// It is that of an auxiliary command, and [`RunTree::run`] is not a run's id.
    #[must_use]
    pub fn is_auxiliary(&self) -> bool {
        is_auxiliary(self.0.run)
    }

    /// The number of an auxiliary command, as given to [`Trees::auxiliary`].
    #[must_use]
    pub fn auxiliary_number(&self) -> u32 {
        u32::try_from(number_of(self.0.run)).unwrap_or(0)
    }

    /// Removes the control group of an auxiliary command that has ended. One that is not empty stays.
    pub fn discard(&self) {
        if self.is_auxiliary() {
            self.0.groups.discard(&self.0.slot);
        }
    }

    /// After this run was started: removes the group that the run before it left, and makes one ahead for
    /// the run after it. A unit that was never started again has none made: it may never need one.
    ///
    /// May come at the same time as the start of the next run, which then finds its group
    /// gone, and makes it ([`crate::spawn::spawn`]).
    pub(crate) fn make_way(&self) {
        let inner = &*self.0;
        let Ok(home) = &inner.groups.unified else {
            return;
        };
        if self.is_auxiliary() || inner.group.is_none() {
            return;
        }
        let next = RunId(inner.run.0.wrapping_add(1));
        let path = home.slot(&run_slot(&inner.slot, next));
        if std::fs::remove_dir(&path).is_ok() && std::fs::create_dir(&path).is_ok() {
            inner.next_made.store(true, Ordering::Release);
        }
    }

    /// The process that it began with, once there is one: its number is that of its session and
    /// process group.
    #[must_use]
    pub fn leader(&self) -> Option<u32> {
        Some(self.0.leader.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    /// The main process, once there is one: the first, or the one that took its place.
    #[must_use]
    pub fn main(&self) -> Option<u32> {
        let changed = Some(self.0.main.load(Ordering::Acquire)).filter(|pid| *pid != 0);
        changed.or_else(|| self.leader())
    }

    /// From now on that is the main process. [`RunTree::signal`] reaches it also where it has left the
    /// process group that the run began with.
    pub fn change_main(&self, pid: u32) {
        let other = Some(pid).filter(|pid| Some(*pid) != self.leader());
        self.0.main.store(other.unwrap_or(0), Ordering::Release);
    }

    /// Whether a process belongs to the run: by its control group, else by the tag, else by its
    /// session. Also for one that has ended and was not reaped. `None`: it was gone before that could
    /// be looked at.
    #[must_use]
    pub fn contains(&self, pid: u32) -> Option<bool> {
        if let Some(group) = &self.0.group {
            let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
            return Some(group::is_below(group, &text));
        }
        let stat = crate::identity::stat_of(pid)?;
        let mut tag = Some(None);
        let belongs = self.has_member(stat.session, || {
            tag = Path::new(&format!("/proc/{pid}/limits"))
                .exists()
                .then(|| read_tag(pid));
            tag.flatten()
        });
        tag.map(|_| belongs)
    }

    /// Whether it has a control group, so that its emptiness is exact.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        self.0.group.is_some()
    }

    /// Its control group, if it is in one.
    #[must_use]
    pub fn group(&self) -> Option<PathBuf> {
        self.0.group.clone()
    }

    pub(crate) fn set_leader(&self, pid: u32) {
        self.0.leader.store(pid, Ordering::Release);
    }

    pub(crate) fn tag(&self) -> Option<Tag> {
        self.0.tag
    }

    /// The variable by which an untagged run is known.
    pub(crate) fn marker(&self) -> Option<(String, String)> {
        if self.0.tag.is_some() || self.0.group.is_some() {
            return None;
        }
        let value = format!("{:x}-{}-{}", self.0.home, self.0.unit.0, self.0.run.0);
        Some(("ABIDE_RUN_MARK".to_owned(), value))
    }

    /// Sends a signal to every process of the run's control group, else of its process group.
    /// No process: nothing is done.
    ///
    /// # Errors
    /// When no process of it may be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(group) = &self.0.group else {
            self.signal_changed_main(signal);
            return self.signal_process_group(signal).map(drop);
        };
        let mut result = Ok(());
        let mut reached = false;
        for pid in group::all_members(group) {
            match i32::try_from(pid).map(|pid| send(pid, signal)) {
                Ok(Ok(())) => reached = true,
                Ok(Err(e)) if e.raw_os_error() != Some(libc::ESRCH) => result = Err(e),
                _ => {}
            }
        }
        if reached { Ok(()) } else { result }
    }

    /// A main process that has left the process group that the run began with, and what is in its own.
    fn signal_changed_main(&self, signal: Signal) {
        let main = self.0.main.load(Ordering::Acquire);
        let Ok(pid) = i32::try_from(main) else { return };
        if pid == 0 || self.contains(main) != Some(true) {
            return;
        }
        // SAFETY: getpgid takes a number.
        let group = unsafe { libc::getpgid(pid) };
        if group == pid {
            // One that ends in this instant needs no signal.
            let _ = send(-pid, signal);
        } else if u32::try_from(group).ok() != self.leader() {
            let _ = send(pid, signal);
        }
    }

    /// False: there is no such process group, or it is not ours any more.
    fn signal_process_group(&self, signal: Signal) -> io::Result<bool> {
        let Some(leader) = self.leader() else {
            return Ok(false);
        };
        let Ok(pid) = i32::try_from(leader) else {
            return Ok(false);
        };
        if let Some(tag) = self.0.tag {
            // While a process group has members its number is given to nobody else. A process that
            // has the number and not our tag is a stranger: the group ended.
            let other = tag_in_proc(leader, &mut Vec::new());
            if other.is_some_and(|other| !tag.covers(other)) || untagged_stranger(leader, other) {
                return Ok(false);
            }
        }
        match send(-pid, signal) {
            Ok(()) => Ok(true),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            Err(e) => Err(e),
        }
    }

    pub(super) fn quarry(&self, kill: bool) -> Quarry {
        Quarry {
            tag: self.0.tag,
            marker: self.marker().map(|(name, value)| format!("{name}={value}")),
            leader: self.leader().unwrap_or(0),
            kill,
        }
    }

    /// Whether a process that carries this belongs to the run.
    pub(crate) fn has_member(&self, session: i32, tag: impl FnOnce() -> Option<Tag>) -> bool {
        match self.0.tag {
            Some(own) => tag().is_some_and(|other| own.covers(other)),
            None => self
                .leader()
                .is_some_and(|leader| i32::try_from(leader) == Ok(session)),
        }
    }
}

/// What `/proc` says of a process's tag.
pub(crate) fn read_tag(pid: u32) -> Option<Tag> {
    tag_of(pid, &mut Vec::new())
}

/// A living process of that number that has no tag at all.
fn untagged_stranger(pid: u32, tag: Option<Tag>) -> bool {
    tag.is_none() && Path::new(&format!("/proc/{pid}/limits")).exists()
}

/// kill(2): a process, or with a negative number its group.
fn send(pid: i32, signal: Signal) -> io::Result<()> {
    if matches!(pid, -1..=1) {
        // Would be our own group, everybody, or init.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill takes numbers.
    if unsafe { libc::kill(pid, signal.0) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
