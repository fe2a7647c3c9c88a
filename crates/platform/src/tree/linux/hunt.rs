//! One run that is being ended, or watched until it has ended.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use abide_model::{Mono, Signal};
use rustix::event::PollFlags;

use super::scan::{Found, scan};
use super::{RunTree, group};
use crate::clock::now;
use crate::identity::stat_of;
use crate::tree::{Answer, Sweep, SweepEvent};

/// The first pause between two looks; it doubles up to the other one.
const SHORTEST: Duration = Duration::from_micros(300);
const LONGEST: Duration = Duration::from_secs(1);

/// A process group that is not empty by then has members that only a look at everything finds out about.
const GROUP_PATIENCE: Duration = Duration::from_millis(30);

/// Stragglers of crashed runs wait this long for others, so that many crashes cost one scan.
const GATHER: Duration = Duration::from_millis(50);

/// Killed processes that are there after this long are reported.
const STUCK: Duration = Duration::from_secs(3);

/// So many scans in a row that find nothing, where none can be exact.
const CLEAN_SCANS: u32 = 3;

/// Processes whose end is waited for by descriptor, at most.
const WATCHED: usize = 64;

#[derive(Debug)]
pub(in crate::tree) struct Hunt {
    tree: RunTree,
    sweep: Sweep,
    since: Mono,
    /// The next look, unless something happens before.
    next: Mono,
    pause: Duration,
    /// `Empty` was said, what follows is the search for stragglers.
    answered: bool,
    done: bool,
    clean: u32,
    /// Processes that were there at the last look.
    watched: Vec<OwnedFd>,
    /// `cgroup.events` of the group.
    events: Option<File>,
    told_stuck: bool,
    told_doubtful: Vec<u32>,
}

impl Hunt {
    /// Does what can be done at once. The hunt that may have to follow:
    pub(in crate::tree) fn begin(tree: &RunTree, sweep: Sweep) -> (Answer, Option<Self>) {
        let at = now().mono;
        let mut hunt = Self {
            tree: tree.clone(),
            sweep,
            since: at,
            next: at,
            pause: SHORTEST,
            answered: false,
            done: false,
            clean: 0,
            watched: Vec::new(),
            events: None,
            told_stuck: false,
            told_doubtful: Vec::new(),
        };
        if let Some(path) = &tree.0.group {
            if group::is_empty(path) {
                return (Answer::Empty, None);
            }
            hunt.kill_group();
            return (Answer::Pending, Some(hunt));
        }
        if sweep == Sweep::Watch {
            return (Answer::Pending, Some(hunt));
        }
        // An error means that there is a process which may not be signalled: not empty.
        let there = tree.signal_process_group(Signal::KILL).unwrap_or(true);
        if sweep == Sweep::Prompt && !there {
            hunt.turn_to_stragglers();
            return (Answer::Empty, Some(hunt));
        }
        (Answer::Pending, Some(hunt))
    }

    /// Of the same run.
    pub(in crate::tree) fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (&self.tree, &other.tree);
        (one.unit(), one.run()) == (two.unit(), two.run())
    }

    pub(in crate::tree) fn done(&self) -> bool {
        self.done
    }

    pub(in crate::tree) fn next(&self) -> Mono {
        self.next
    }

    /// What to wait for besides the time.
    pub(in crate::tree) fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let events = self
            .events
            .iter()
            .map(|file| (file.as_fd(), PollFlags::PRI));
        self.watched
            .iter()
            .map(|fd| (fd.as_fd(), PollFlags::IN))
            .chain(events)
    }

    /// Something that was waited for has happened.
    pub(in crate::tree) fn hurry(&mut self) {
        self.next = now().mono;
        self.pause = SHORTEST;
    }

    /// Whether it needs a look at all processes, now.
    fn wants_scan(&mut self, at: Mono, report: &dyn Fn(SweepEvent)) -> bool {
        if self.done || at < self.next {
            return false;
        }
        if self.tree.0.group.is_some() {
            self.look_at_group(at, report);
            return false;
        }
        if self.sweep == Sweep::Prompt {
            let there = self.tree.signal_process_group(Signal::KILL).unwrap_or(true);
            if !there {
                self.say_empty(report);
                self.turn_to_stragglers();
                return false;
            }
            if at.since(self.since) < GROUP_PATIENCE {
                self.later(at);
                return false;
            }
        }
        true
    }

    fn turn_to_stragglers(&mut self) {
        self.answered = true;
        self.sweep = Sweep::Thorough;
        self.pause = SHORTEST;
        self.next = now().mono.after(GATHER);
    }

    fn kill_group(&self) {
        let Some(path) = &self.tree.0.group else {
            return;
        };
        if self.sweep == Sweep::Watch {
            return;
        }
        if !group::kill(path) {
            // Before Linux 5.14: one by one, until it is empty.
            for pid in group::all_members(path) {
                // Who is gone already is what we want; who may not be killed is found out by time.
                let _ = i32::try_from(pid).map(|pid| super::send(pid, Signal::KILL));
            }
        }
    }

    fn look_at_group(&mut self, at: Mono, report: &dyn Fn(SweepEvent)) {
        let Some(path) = self.tree.0.group.clone() else {
            return;
        };
        // The same descriptor that was read wakes at the next change (cgroups(7)).
        let (empty, events) = group::look(&path);
        self.events = events;
        if empty {
            self.say_empty(report);
            self.done = true;
            return;
        }
        self.kill_group();
        if self.is_stuck(at) {
            let members = group::all_members(&path);
            self.say_stuck(&members, report);
        }
        self.later(at);
    }

    fn after_scan(&mut self, found: Found, exact: bool, at: Mono, report: &dyn Fn(SweepEvent)) {
        for pid in found.doubtful {
            if self.sweep != Sweep::Watch && !self.told_doubtful.contains(&pid) {
                self.told_doubtful.push(pid);
                let name = name_of(pid);
                report(SweepEvent::Doubtful {
                    unit: self.tree.unit(),
                    run: self.tree.run(),
                    pid,
                    reason: format!(
                        "process {pid} ({name}) is in the session of this run but does not carry its tag; \
                         it was left alone, end it by hand if it belongs to the unit"
                    ),
                });
            }
        }
        if found.alive.is_empty() {
            self.clean += 1;
            self.watched.clear();
            if exact || self.clean >= CLEAN_SCANS {
                self.say_empty(report);
                self.done = true;
                return;
            }
        } else {
            self.clean = 0;
            if self.is_stuck(at) || found.alive.iter().all(|m| m.forbidden) {
                let members: Vec<u32> = found.alive.iter().map(|m| m.pid).collect();
                self.say_stuck(&members, report);
            }
            let fds = found.alive.into_iter().filter_map(|member| member.pidfd);
            self.watched = fds.take(WATCHED).collect();
        }
        self.later(at);
    }

    fn later(&mut self, at: Mono) {
        self.pause = (self.pause * 2).min(LONGEST);
        self.next = at.after(self.pause);
    }

    fn is_stuck(&self, at: Mono) -> bool {
        self.sweep != Sweep::Watch && at.since(self.since) >= STUCK
    }

    fn say_empty(&mut self, report: &dyn Fn(SweepEvent)) {
        if !self.answered {
            self.answered = true;
            report(SweepEvent::Empty {
                unit: self.tree.unit(),
                run: self.tree.run(),
            });
        }
    }

    fn say_stuck(&mut self, members: &[u32], report: &dyn Fn(SweepEvent)) {
        if self.told_stuck || self.sweep == Sweep::Watch {
            return;
        }
        let Some(pid) = members.first() else { return };
        self.told_stuck = true;
        let name = name_of(*pid);
        let why = match stat_of(*pid).map(|stat| stat.state) {
            Some(b'D') => {
                "it waits for the kernel (usually a disk or a network file system) and cannot be killed before that answers"
            }
            _ if !may_signal(*pid) => "it runs as another user, and only root may end it",
            _ => "it was killed and is still there",
        };
        let more = members.len() - 1;
        let others = if more == 0 {
            String::new()
        } else {
            format!(", and {more} more")
        };
        report(SweepEvent::Stuck {
            unit: self.tree.unit(),
            run: self.tree.run(),
            reason: format!("process {pid} ({name}){others}: {why}"),
        });
    }
}

/// One look for all hunts that are due.
pub(in crate::tree) fn hunt(hunts: &mut [Hunt], report: &dyn Fn(SweepEvent)) {
    let at = now().mono;
    let mut due: Vec<&mut Hunt> = hunts
        .iter_mut()
        .filter_map(|hunt| hunt.wants_scan(at, report).then_some(hunt))
        .collect();
    if due.is_empty() {
        return;
    }
    let quarries: Vec<_> = due
        .iter()
        .map(|hunt| hunt.tree.quarry(hunt.sweep != Sweep::Watch))
        .collect();
    let (found, exact) = scan(&quarries);
    let at = now().mono;
    for (hunt, found) in due.iter_mut().zip(found) {
        hunt.after_scan(found, exact, at, report);
    }
}

fn name_of(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

fn may_signal(pid: u32) -> bool {
    let nothing = Signal(0);
    i32::try_from(pid).is_ok_and(|pid| {
        super::send(pid, nothing).map_or_else(|e| e.raw_os_error() != Some(libc::EPERM), |()| true)
    })
}
