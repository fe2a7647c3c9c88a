//! What becomes of children: runs, orphans of runs, the daemon and its successor.

use std::time::Duration;

use abide_model::Signal;

use super::Keeper;
use super::program::{Change, ending};
use super::system::{self, now};
use super::tell::Talk;
use crate::fault::point;
use crate::keeper::wire::{Frame, Kind};

/// How long a stopped daemon may stay stopped before it is continued, and then before it is killed.
const STOPPED_FOR: Duration = Duration::from_secs(3);

/// Stops and continuations that are looked at in a row, so that a process which is stopped and continued
/// without end keeps nothing else waiting; and that wait for a daemon which does not read.
pub(super) const CHANGES: usize = 256;

impl Keeper {
    /// Collects what has ended. Returns the exit code when the daemon ended and is to stay away.
    pub(super) fn reap(&mut self) -> Option<i32> {
        // Without memory there may be no room for what the daemon is to be told.
        while self.ended && !self.short {
            let Some((pid, unexecuted)) = system::next_ended() else {
                self.ended = false;
                break;
            };
            // What a child writes, it writes before it ends: whatever this process had to say of itself
            // is in a socket by now, and that it was not executed may be all that is not read.
            let known = self.by_pid.contains_key(&pid) && !unexecuted;
            if !known && !self.drain() {
                return None;
            }
            point("exit.seen");
            let wait_status = system::reap(pid)?;
            point("exit.reaped");
            if self.daemon == Some(pid) {
                if let Some(code) = self.daemon_ended(wait_status) {
                    return Some(code);
                }
            } else if self.run_ended(pid, wait_status) {
                point("exit.noted");
            } else {
                // Anything else is an orphan of some run: it only had to be reaped.
                self.successor_ended(pid, wait_status);
            }
        }
        None
    }

    /// The daemon was reaped, and what it said last was read.
    fn daemon_ended(&mut self, wait_status: i32) -> Option<i32> {
        point("keeper.gone");
        self.daemon = None;
        self.talk = Talk::Silent;
        self.stopped = None;
        self.news.clear();
        if !self.restarts.leaving && self.after_the_daemon(wait_status) {
            return None;
        }
        let code = self.restarts.ended(now(), wait_status, ending(wait_status));
        // TERM or INT: nobody can be asked to stop anything, since no daemon has ever worked.
        let wanted = matches!(self.pending, [true, ..] | [_, true, ..]);
        let code = code.or((wanted && !self.restarts.was_ready).then_some(1));
        if code.is_some() {
            self.give_up_successor();
        }
        code
    }

    /// Collects who was stopped, and who goes on. Nothing is kept for a daemon that is not there.
    pub(super) fn watch_changes(&mut self) {
        if self.short || !self.changed {
            return;
        }
        for _ in 0..CHANGES {
            let Some((pid, change)) = system::next_change() else {
                self.changed = false;
                return;
            };
            if self.daemon == Some(pid) {
                self.stopped = match change {
                    Change::Stopped(_) => Some((now().after(STOPPED_FOR), Signal::CONT)),
                    Change::Continued => None,
                };
            } else if let Some(id) = self.by_pid.get(&pid).copied()
                && self.talk != Talk::Silent
            {
                let frame = match change {
                    Change::Stopped(signal) => {
                        Frame::about(id, Kind::STOPPED, [0, signal.0.cast_unsigned(), 0, 0])
                    }
                    Change::Continued => Frame::about(id, Kind::CONTINUED, [0; 4]),
                };
                self.say_change(frame);
            }
        }
    }

    /// Of several changes of one run in a row only the last is told.
    fn say_change(&mut self, frame: Frame) {
        let kinds = [Kind::STOPPED, Kind::CONTINUED];
        let same = |told: &&mut Frame| kinds.contains(&told.kind) && told.id() == frame.id();
        if let Some(told) = self.news.back_mut().filter(same) {
            *told = frame;
        } else if self.news.len() < CHANGES {
            self.say(frame);
        }
    }

    /// A daemon that is stopped decides nothing: it is continued, and killed if that does not help.
    pub(super) fn watch_stopped(&mut self) {
        let at = now();
        if let Some((_, signal)) = self.stopped.take_if(|(due, _)| *due <= at)
            && let Some(daemon) = self.daemon
        {
            system::signal(daemon, signal);
            let kill = (at.after(STOPPED_FOR), Signal::KILL);
            self.stopped = (signal == Signal::CONT).then_some(kill);
        }
    }
}
