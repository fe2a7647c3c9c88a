//! What the daemon is told, as far as its socket takes it.

use std::os::fd::AsFd;

use super::super::socket::{Out, Sent};
use super::program::Change;
use super::{Keeper, Process};
use crate::fault::point;
use crate::keeper::wire::{Frame, Kind};
use crate::keeper::{KEEPER_VERSION, RunState};

/// How far the talk with the daemon is.
#[derive(Clone, Copy)]
pub(super) enum Talk {
    /// It has not said hello.
    Silent,
    /// It has, and was not answered.
    Hello,
    /// It gets the descriptors, those before this place already.
    Descriptors(usize),
    /// It gets the runs, those before this place already.
    Runs(usize),
    /// It has the table, and hears of exits.
    Live,
}

impl Keeper {
    /// Tells the daemon what it has to know.
    pub(super) fn tell(&mut self) {
        self.blocked = false;
        loop {
            let socket = self
                .daemon
                .as_ref()
                .and_then(|d: &Process| d.socket.as_ref());
            // A table that lacks what is in a socket is not complete.
            let Some(socket) = socket.filter(|_| !self.short) else {
                return;
            };
            let mut out = Out::to(socket.as_fd());
            let (then, told) = if !self.answers.is_empty() {
                self.answers.iter().for_each(|frame| out.push(*frame, None));
                (self.talk, 0)
            } else if let Some(next) = self.compose(&mut out) {
                next
            } else {
                return;
            };
            match out.send() {
                Sent::Yes => {}
                Sent::Later => {
                    self.blocked = true;
                    return;
                }
                // It is gone, which its exit will say.
                Sent::Never => return,
            }
            if !self.answers.is_empty() {
                self.answers.clear();
                continue;
            }
            for _ in 0..told {
                let id = self.news.pop_front();
                if let Some(held) = id.and_then(|id| self.runs.get_mut(&id)) {
                    (held.queued, held.change) = (false, None);
                }
            }
            self.talk = then;
            point(if told > 0 {
                "exit.told"
            } else {
                "keeper.table"
            });
        }
    }

    /// The next message; where the talk is after it, and how much of the news it has. `None`: all is
    /// told.
    fn compose<'a>(&'a self, out: &mut Out<'a>) -> Option<(Talk, usize)> {
        let mut told = 0_usize;
        let then = match self.talk {
            Talk::Silent => return None,
            Talk::Hello => {
                let keeper = std::process::id();
                let safe_mode = u32::from(self.restarts.safe_mode());
                let numbers = [keeper, self.restarts.starts, safe_mode, KEEPER_VERSION];
                out.push(Frame::new(Kind::WELCOME, self.version, numbers), None);
                if let Some((at, wait_status)) = self.restarts.died {
                    let numbers = [self.restarts.deaths, 0, 0, 0];
                    let frame = Frame::new(Kind::DIED, wait_status.cast_unsigned(), numbers);
                    out.push(Frame { run: at.0, ..frame }, None);
                }
                if let Some(why) = self.rolled_back {
                    out.push(Frame::of_failure(Kind::ROLLED_BACK, why), None);
                }
                Talk::Descriptors(0)
            }
            Talk::Descriptors(mut place) => {
                for (next, key, fd) in self.descriptors.from(place).take(out.room()) {
                    out.push(Frame::of_key(Kind::HOLD, *key, 0), Some(fd.as_fd()));
                    place = next;
                }
                if out.is_empty() {
                    Talk::Runs(0)
                } else {
                    Talk::Descriptors(place)
                }
            }
            Talk::Runs(mut place) => {
                for (next, id, held) in self.runs.from(place).take(out.room()) {
                    out.push(Frame::of_run(held.entry(*id)), None);
                    place = next;
                }
                if out.is_empty() {
                    out.push(Frame::new(Kind::END, 0, [0; 4]), None);
                    Talk::Live
                } else {
                    Talk::Runs(place)
                }
            }
            Talk::Live if self.news.is_empty() => return None,
            Talk::Live => {
                for id in &self.news {
                    if out.room() < 2 {
                        break;
                    }
                    told = told.saturating_add(1);
                    let Some(held) = self.runs.get(id) else {
                        continue;
                    };
                    // A run's stop is told before its exit, and never after.
                    match held.change {
                        Some(Change::Stopped(signal)) => {
                            let numbers = [0, signal.0.cast_unsigned(), 0, 0];
                            out.push(Frame::about(*id, Kind::STOPPED, numbers), None);
                        }
                        Some(Change::Continued) => {
                            out.push(Frame::about(*id, Kind::CONTINUED, [0; 4]), None);
                        }
                        None => {}
                    }
                    if held.state != RunState::Running {
                        out.push(Frame::of_run(held.entry(*id)), None);
                    }
                }
                Talk::Live
            }
        };
        Some((then, told))
    }
}
