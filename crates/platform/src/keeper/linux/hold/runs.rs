//! Which processes are main processes of runs, and how those ended.

use abide_model::{RunId, UnitId};

use super::tell::Talk;
use super::{Keeper, system};
use crate::keeper::wire::Frame;
use crate::keeper::{RunEntry, RunState};

pub(super) type Id = (UnitId, RunId);

/// A run in the table.
pub(super) struct Held {
    pub entry: RunEntry,
    /// Its process did not say itself that it is this run.
    pub named: bool,
}

impl Keeper {
    /// A child's own record: written before it executes its program, and again if it cannot. An exit
    /// that was not taken stays.
    pub(super) fn record(&mut self, entry: RunEntry) {
        let (id, pid) = ((entry.unit, entry.run), entry.pid);
        match (self.runs.get_mut(&id), entry.state) {
            // One that has ended is there too: what it said is read before it is reaped.
            (None, RunState::Running | RunState::ExecFailed { .. }) if system::exists(pid) => {
                let other = self.by_pid.get(&pid).and_then(|id| self.runs.get(id));
                // A number that somebody named may have been given to another process since; one that a
                // child said itself is its own until it is reaped.
                if other.is_none_or(|other| other.named) {
                    self.by_pid.insert(pid, id);
                }
                let named = false;
                self.runs.insert(id, Held { entry, named });
            }
            (Some(held), RunState::ExecFailed { .. })
                if held.entry.pid == pid && held.entry.state == RunState::Running =>
            {
                held.entry = entry;
            }
            _ => {}
        }
    }

    /// A run goes on with another main process, though the one before may have ended already: the
    /// daemon knows that. The new one need not be a child of ours; it becomes one when its parent ends
    /// before it.
    pub(super) fn change_main(&mut self, id: Id, pid: u32) {
        let another = self.by_pid.get(&pid).is_some_and(|other| *other != id);
        let Some(held) = self.runs.get_mut(&id) else {
            return;
        };
        if another || self.daemon == Some(pid) || held.entry.pid == pid {
            return;
        }
        held.named = true;
        let before = std::mem::replace(&mut held.entry.pid, pid);
        // One that is gone was reaped as an orphan, or by its own parent; nobody else would say so.
        let lives = system::exists(pid);
        held.entry.state = if lives {
            RunState::Running
        } else {
            RunState::Vanished
        };
        let told = held.entry;
        self.forget_pid(before, id);
        if lives {
            self.by_pid.insert(pid, id);
        } else {
            self.tell_of(told);
        }
    }

    /// The daemon knows for good how it ended.
    pub(super) fn taken(&mut self, id: Id) {
        if let Some(held) = self.runs.remove(&id) {
            self.forget_pid(held.entry.pid, id);
        }
    }

    fn forget_pid(&mut self, pid: u32, id: Id) {
        if self.by_pid.get(&pid) == Some(&id) {
            self.by_pid.remove(&pid);
        }
    }

    /// A child was reaped. False: it is no run's main process.
    pub(super) fn run_ended(&mut self, pid: u32, wait_status: i32) -> bool {
        let Some(held) = self
            .by_pid
            .remove(&pid)
            .and_then(|id| self.runs.get_mut(&id))
        else {
            return false;
        };
        if held.entry.state == RunState::Running {
            held.entry.state = RunState::Ended { wait_status };
        }
        let entry = held.entry;
        self.tell_of(entry);
        true
    }

    /// How a run ended. A daemon that has not asked for the table yet finds it there.
    fn tell_of(&mut self, entry: RunEntry) {
        if self.talk != Talk::Silent {
            self.say(Frame::of_run(entry));
        }
    }
}
