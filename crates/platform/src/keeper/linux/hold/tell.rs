//! What the daemon is told, as far as its socket takes it.

use std::os::fd::{AsFd, AsRawFd};

use super::super::socket::{Out, Sent};
use super::Keeper;
use crate::fault::point;
use crate::keeper::KEEPER_VERSION;
use crate::keeper::wire::{BATCH, Frame, Kind};

/// How far the talk with the daemon is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Talk {
    /// It has not said hello.
    Silent,
    /// It has. It holds the home's lock, so whoever wrote before it is through, but may not be heard.
    Hello,
    /// It gets the table, and after it hears of exits.
    Live,
}

impl Keeper {
    /// To be told to the daemon. There is room for what must not be lost.
    pub(super) fn say(&mut self, frame: Frame) {
        if self.news.len() < self.news.capacity() {
            self.news.push_back(frame);
        }
    }

    /// What is held, as every table has it: descriptors by their numbers.
    pub(super) fn table(&self) -> impl Iterator<Item = Frame> {
        let held = self.descriptors.iter().map(|(key, fd)| {
            let number = fd.as_raw_fd().cast_unsigned();
            Frame::of_key(Kind::HOLD, *key, number)
        });
        let runs = self.runs.values().map(|held| Frame::of_run(held.entry));
        held.chain(runs).chain([Frame::new(Kind::END, 0, [0; 4])])
    }

    /// The daemon has asked for the table: it is what it is told next. Not before all is read that was
    /// written before it asked, and there is room.
    fn welcome(&mut self) {
        if !self.drain() {
            return;
        }
        self.news.clear();
        let frames = self.descriptors.len().saturating_add(self.runs.len());
        let frames = frames
            .saturating_add(self.by_pid.len())
            .saturating_add(BATCH);
        if self.news.try_reserve(frames).is_err() {
            self.short = true;
            return;
        }
        self.talk = Talk::Live;
        let keeper = std::process::id();
        let safe_mode = u32::from(self.restarts.safe_mode());
        let numbers = [keeper, self.restarts.starts, safe_mode, KEEPER_VERSION];
        self.say(Frame::new(Kind::WELCOME, self.version, numbers));
        if let Some((at, wait_status)) = self.restarts.died {
            let numbers = [self.restarts.deaths, 0, 0, 0];
            let frame = Frame::new(Kind::DIED, wait_status.cast_unsigned(), numbers);
            self.say(Frame { run: at.0, ..frame });
        }
        if let Some(why) = self.rolled_back {
            self.say(Frame::of_failure(Kind::ROLLED_BACK, why));
        }
        let mut news = std::mem::take(&mut self.news);
        news.extend(self.table());
        self.news = news;
    }

    /// Tells the daemon what it has to know.
    pub(super) fn tell(&mut self) {
        if self.talk == Talk::Hello {
            self.welcome();
        }
        self.blocked = false;
        while !self.news.is_empty() && self.talk != Talk::Hello {
            let mut lines = self.lines.iter().rev();
            let Some(line) = lines.find(|line| Some(line.pid) == self.daemon) else {
                return;
            };
            let mut out = Out::to(line.socket.as_fd());
            let mut step = "exit.told";
            for frame in self.news.iter().take(BATCH) {
                let held = self.descriptors.get(&frame.key());
                if frame.kind != Kind::HOLD {
                    out.push(*frame, None);
                } else if let Some(fd) = held {
                    out.push(*frame, Some(fd.as_fd()));
                    step = "keeper.table";
                }
            }
            match out.send() {
                Sent::Yes => self.news.drain(..BATCH.min(self.news.len())),
                Sent::Later => {
                    self.blocked = true;
                    return;
                }
                // It is gone, which its exit will say.
                Sent::Never => return,
            };
            point(step);
        }
    }
}
