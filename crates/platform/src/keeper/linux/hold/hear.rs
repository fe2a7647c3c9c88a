//! What daemons and half-spawned children have to say.

use std::os::fd::{AsFd, OwnedFd};

use super::super::socket::{Received, receive};
use super::Keeper;
use super::children::CHANGES;
use super::tell::Talk;
use crate::fault::point;
use crate::keeper::wire::{BATCH, Frame, Kind, VERSION};

impl Keeper {
    /// There is memory for whatever one more message says, one more daemon and its successor, and the exits
    /// of all runs.
    pub(super) fn room(&mut self) -> bool {
        let news = self
            .by_pid
            .len()
            .saturating_add(CHANGES)
            .saturating_add(BATCH);
        self.descriptors.try_reserve(BATCH).is_ok()
            && self.runs.try_reserve(BATCH).is_ok()
            && self.by_pid.try_reserve(BATCH).is_ok()
            && self.lines.try_reserve(2).is_ok()
            && self.news.try_reserve(news).is_ok()
    }

    /// Reads what the daemon, and children of this and earlier ones, have written. False: there may be
    /// more of it.
    pub(super) fn drain(&mut self) -> bool {
        self.short = false;
        let mut at = 0;
        while at < self.lines.len() {
            self.short = !self.room();
            let Some(line) = self.lines.get(at).filter(|_| !self.short) else {
                return false;
            };
            let from = line.pid;
            match receive(line.socket.as_fd()) {
                Received::Message(message) => {
                    for (frame, fd) in message.into_frames() {
                        self.take(from, &frame, fd);
                    }
                }
                Received::Nothing => at = at.saturating_add(1),
                // Nobody will write to it any more. There is one at this place.
                Received::End => drop(self.lines.remove(at)),
            }
        }
        true
    }

    fn take(&mut self, from: u32, frame: &Frame, fd: Option<OwnedFd>) {
        let [number, ..] = frame.numbers;
        let daemon = self.daemon == Some(from);
        let successor = !daemon && self.upgrade.as_ref().is_some_and(|u| u.pid == from);
        match frame.kind {
            Kind::RUN => {
                if let Some(entry) = frame.entry() {
                    self.record(entry);
                }
            }
            Kind::PREPARED if successor => self.prepared(frame.unit, number),
            Kind::NOT_STARTED if successor => self.successor_not_started(frame.unit),
            _ if successor => {}
            Kind::HOLD => {
                if let Some(fd) = fd {
                    point("keeper.hold");
                    self.descriptors.insert(frame.key(), fd);
                }
            }
            Kind::RELEASE => drop(self.descriptors.remove(&frame.key())),
            Kind::TAKEN => self.taken(frame.id()),
            Kind::MAIN => self.change_main(frame.id(), number),
            Kind::HELLO if daemon => {
                point("keeper.hello");
                self.version = frame.unit.min(VERSION);
                self.talk = Talk::Hello;
            }
            Kind::READY if daemon => self.ready(),
            Kind::LEAVING if daemon => self.restarts.leaving = true,
            Kind::UPGRADE if daemon => self.begin_upgrade(fd, frame.unit != 0),
            _ => {}
        }
    }

    fn ready(&mut self) {
        self.restarts.ready();
        self.starter = None;
        self.rolled_back = None;
        self.upgraded();
    }
}
