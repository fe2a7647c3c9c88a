//! Runs whose main process is no child of the keeper's: an earlier keeper began them, or the program named
//! another process than the one that was started. Nobody is told of their end but who holds a pidfd. (On Windows
//! that is so with every run: how a process ended can be read by whoever holds a handle to it.)
//!
//! Linux before 5.3 has no pidfds, and nothing else there tells of the end of a process that is not one's
//! child. So there, and only while there are such runs, a timer looks at them.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use abide_model::{RunId, UnitId};
use abide_platform::clock;
use abide_platform::identity::Handle;
use abide_platform::poll::Interest;
use abide_platform::timer::Timer;

use super::run::{Daemon, token};
use super::watches::Watched;

/// From one look to the next: so long at least, and for each run that is looked at this long, so that many
/// of them take no more of a processor than a few. (A look takes some 20 µs.)
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_FOR_EACH: Duration = Duration::from_millis(2);

/// Runs that have to be looked at.
#[derive(Default)]
pub struct Strangers {
    runs: BTreeSet<(UnitId, RunId)>,
    /// There once it was needed.
    timer: Option<Timer>,
}

impl Daemon {
    /// Learns of the end of this run's main process, whose parent is not the keeper.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(super) fn watch_stranger(&mut self, id: UnitId, run: RunId) -> io::Result<()> {
        let Some(current) = self.units.get(id).and_then(|unit| unit.run(run)) else {
            return Ok(());
        };
        let Some(handle) = &current.handle else {
            return Ok(());
        };
        if let Some(process) = handle.waitable() {
            let what = Watched::Stranger(id, run);
            return self.watches.add(&self.poll, process, Interest::Input, what);
        }
        if self.strangers.timer.is_none() {
            let timer = Timer::new()?;
            self.poll.add(&timer, token::STRANGERS, Interest::Input)?;
            self.strangers.timer = Some(timer);
        }
        self.strangers.runs.insert((id, run));
        self.strangers.wait()
    }

    /// The timer says that it is time to look.
    pub(super) fn look_at_strangers(&mut self) {
        if let Some(timer) = &self.strangers.timer {
            timer.clear();
        }
        for (id, run) in self.strangers.runs.clone() {
            let current = self.units.get(id).and_then(|unit| unit.run(run));
            // Also one that has a pidfd now, or whose end was told.
            let handle = current
                .filter(|run| run.main == super::unit::Main::Alive)
                .and_then(|run| run.handle.as_ref())
                .filter(|handle| handle.waitable().is_none());
            if handle.is_some_and(Handle::alive) {
                continue;
            }
            self.strangers.runs.remove(&(id, run));
            if handle.is_some() {
                self.on_stranger_exit(id, run);
            }
        }
        if let Err(error) = self.strangers.wait() {
            tracing::error!(%error, "cannot set the timer for adopted runs");
        }
    }
}

impl Strangers {
    /// Another process is the run's main process now.
    pub(super) fn forget(&mut self, id: UnitId, run: RunId) {
        self.runs.remove(&(id, run));
    }

    /// Until the next look, if there is anything to look at.
    fn wait(&self) -> io::Result<()> {
        let Some(timer) = &self.timer else {
            return Ok(());
        };
        let runs = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let pause = PAUSE.max(PAUSE_FOR_EACH * runs);
        timer.set((runs > 0).then(|| clock::now().mono.after(pause)))
    }
}
