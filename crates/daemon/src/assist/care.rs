//! What all commands share: places, numbers, the sweeper, and who is to be told of what.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use abide_model::{Command, EffectId, Launch, RunId, UnitId, UnitName};
use abide_platform::Handle;
use abide_platform::keeper::KeeperSocket;
use abide_platform::tree::{Answer, RunTree, Sweep, SweepEvent, Sweeper, Trees};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::attend::{Attended, attend};
use super::floor::Floor;
use super::numbers::Numbers;
use super::{Job, Purpose, Report, STUCK};

/// Which commands take places from each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Something waits for them: the core would take one that waits long for lost.
    HoldsUp,
    /// Nothing waits for them: a thousand units that fail at once are told of a few at a time.
    Background,
    /// Probes.
    Probe,
}

const HOLD_UP: usize = 512;
const BACKGROUND: usize = 64;
const PROBES: usize = 64;

/// A unit whose earlier probes cannot be ended gets no more of them than this.
const CLINGING: usize = 3;

/// One command.
pub struct Ask {
    pub unit: UnitId,
    pub name: UnitName,
    pub launch: Arc<Launch>,
    pub command: Command,
    pub variables: Vec<(String, String)>,
    pub stdout: Option<Handle>,
    pub stderr: Option<Handle>,
    pub timeout: Duration,
    pub lane: Lane,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With 0.
    Success,
    /// In words: "exit 1", "killed after 30s", "cannot execute …", "cancelled".
    Failure(String),
}

/// See the module.
pub struct Care {
    floor: Floor,
    trees: Trees,
    pub(super) keeper: Option<KeeperSocket>,
    report: Box<dyn Fn(Report) + Send + Sync>,
    lanes: [Arc<Semaphore>; 3],
    state: Mutex<State>,
    /// A command is gone.
    fewer: Condvar,
    leftovers: watch::Sender<Leftovers>,
}

/// What an earlier daemon left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leftovers {
    /// Nobody has looked yet: what is begun now would be taken for a part of it.
    Unknown,
    /// Known, with its numbers, and about to end.
    Ending,
    Gone,
}

#[derive(Default)]
struct State {
    numbers: Numbers,
    sweeper: Option<Sweeper>,
    /// Trees that are being ended, and who waits for it.
    ending: HashMap<(UnitId, RunId), Ending>,
    jobs: Vec<Running>,
    /// Commands of each unit whose processes may be there.
    alive: HashMap<UnitId, usize>,
    leftovers: usize,
    /// No more commands.
    closed: bool,
}

enum Ending {
    Command(oneshot::Sender<()>),
    Leftover(RunTree),
}

struct Running {
    effect: EffectId,
    unit: UnitId,
    run: RunId,
    purpose: Purpose,
    cancel: watch::Sender<bool>,
}

impl Care {
    pub fn new(
        trees: Trees,
        keeper: Option<KeeperSocket>,
        report: Box<dyn Fn(Report) + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            floor: Floor::new(),
            trees,
            keeper,
            report,
            lanes: [HOLD_UP, BACKGROUND, PROBES].map(|n| Arc::new(Semaphore::new(n))),
            state: Mutex::default(),
            fewer: Condvar::new(),
            leftovers: watch::channel(Leftovers::Unknown).0,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    pub fn report(&self, report: Report) {
        (self.report)(report);
    }

    pub fn run(self: &Arc<Self>, job: Job) {
        let (cancel, cancelled) = watch::channel(false);
        let effect = job.effect;
        let closed = {
            let mut state = self.state();
            state.jobs.push(Running {
                effect,
                unit: job.unit,
                run: job.run,
                purpose: job.purpose,
                cancel,
            });
            state.closed
        };
        if closed {
            return self.done(effect, Err("cancelled".into()));
        }
        let care = Arc::clone(self);
        let task = async move {
            let mut last = Last {
                care: &care,
                effect,
                result: Err(LOST.into()),
            };
            last.result = care.carry_out(job, cancelled).await;
        };
        if let Err(error) = self.floor.spawn(task) {
            self.done(effect, Err(format!("cannot start a thread: {error}")));
        }
    }

    pub fn cancel(&self, unit: UnitId, run: RunId, purpose: Purpose) {
        for job in &self.state().jobs {
            if (job.unit, job.run, job.purpose) == (unit, run, purpose) {
                job.cancel.send_replace(true);
            }
        }
    }

    /// Ends everything, and waits for it at most so long.
    pub fn finish(&self, within: Duration) {
        let mut state = self.state();
        state.closed = true;
        for job in &state.jobs {
            job.cancel.send_replace(true);
        }
        // What is still there then is found by the next daemon.
        let _ = self
            .fewer
            .wait_timeout_while(state, within, |state| !state.alive.is_empty());
    }

    /// Jobs are under way.
    pub fn busy(&self) -> bool {
        !self.state().jobs.is_empty()
    }

    fn done(&self, effect: EffectId, result: Result<(), String>) {
        self.state().jobs.retain(|job| job.effect != effect);
        self.report(Report::Done { effect, result });
    }

    async fn carry_out(
        self: &Arc<Self>,
        job: Job,
        mut cancelled: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let (all, lane) = match job.purpose.holds_up() {
            true => (job.commands.len(), Lane::HoldsUp),
            false => (job.commands.len(), Lane::Background),
        };
        let again = |fd: &Option<Handle>| -> Result<_, String> {
            fd.as_ref()
                .map(Handle::try_clone)
                .transpose()
                .map_err(|error| format!("cannot open its log: {error}"))
        };
        for (at, (command, timeout)) in job.commands.into_iter().enumerate() {
            let ask = Ask {
                unit: job.unit,
                name: job.name.clone(),
                launch: Arc::clone(&job.launch),
                command,
                variables: job.variables.clone(),
                stdout: again(&job.stdout)?,
                stderr: again(&job.stderr)?,
                timeout,
                lane,
            };
            let mut attended = self.attend(ask);
            let ended = tokio::select! {
                ended = attended.ended() => ended,
                () = async { drop(cancelled.wait_for(|cancelled| *cancelled).await) } => {
                    attended.cancel();
                    attended.ended().await
                }
            };
            match ended {
                Ended::Success => {}
                Ended::Failure(reason) if all == 1 => return Err(reason),
                Ended::Failure(reason) => {
                    return Err(format!("command {} of {all}: {reason}", at + 1));
                }
            }
        }
        Ok(())
    }

    /// Runs one command.
    pub fn attend(self: &Arc<Self>, ask: Ask) -> Attended {
        let (attended, cancelled, answer) = Attended::new();
        let task = attend(Arc::clone(self), ask, cancelled, answer);
        match self.floor.spawn(task) {
            Ok(_) => attended,
            Err(error) => Attended::failed(format!("cannot start a thread: {error}")),
        }
    }

    /// Waits until there is a place in the lane, and what an earlier daemon left is gone.
    pub(super) async fn place(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let lane = match lane {
            Lane::HoldsUp => &self.lanes[0],
            Lane::Background => &self.lanes[1],
            Lane::Probe => &self.lanes[2],
        };
        let mut leftovers = self.leftovers.subscribe();
        // Its sender is ours.
        let _ = leftovers.wait_for(|left| *left != Leftovers::Unknown).await;
        // Processes that cannot be ended must not hold up everything.
        let gone = leftovers.wait_for(|left| *left == Leftovers::Gone);
        let _ = tokio::time::timeout(STUCK, gone).await;
        Arc::clone(lane).acquire_owned().await.ok()
    }

    /// The tree of a new command. Errors: why the unit gets none.
    pub(super) fn enter(&self, ask: &Ask) -> Result<RunTree, String> {
        let mut state = self.state();
        if state.closed {
            return Err("cancelled".into());
        }
        let alive = state.alive.entry(ask.unit).or_default();
        if ask.lane == Lane::Probe && *alive >= CLINGING {
            return Err(
                "earlier commands of this unit cannot be ended, so no more are begun".into(),
            );
        }
        *alive += 1;
        let n = state.numbers.take();
        drop(state);
        Ok(self.trees.auxiliary(ask.unit, &ask.name, n))
    }

    /// No process of it is left.
    pub(super) fn leave(&self, tree: &RunTree) {
        tree.discard();
        let mut state = self.state();
        state.numbers.free(tree.auxiliary_number());
        if let Some(alive) = state.alive.get_mut(&tree.unit()) {
            *alive -= 1;
            if *alive == 0 {
                state.alive.remove(&tree.unit());
            }
        }
        drop(state);
        self.fewer.notify_all();
    }

    /// Ends every process of a tree; the future is done when none is left.
    pub(super) fn end_tree(
        self: &Arc<Self>,
        tree: &RunTree,
        sweep: Sweep,
    ) -> impl Future<Output = ()> + use<> {
        let (gone, wait) = oneshot::channel();
        let key = (tree.unit(), tree.run());
        let mut state = self.state();
        let answer = match self.sweeper(&mut state) {
            Ok(sweeper) => sweeper.kill(tree, sweep),
            Err(error) => {
                tracing::error!(%error, "cannot start the thread that ends processes");
                // The next daemon finds them.
                Answer::Empty
            }
        };
        match answer {
            Answer::Empty => drop(gone),
            // Its report waits for the lock that we have.
            Answer::Pending => {
                state.ending.insert(key, Ending::Command(gone));
            }
        }
        async move {
            let _ = wait.await;
        }
    }

    fn sweeper<'a>(self: &Arc<Self>, state: &'a mut State) -> io::Result<&'a Sweeper> {
        let sweeper = match state.sweeper.take() {
            Some(sweeper) => sweeper,
            None => {
                let care = Arc::downgrade(self);
                Sweeper::start(move |event| on_swept(&care, event))?
            }
        };
        Ok(state.sweeper.insert(sweeper))
    }

    /// Ends what commands of an earlier daemon left behind, on a thread that is soon gone.
    pub fn end_leftovers(self: &Arc<Self>) {
        let care = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("assist-leftovers".into())
            .stack_size(256 << 10);
        if let Err(error) = thread.spawn(move || care.hunt_leftovers()) {
            tracing::warn!(%error, "cannot look for what hooks of an earlier daemon left");
            self.leftovers.send_replace(Leftovers::Gone);
        }
    }

    fn hunt_leftovers(self: &Arc<Self>) {
        let left = self.trees.auxiliaries_left();
        let mut state = self.state();
        for tree in left {
            let answer = match self.sweeper(&mut state) {
                Ok(sweeper) => sweeper.kill(&tree, Sweep::Thorough),
                Err(error) => {
                    tracing::warn!(%error, "cannot end what hooks of an earlier daemon left");
                    break;
                }
            };
            match answer {
                Answer::Empty => tree.discard(),
                Answer::Pending => {
                    state.numbers.reserve(tree.auxiliary_number());
                    state.leftovers += 1;
                    let key = (tree.unit(), tree.run());
                    state.ending.insert(key, Ending::Leftover(tree));
                }
            }
        }
        self.leftovers.send_replace(match state.leftovers {
            0 => Leftovers::Gone,
            _ => Leftovers::Ending,
        });
    }

    fn on_empty(&self, unit: UnitId, run: RunId) {
        let mut state = self.state();
        match state.ending.remove(&(unit, run)) {
            Some(Ending::Command(gone)) => {
                // Nobody may wait for it any more.
                let _ = gone.send(());
            }
            Some(Ending::Leftover(tree)) => {
                tree.discard();
                state.numbers.free(tree.auxiliary_number());
                state.leftovers -= 1;
                if state.leftovers == 0 {
                    self.leftovers.send_replace(Leftovers::Gone);
                }
            }
            None => {}
        }
    }

    pub(super) fn warn(&self, unit: UnitId, text: String) {
        self.report(Report::Warning { unit, text });
    }
}

const LOST: &str = "a mistake in abide; its log says more";

fn on_swept(care: &Weak<Care>, event: SweepEvent) {
    let Some(care) = care.upgrade() else { return };
    match event {
        SweepEvent::Empty { unit, run } => care.on_empty(unit, run),
        SweepEvent::Stuck { unit, reason, .. } => care.warn(
            unit,
            format!("processes of one of its commands cannot be ended: {reason}"),
        ),
        SweepEvent::Doubtful { unit, reason, .. } => {
            care.warn(unit, format!("a process of one of its commands: {reason}"));
        }
    }
}

/// A job is answered also if carrying it out panics.
struct Last<'a> {
    care: &'a Care,
    effect: EffectId,
    result: Result<(), String>,
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Ok(()));
        self.care.done(self.effect, result);
    }
}
