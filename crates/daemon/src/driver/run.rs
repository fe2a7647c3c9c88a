//! The loop: what happened goes into the core, what it wants is carried out.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use abide_core::recording::Line;
use abide_core::{Command, Effect, Input, Outcome, Supervisor};
use abide_model::{
    ActualState, EffectId, EventKind, ListenAddress, Mono, Now, Operation, OperationId, RequestId,
    RunId, Signal, UnitId, Wall,
};
use abide_platform::clock;
use abide_platform::fault::point;
use abide_platform::keeper::{KeeperEvent, Launch, Link, RunState};
use abide_platform::lock::Lock;
use abide_platform::poll::{Events, Interest, Poll};
use abide_platform::signals::Signals;
use abide_platform::spawn::{SpawnError, Spawned, Workers};
use abide_platform::timer::{CalendarEvent, CalendarWatch, Timer};
use abide_platform::tree::{SweepEvent, Sweeper, Trees};

use super::beats::Beats;
use super::doors::Held;
use super::hosting::Hosting;
use super::inbox::{Inbox, Mailbox};
use super::job::Jobs;
use super::prepare::Prepared;
use super::recorder::Recorder;
use super::sockets::Sockets;
use super::strangers::Strangers;
use super::tidying::Tidying;
use super::unit::{Main, Run, Units};
use super::upgrade::Upgrade;
use super::watches::{Watched, Watches};
use crate::api::ApiEnd;
use crate::assist::{Assistants, Report};
use crate::board::{Board, Keep};
use crate::capture::{Capture, CaptureEvent};
use crate::events::EventLog;
use crate::handle::{Handle, Reply, Requests};
use crate::home::Home;
use crate::probe::Prober;
use crate::store::{Entry, SourceRecord, Store, Written};
use crate::system_log::SystemLogs;

/// What the keeper tells a daemon on Windows that is to have all its units reload: SIGUSR1's number.
pub const REQUEST_RELOAD: Signal = Signal(10);

/// As [`REQUEST_RELOAD`], to have them restart: SIGUSR2's number.
pub const REQUEST_RESTART: Signal = Signal(12);

/// What other threads tell the driver.
pub enum Message {
    /// There is something in [`Requests`].
    Requests,
    /// A spawn worker is done.
    Spawned(UnitId, RunId, Box<Result<Spawned, SpawnError>>),
    /// The sweeper found something out.
    Swept(SweepEvent),
    /// The store wrote something, or could not.
    Written(Written),
    /// The state can be written again, or cannot any more.
    Storing(Result<(), String>),
    /// Something on behalf of a unit is done.
    Report(Report),
    /// The capture lost or found something.
    Capture(CaptureEvent),
    /// The API has ended: every answer is given.
    ApiEnded,
    /// Commands that an upgrade waits for have had their time.
    HooksOverdue,
    /// An effect was carried out by another thread.
    Done(EffectId, Outcome),
    /// The files of the command line were read: why they were not taken, and whether this is the keeper's first daemon.
    FilesRead(Option<String>, bool),
    /// The file of the one unit that is hosted was read again, and taken.
    HostedAgain,
    /// What a unit needs to run is made, or why not.
    Prepared(UnitId, Vec<ListenAddress>, Result<Prepared, String>),
}

/// How the daemon ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Everything was taken down, as asked, or as what is hosted ended; with this exit code.
    Down(i32),
    /// The keeper is gone: a new one takes over what runs.
    KeeperLost,
    /// Another executable takes over.
    Yielded,
}

/// What a wait says has happened.
pub(super) mod token {
    pub const INBOX: u64 = 0;
    pub const KEEPER: u64 = 1;
    pub const TIMER: u64 = 2;
    pub const CALENDAR: u64 = 3;
    pub const SIGNALS: u64 = 4;
    pub const STRANGERS: u64 = 5;
    /// From here on: what `Watches` watches.
    pub const WATCHED: u64 = 1 << 32;
    /// From here on: the main process of the unit of this number.
    pub const MAIN: u64 = 1 << 62;
}

/// The daemon, ready to run. Made by [`Daemon::start`].
pub struct Daemon {
    pub(super) home: Home,
    pub(super) core: Supervisor,
    pub(super) units: Units,
    pub(super) keep: Keep,
    pub(super) sources: Vec<SourceRecord>,
    /// Sources that were taken down, and still have units that end.
    pub(super) leaving: BTreeSet<PathBuf>,

    pub(super) poll: Poll,
    pub(super) watches: Watches,
    pub(super) strangers: Strangers,
    pub(super) sockets: Sockets,
    /// Effects that wait for sockets which are being made for another unit.
    pub(super) waiting_for_sockets: Vec<(EffectId, Effect)>,
    /// Makes abstract addresses of this daemon hard to guess.
    pub(super) nonce: u64,
    pub(super) inbox: Inbox<Message>,
    pub(super) mailbox: Mailbox<Message>,
    pub(super) requests: Requests,
    /// For our own jobs that read configuration.
    pub(super) handle: Handle,
    pub(super) timer: Timer,
    pub(super) timer_set: Option<Mono>,
    pub(super) tidying: Tidying,
    pub(super) hosting: Hosting,
    pub(super) calendar: CalendarWatch,
    pub(super) signals: Signals,

    pub(super) keeper: Link,
    pub(super) keeper_pid: Option<u32>,
    pub(super) keeper_lost: bool,
    /// There are no descriptors for pidfds that can be done without.
    pub(super) scarce: bool,
    /// Whether room to write to the keeper is waited for.
    pub(super) keeper_writable: bool,
    pub(super) trees: Trees,
    pub(super) workers: Workers,
    pub(super) sweeper: Sweeper,
    pub(super) assistants: Assistants,
    pub(super) prober: Prober,
    pub(super) capture: Capture,
    pub(super) store: Store,
    /// For what may hang for ever: configuration files may lie anywhere.
    pub(super) jobs: Jobs,
    /// For files of the home, in order: what is removed must not take what was made after it.
    pub(super) files: Jobs,
    pub(super) board: Arc<Board>,
    pub(super) events: Arc<EventLog>,
    pub(super) system_logs: SystemLogs,
    pub(super) recorder: Option<Recorder>,
    pub(super) beats: Option<Beats>,
    /// For a keeper that starts the next one.
    pub(super) launch: Launch,
    /// Somebody else starts the next keeper.
    pub(super) managed: bool,

    /// Writes on their way, and what waits for each.
    pub(super) unwritten: BTreeMap<EffectId, Vec<(EffectId, Effect)>>,
    /// When events and state are written at the latest; see [`super::write_out`].
    pub(super) write_by: Option<Mono>,
    /// A program was started since they were.
    pub(super) started: bool,
    /// Something waits for a write.
    pub(super) awaited: bool,
    /// Exits that the keeper may forget once this is written.
    pub(super) takes: BTreeMap<EffectId, Vec<(UnitId, RunId)>>,
    /// Runs that others took the place of, to be let go of.
    pub(super) past: Vec<Run>,
    /// Spawns on their way.
    pub(super) spawning: HashMap<(UnitId, RunId), EffectId>,
    pub(super) next_request: u64,
    pub(super) replies: HashMap<RequestId, Reply<Operation>>,
    pub(super) dirty: BTreeSet<UnitId>,
    /// Operations that changed, and when that is to be seen at the latest.
    pub(super) changed_operations: BTreeMap<OperationId, Mono>,
    /// For the core, behind the one that is being carried out.
    pub(super) inputs: VecDeque<Input>,
    pub(super) at_work: bool,
    pub(super) halted: bool,
    /// This executable's version, for people.
    pub(super) version: String,
    /// The API's listening sockets.
    pub(super) held: Held,
    /// Ends the API; `None`: there is none.
    pub(super) api_end: Option<ApiEnd>,
    /// Another executable is to take over.
    pub(super) upgrade: Option<Upgrade>,
    /// It is its turn.
    pub(super) yielded: bool,
    /// What became of the upgrade that this daemon comes from, and when it began.
    pub(super) upgraded: Option<(Wall, EventKind)>,
    /// The journal does not say yet that its lines are of our format.
    pub(super) unmarked: bool,
    /// Held until the process ends.
    pub(super) _lock: Lock,
}

impl Daemon {
    /// Runs until everything is down, or the keeper is lost.
    ///
    /// # Errors
    /// The system refuses to say what happened.
    pub fn run(mut self) -> io::Result<Ended> {
        // What resuming wanted.
        self.settle(clock::now());
        let mut events = Events::new();
        while !self.halted && !self.keeper_lost && !self.yielded {
            self.tidying.before_sleep();
            self.poll.wait(&mut events)?;
            if events.tokens().any(|token| self.may_come_back(token)) {
                self.workers.call();
            }
            for token in events.tokens() {
                self.on_event(token);
            }
            self.settle(clock::now());
        }
        Ok(self.end())
    }

    fn on_event(&mut self, token: u64) {
        if token != token::TIMER {
            self.tidying.used(clock::now().mono);
        }
        match token {
            token::INBOX => {
                let messages: Vec<_> = self.inbox.drain().collect();
                for message in messages {
                    self.on_message(message);
                }
            }
            token::KEEPER => self.on_keeper(),
            token::TIMER => {
                self.timer.clear();
                self.timer_set = None;
                let now = clock::now().mono;
                if self.core.poll_timeout().mono.is_none_or(|(at, _)| at > now) {
                    return self.tidying.time(now);
                }
                self.tidying.used(now);
                // What came in time must not count as missed.
                self.take_beats();
                self.time_out();
            }
            token::CALENDAR => {
                if self.calendar.take() == Some(CalendarEvent::ClockChanged) {
                    self.input(Input::ClockChanged);
                    if let Err(error) = self.calendar.set(None) {
                        tracing::warn!(%error, "cannot watch the calendar any longer");
                    }
                }
            }
            token::SIGNALS => {
                while let Some(signal) = self.signals.take() {
                    self.on_signal(signal);
                }
            }
            token::STRANGERS => self.look_at_strangers(),
            number if number >= token::MAIN => {
                if let Ok(unit) = u32::try_from(number - token::MAIN) {
                    self.on_main_ended(UnitId(unit));
                }
            }
            number => match self.watches.get(number) {
                Some(Watched::Stranger(unit, run)) => self.on_stranger_exit(unit, run),
                Some(Watched::Notify(unit)) => self.on_notify(unit),
                Some(Watched::Listener(address)) => self.on_connection(&address),
                Some(Watched::Stored(unit, number)) => self.on_stored_dead(unit, number),
                Some(Watched::ReadyPipe(unit, run)) => self.on_ready_pipe(unit, run),
                None => {}
            },
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Requests => {
                while let Some(request) = self.requests.next() {
                    self.on_request(request);
                }
                self.take_beats();
            }
            Message::Spawned(unit, run, result) => self.on_spawned(unit, run, *result),
            Message::Swept(SweepEvent::Empty { unit, run }) => self.on_empty(unit, run),
            Message::Swept(SweepEvent::Stuck { unit, reason, .. }) => {
                self.warn(Some(unit), format!("processes cannot be ended: {reason}"));
            }
            Message::Swept(SweepEvent::Doubtful {
                unit, pid, reason, ..
            }) => {
                self.warn(Some(unit), format!("process {pid} is left alone: {reason}"));
            }
            Message::Written(written) => self.on_written(written),
            Message::Storing(Err(reason)) => self.warn(
                None,
                format!(
                    "the state cannot be written ({reason}); it is kept in memory and tried again"
                ),
            ),
            Message::Storing(Ok(())) => self.warn(None, "the state can be written again".into()),
            Message::Report(report) => {
                self.on_report(report);
                self.go_on_yielding();
            }
            Message::ApiEnded => self.on_api_ended(),
            Message::HooksOverdue => self.hooks_overdue(),
            Message::Capture(CaptureEvent::Lost {
                unit,
                bytes,
                reason,
            }) => {
                self.event(Some(unit), None, EventKind::LogLost { bytes, reason });
                self.dirty.insert(unit);
            }
            Message::Capture(CaptureEvent::Resumed { unit, bytes }) => {
                self.event(Some(unit), None, EventKind::LogResumed { bytes });
                self.dirty.insert(unit);
            }
            Message::FilesRead(refused, first) => self.on_files_read(refused, first),
            Message::HostedAgain => self.reload_programs(),
            Message::Done(effect, outcome) => self.input(Input::Done { effect, outcome }),
            Message::Prepared(unit, making, made) => self.on_prepared(unit, making, made),
        }
    }

    fn on_keeper(&mut self) {
        while let Some(event) = self.keeper.recv() {
            match event {
                KeeperEvent::Lost => {
                    self.keeper_lost = true;
                    return;
                }
                KeeperEvent::Stopped { unit, run, signal } => {
                    self.on_stopped(unit, run, Some(signal));
                }
                KeeperEvent::Continued { unit, run } => self.on_stopped(unit, run, None),
                KeeperEvent::Exit(entry) => match (entry.state, entry.exit()) {
                    // The worker that spawned it says the same, in more words.
                    (RunState::ExecFailed { .. }, _) | (_, None) => {
                        self.keeper.taken(entry.unit, entry.run);
                    }
                    (_, Some(status)) => {
                        point("exit.heard");
                        self.on_main_exit(&entry, status);
                    }
                },
                KeeperEvent::Asked(signal) => self.on_signal(signal),
                KeeperEvent::Happened { event, at } => self.on_happened(event, at),
                KeeperEvent::Yield => self.on_yield(),
                KeeperEvent::UpgradeFailed(why) => self.on_upgrade_failed(why),
                KeeperEvent::Renewed { version } => {
                    self.event(None, None, EventKind::KeeperRenewed { version });
                }
                KeeperEvent::NotRenewed { errno } => {
                    let why = std::io::Error::from_raw_os_error(errno);
                    self.warn(
                        None,
                        format!("the keeper goes on as it was, as it cannot execute the new abide: {why}"),
                    );
                }
            }
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::HUP => self.reload(),
            REQUEST_RELOAD => self.reload_programs(),
            REQUEST_RESTART => self.ask_all(Command::Restart),
            _ => self.leave(),
        }
    }

    /// Has all units do it, as nobody waits for an answer.
    fn ask_all(&mut self, command: impl FnOnce(Vec<UnitId>) -> Command) {
        let command = command(self.units.iter().map(|(id, _)| id).collect());
        let request = self.request();
        self.input(Input::Command { request, command });
    }

    /// Has the programs read their configuration again that can be told to. As nobody waits for an answer, one that cannot
    /// does not keep the others from it.
    fn reload_programs(&mut self) {
        let can = |id: &UnitId| {
            let view = self.core.unit(*id);
            view.is_some_and(|view| view.ready && view.state == ActualState::Running)
        };
        let reloads = self
            .units
            .iter()
            .filter(|(_, unit)| unit.spec.policy.reload.is_some());
        let units: Vec<UnitId> = reloads.map(|(id, _)| id).filter(can).collect();
        if !units.is_empty() {
            let request = self.request();
            let command = Command::Reload(units);
            self.input(Input::Command { request, command });
        }
    }

    fn on_spawned(&mut self, unit: UnitId, run: RunId, result: Result<Spawned, SpawnError>) {
        point("spawn.reported");
        let Some(effect) = self.spawning.remove(&(unit, run)) else {
            return;
        };
        if self.spawning.is_empty() {
            self.spawning = HashMap::new();
        }
        let (outcome, sweep) = match result {
            Ok(spawned) => {
                for warning in &spawned.warnings {
                    self.warn(Some(unit), warning.clone());
                }
                for limit in &spawned.unsupported {
                    let (limit, reason) = (limit.limit.clone(), limit.reason.clone());
                    let kind = EventKind::LimitUnsupported { limit, reason };
                    self.event(Some(unit), Some(run), kind);
                }
                let mut sweep = None;
                if let Some(unit) = self.units.get_mut(unit) {
                    if let Some(current) = unit.run_mut(run) {
                        let mut handle = spawned.handle;
                        if self.scarce {
                            handle.let_go();
                        }
                        current.handle = Some(handle);
                        // Its exit may have been told before this.
                        if current.main == Main::Spawning {
                            current.main = Main::Alive;
                        }
                        sweep = current.sweep.take();
                    }
                    unit.limits_unsupported = spawned.unsupported;
                }
                (Outcome::Spawned { pid: spawned.pid }, sweep)
            }
            Err(error) => {
                if let Some(current) = self.units.get_mut(unit).and_then(|u| u.run_mut(run)) {
                    current.main = Main::Ended;
                }
                self.drop_input(unit, run);
                let reason = error.to_string();
                (Outcome::SpawnFailed { reason }, None)
            }
        };
        let current = self.units.get(unit).and_then(|u| u.run(run));
        let handle = current.and_then(|run| run.handle.as_ref());
        let process = handle.map(|handle| handle.identity().pid);
        self.capture.started(unit, process);
        self.system_logs.runs(unit, run, process, clock::now().wall);
        self.input(Input::Done { effect, outcome });
        self.watch_own(unit, run);
        // What it said meanwhile was kept for now.
        self.listen_to(unit);
        self.watch_beat_file(unit, run);
        if let Some(sweep) = sweep {
            // What was to end it found no process yet.
            self.sweep(unit, run, sweep);
        }
    }

    fn on_written(&mut self, written: Written) {
        let waiting = self.unwritten.remove(&written.effect).unwrap_or_default();
        if written.failure.is_none() {
            if self.takes.contains_key(&written.effect) {
                point("exit.taken");
            }
            for (unit, run) in self.takes.remove(&written.effect).unwrap_or_default() {
                self.keeper.taken(unit, run);
            }
        } else if let Some(takes) = self.takes.remove(&written.effect) {
            // The keeper goes on remembering them; the unit's next write lets go.
            for (unit, run) in takes {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.untaken.push(run);
                }
            }
        }
        let outcome = match written.failure {
            None => Outcome::Ok,
            Some(reason) => Outcome::Failed { reason },
        };
        self.input(Input::Done {
            effect: written.effect,
            outcome,
        });
        let now = clock::now();
        for (id, effect) in waiting {
            self.perform(id, effect, now);
        }
    }

    /// Hands one input to the core and carries out what comes of it. From within an effect that is
    /// being carried out: as soon as the effects before it are, so that a storm of answers is a loop
    /// and not a recursion, and inputs and effects have one order.
    pub(super) fn input(&mut self, input: Input) {
        self.inputs.push_back(input);
        if !self.at_work {
            self.work();
        }
    }

    fn work(&mut self) {
        self.at_work = true;
        while let Some(input) = self.inputs.pop_front() {
            let now = clock::now();
            self.record(|| Line::Input {
                now,
                input: input.clone(),
            });
            let passing = decided(&input);
            self.core.handle(now, input);
            if let Some(name) = passing {
                point(name);
            }
            self.perform_all(now);
        }
        self.at_work = false;
    }

    /// Lets the core do what is due.
    fn time_out(&mut self) {
        let now = clock::now();
        self.record(|| Line::Timeout { now });
        self.core.handle_timeout(now);
        self.carry_out(now);
    }

    /// Carries out all effects that wait, and what comes of that.
    fn carry_out(&mut self, now: Now) {
        self.at_work = true;
        self.perform_all(now);
        self.work();
    }

    fn perform_all(&mut self, now: Now) {
        while let Some((id, effect)) = self.core.poll_effect() {
            self.record(|| Line::Effect {
                id,
                effect: effect.clone(),
            });
            self.perform(id, effect, now);
        }
    }

    /// After everything that happened was dealt with: publish, set the timer, send what waits.
    pub(super) fn settle(&mut self, now: Now) {
        self.carry_out(now);
        // Last of all, so that nothing competes with what was started.
        self.past = Vec::new();
        self.publish_dirty(now);
        self.publish_operations(now.mono);
        let written = self.write_out(now.mono);
        let due = self.core.poll_timeout().mono.map(|(at, _)| at);
        let shown = self.changed_operations.values().min().copied();
        self.tell_manager(now.mono);
        let next = [due, shown, written, self.tidying.due(), self.hosting.due()]
            .into_iter()
            .flatten()
            .min();
        if next != self.timer_set {
            match self.timer.set(next) {
                Ok(()) => self.timer_set = next,
                Err(error) => tracing::error!(%error, "cannot set the timer"),
            }
        }
        self.keeper.flush();
        let writable = self.keeper.wants_write();
        if writable != self.keeper_writable {
            let interest = match writable {
                true => Interest::InputAndRoom,
                false => Interest::Input,
            };
            match self.poll.change(&self.keeper, token::KEEPER, interest) {
                Ok(()) => self.keeper_writable = writable,
                Err(error) => tracing::error!(%error, "cannot watch the keeper's socket"),
            }
        }
    }

    /// A request id that is not used yet.
    pub(super) fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// Writes an event.
    pub(super) fn event(&self, unit: Option<UnitId>, run: Option<RunId>, kind: EventKind) {
        let name = unit
            .and_then(|id| self.units.get(id))
            .map(|u| u.name.clone());
        self.events.queue(clock::now().wall, name, run, kind, None);
    }

    /// Writes an event that a person should see, and the same into the daemon's own log.
    pub(super) fn warn(&self, unit: Option<UnitId>, text: String) {
        let name = unit
            .and_then(|id| self.units.get(id))
            .map(|u| u.name.to_string());
        tracing::warn!(unit = name, "{text}");
        self.event(unit, None, EventKind::Warning { text });
    }

    fn record(&mut self, line: impl FnOnce() -> Line) {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(&line());
        }
    }

    /// The API serves: whoever waits for this daemon may go on.
    pub fn ready(&mut self) {
        point("adopt.ready");
        // Not before: until now the daemon of another version may have to take over again.
        if std::mem::take(&mut self.unmarked) {
            self.store.write(Entry::this_format(), false, None);
        }
        self.keeper.ready();
        self.tell_upgraded();
    }

    /// The API is there, and is to be ended so.
    pub fn serves(&mut self, api: ApiEnd) {
        self.api_end = Some(api);
    }
}

/// The fault point behind the core's answer to this.
fn decided(input: &Input) -> Option<&'static str> {
    match input {
        Input::Exited { .. } => Some("exit.decided"),
        Input::Command {
            command: Command::Apply { .. },
            ..
        } => Some("config.applied"),
        Input::Command { .. } => Some("command.decided"),
        _ => None,
    }
}
