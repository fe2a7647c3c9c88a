//! The death of the daemon, and what a new one finds.

use std::collections::BTreeMap;
use std::time::Duration;

use abide_core::recording::Recorder;
use abide_core::{Input, Observed, ObservedState, Saved, SavedPhase, Supervisor};
use abide_model::{ExitStatus, Mono, Now};

use crate::watch::Violation;
use crate::world::{Event, World, Write};

impl World {
    /// The daemon is killed, and comes back.
    pub(super) fn die(&mut self, reboot: bool, keeper_too: bool) -> Result<(), Violation> {
        self.dying = None;
        self.note(|| format!("the daemon dies (reboot: {reboot})"));
        // What a half-done spawn becomes is settled before a new daemon may begin.
        for ((unit, run), (effect, after)) in std::mem::take(&mut self.spawning) {
            if after.is_none() && !reboot && self.rng.chance(50) {
                self.begin(unit, run, effect);
            }
        }
        self.revive(reboot, keeper_too, false)
    }

    pub(super) fn revive(
        &mut self,
        reboot: bool,
        keeper_too: bool,
        wait: bool,
    ) -> Result<(), Violation> {
        self.life += 1;
        self.held_replies.clear();
        self.killed.clear();
        self.past
            .retain(|input| !matches!(input, Input::Done { .. }));
        self.keep_written(reboot, wait);
        self.around.without_daemon(reboot);
        if reboot {
            // Nothing tells of what another boot ran.
            self.past.clear();
            self.processes.clear();
            self.kept_exits.clear();
            self.events.clear();
            let mono = Mono(self.rng.below(20_000_000_000));
            let wall = self.now.wall.after(Duration::from_secs(60));
            self.now = Now { mono, wall };
        } else {
            let away = self.rng.millis(4000);
            self.set_mono(self.now.mono.after(away));
            // Programs go on without a daemon.
            let due: Vec<_> = self
                .events
                .keys()
                .copied()
                .filter(|(at, _)| *at <= self.now.mono)
                .collect();
            for key in due {
                if let Some(Event::Die(unit, run, status)) = self.events.remove(&key) {
                    self.main_ends(unit, run, status);
                }
            }
            let life = self.life;
            self.events.retain(|_, event| match event {
                Event::Tell(..) => false,
                Event::Spawn(of, ..) | Event::WriteDone(of) => *of == life,
                _ => true,
            });
            if keeper_too {
                self.kept_exits.clear();
            }
        }
        let mut observed: Vec<Observed> = Vec::new();
        for (&unit, process) in &self.processes {
            if process.main {
                let state = ObservedState::Alive { pid: process.pid };
                observed.push(Observed {
                    unit,
                    run: process.run,
                    state,
                });
            }
        }
        for (&unit, process) in &self.processes {
            let recorded = self.disk.units.get(&unit).and_then(|record| record.run);
            let unseen = !process.main && !self.kept_exits.contains_key(&(unit, process.run));
            // The child's own record still tells of it.
            if unseen && recorded < Some(process.run) {
                let state = ObservedState::Exited(ExitStatus::Unknown);
                observed.push(Observed {
                    unit,
                    run: process.run,
                    state,
                });
            }
        }
        for ((unit, run), status) in &self.kept_exits {
            let state = ObservedState::Exited(status.clone());
            observed.push(Observed {
                unit: *unit,
                run: *run,
                state,
            });
        }
        self.read_launches();
        let saved = Saved {
            units: self.disk.units.values().cloned().collect(),
            operations: self.disk.operations.values().cloned().collect(),
            same_boot: !reboot,
            halted: self.disk.halted,
            seed: self.rng.next(),
        };
        self.note(|| format!("a new daemon: observed {observed:?}"));
        // The programs' own clocks go on.
        let alive: Vec<_> = self
            .processes
            .iter()
            .map(|(unit, p)| (*unit, p.run))
            .collect();
        for (unit, run) in alive {
            self.later(Duration::ZERO, Event::Beat(unit, run));
        }
        if self.recorder.is_some() {
            self.recorder = Some(Recorder::new_resume(&saved, &observed, self.now));
        }
        // A restart that was written down must wait as it would have, if it did not begin meanwhile.
        let mut due = BTreeMap::new();
        for record in saved
            .units
            .iter()
            .filter(|_| saved.same_boot && !saved.halted)
        {
            let newer = observed
                .iter()
                .any(|o| o.unit == record.id && Some(o.run) > record.run);
            if let SavedPhase::Backoff { due: at } = record.phase
                && !newer
            {
                due.insert(record.id, at);
            }
        }
        self.core = Supervisor::resume(saved, observed, self.now);
        // A full disk may have refused to remember a unit at all; its process is a person's business.
        self.processes
            .retain(|unit, _| self.core.unit(*unit).is_some());
        let continues = !reboot && !self.disk.halted;
        self.disk.halted = false;
        let lost = std::mem::take(&mut self.refused_writes);
        self.watch
            .resumed(&self.core, self.now, &due, continues, lost);
        self.ids
            .retain(|name, id| self.core.id_of(name) == Some(*id));
        self.drain()
    }

    /// What is on the disk when the daemon is gone: all that was answered (after a loss of power, up to the
    /// last write that had to survive one), and some of what was still to be written.
    fn keep_written(&mut self, reboot: bool, all: bool) {
        let certain = |write: &Write| write.done && (!reboot || write.durable);
        let certain = self
            .journal
            .iter()
            .rposition(certain)
            .map_or(0, |at| at + 1);
        let rest = (self.journal.len() - certain) as u64;
        let more = if all { rest } else { self.rng.below(rest + 1) };
        let kept = certain + usize::try_from(more).expect("small");
        for write in self.journal.drain(..).take(kept) {
            self.disk.write(write.change);
        }
    }
}
