//! Leaving: everything down, a successor in our place, or a new keeper for what runs.

use std::io;
use std::time::Duration;

use abide_model::EventKind;
use abide_platform::fault::point;
use abide_platform::{Lend, clock};

use super::run::{Daemon, Ended};
use super::sockets::remove_file;
use super::streams::{self, STAGE};

impl Daemon {
    /// Leaves. After `Down` nothing stays behind but the state and the logs.
    pub(super) fn end(mut self) -> Ended {
        // What waits for its moment is written first: events before state, here too.
        self.awaited = true;
        self.write_out(clock::now().mono);
        // A new daemon would end them, too, and ask for them again.
        self.assistants.finish(Duration::from_secs(6));
        if self.yielded && !self.keeper_lost {
            // Output is taken by whoever comes next, exactly from where this process stops.
            self.take_beats();
            self.settle(clock::now());
            point("upgrade.leave");
            self.leave_note();
            self.store.close();
            self.events.flush();
            self.system_logs.finish(Duration::from_millis(500));
            point("upgrade.left");
            return Ended::Yielded;
        }
        self.drain_output();
        if self.keeper_lost {
            if let Some(api) = &self.api_end {
                api.stay();
            }
            let text = "the keeper is gone; a new one takes over what runs".to_owned();
            self.event(None, None, EventKind::Warning { text });
            self.events.wake();
            // A disk that hangs must not keep what runs without a keeper.
            self.events.barrier()();
            self.leave_note();
            self.store.close();
            // Two keepers would be in each other's way. What runs holds its own pipes until it is adopted.
            if !self.managed {
                self.hand_over();
            }
            return Ended::KeeperLost;
        }
        self.capture.finish_tidying(Duration::from_secs(2));
        self.trees.remove();
        for path in self.sockets.files() {
            let path = path.to_owned();
            if let Err(error) = self.files.submit(move || remove_file(&path)) {
                tracing::warn!(%error, "cannot remove a socket file");
            }
        }
        self.files.finish(Duration::from_secs(2));
        if let Err(error) = std::fs::remove_dir_all(self.home.run())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove the FIFOs");
        }
        self.store.close();
        self.events.wake();
        self.events.barrier()();
        self.system_logs.finish(Duration::from_secs(2));
        self.keeper.leaving();
        Ended::Down(self.hosting.code)
    }

    /// The keeper is gone, and with it the parent of all runs: a new one holds what this one had, and
    /// its daemon adopts the runs by their records.
    fn hand_over(&self) {
        let stages = self.capture.hand_over();
        let stages = stages.iter();
        let mut descriptors: Vec<_> = stages
            .map(|(id, stream, stage)| (streams::key(STAGE, *id, *stream), stage.lend()))
            .collect();
        for (id, unit) in self.units.iter() {
            if let Some(streams) = &unit.streams {
                let ends = streams.ends(id);
                descriptors.extend(ends.map(|(key, end)| (key, end.lend())));
            }
            descriptors.extend(self.held_for(id, unit));
        }
        descriptors.extend(self.held.iter());
        let listeners = self.sockets.iter();
        descriptors.extend(listeners.map(|(key, fd)| (key, fd.lend())));
        if let Err(error) = abide_platform::keeper::hand_over(&self.launch, &descriptors) {
            tracing::error!(%error, "cannot start a new keeper; `abide up` adopts what runs");
        }
    }

    /// Waits until what the units wrote last is in their segments, as far as their disks allow.
    fn drain_output(&self) {
        let (done, wait) = std::sync::mpsc::channel();
        let mut left = 0;
        for (id, _) in self.units.iter() {
            let done = done.clone();
            // Nobody waits any more once the time is over.
            self.capture.flush(id, move || {
                let _ = done.send(());
            });
            left += 1;
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(2);
        while left > 0 {
            let time = deadline.saturating_duration_since(std::time::Instant::now());
            if wait.recv_timeout(time).is_err() {
                return;
            }
            left -= 1;
        }
    }
}
