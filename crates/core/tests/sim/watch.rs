//! What must never happen, whatever the world does. The watch sees what goes into the core and what
//! comes out, and keeps its own books; it asks the core only what it shows to everybody.

mod around;
mod graph;
mod rest;
mod rolling;
mod vitals;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use abide_core::{Command, Effect, HOOK_SLACK, Input, Outcome, Supervisor, UnitView};
use abide_model::{
    ActualState, Backoff, BackoffCurve, EffectId, EventKind, ExitStatus, HookKind, Mono, Now,
    OperationId, OperationKind, RequestId, RunId, UnitId, UnitName, UnitType,
};

use crate::history::LONGEST_STOP;

pub use around::holds_up;
use around::{Rites, is_listening};
use graph::{acyclic, is_going, needed};
use vitals::Vitals;

#[derive(Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub detail: String,
}

type Held = Result<(), Violation>;

fn ensure(holds: bool, invariant: &'static str, detail: impl FnOnce() -> String) -> Held {
    if holds {
        Ok(())
    } else {
        Err(Violation {
            invariant,
            detail: detail(),
        })
    }
}

/// The watch's own book of one unit.
#[derive(Default)]
struct Book {
    /// The highest run that was executed.
    executed: Option<RunId>,
    run: Option<RunId>,
    ordered_at: Mono,
    /// When the answer to the spawn came; `None` when that is not known for sure.
    spawned_at: Option<Mono>,
    spawned: bool,
    ready_at: Option<Mono>,
    last_beat: Option<Mono>,
    exited_at: Option<Mono>,
    up: bool,
    stopping: bool,
    /// The tree must be killed by then.
    kill_by: Option<Mono>,
    /// The end of its tree will be told.
    watched: bool,
    /// Restarts in a row that the watch is sure of.
    row: u32,
    /// The restart that was announced may not come before.
    not_before: Option<Mono>,
    restarts: Vec<Mono>,
    rites: Rites,
    vitals: Vitals,
}

#[derive(Default)]
pub struct Watch {
    books: BTreeMap<UnitId, Book>,
    /// Stopped by a person by name, with the command's answer given.
    held: BTreeSet<UnitId>,
    stops: BTreeMap<RequestId, Vec<UnitId>>,
    unanswered: BTreeSet<RequestId>,
    spawns: BTreeMap<EffectId, (UnitId, RunId)>,
    /// Orders to run `before_start`, and to look whether anybody is connected.
    preparations: BTreeMap<EffectId, (UnitId, RunId)>,
    looks: BTreeMap<EffectId, (UnitId, RunId)>,
    /// Units whose sockets are being watched.
    sockets: BTreeSet<UnitId>,
    last_command: Mono,
    /// The last time the graph or a policy may have changed.
    last_change: Mono,
    /// When a person last stopped each unit by name.
    stopped_at: BTreeMap<UnitId, Mono>,
    operations: BTreeSet<OperationId>,
    rolling: rolling::Books,
    /// A full disk made a daemon forget what an earlier one was told.
    pub forgot_writes: bool,
}

impl Watch {
    /// A person asks; called before the core hears it.
    pub fn command(&mut self, core: &Supervisor, now: Now, request: RequestId, command: &Command) {
        self.unanswered.insert(request);
        self.last_command = now.mono;
        self.rolling.command(core, request, command);
        // What abide counts by itself may begin anew.
        for book in self.books.values_mut() {
            book.row = 0;
            book.not_before = None;
            book.restarts.clear();
        }
        match command {
            Command::Stop(units) => {
                self.stopped_at
                    .extend(units.iter().map(|unit| (*unit, now.mono)));
                self.stops.insert(request, units.clone());
            }
            Command::Start(units) | Command::Restart(units) => {
                for unit in needed(core, units) {
                    self.release(unit);
                }
            }
            Command::Apply { kind, sources, .. } => {
                self.last_change = now.mono;
                for def in sources.iter().flat_map(|(_, defs)| defs) {
                    let going = core.unit(def.id).is_some_and(|view| is_going(&view));
                    if *kind == OperationKind::Run || going {
                        self.release(def.id);
                    }
                }
            }
            Command::Remove(units) => units.iter().for_each(|unit| self.release(*unit)),
            Command::DownSource(_) | Command::Down => self.last_change = now.mono,
            _ => {}
        }
    }

    fn release(&mut self, unit: UnitId) {
        self.held.remove(&unit);
        for units in self.stops.values_mut() {
            units.retain(|other| *other != unit);
        }
    }

    /// The command's answer was given to the person.
    pub fn released(&mut self, request: RequestId) {
        self.held
            .extend(self.stops.remove(&request).unwrap_or_default());
    }

    pub fn answered(&mut self, request: RequestId) -> Held {
        ensure(
            !self.unanswered.contains(&request),
            "each command is answered",
            || format!("{request} got no answer"),
        )
    }

    pub fn input(&mut self, core: &Supervisor, now: Now, input: &Input) {
        self.around_input(core, input);
        self.vital_input(core, now, input);
        match input {
            Input::Done {
                effect,
                outcome: Outcome::Spawned { .. },
            } => {
                if let Some((unit, run)) = self.spawns.remove(effect)
                    && let Some(book) = self.books.get_mut(&unit)
                    && book.run == Some(run)
                {
                    book.spawned_at = Some(now.mono);
                    book.spawned = true;
                }
            }
            Input::Exited { unit, run, .. } => {
                if let Some(book) = self.books.get_mut(unit)
                    && book.run == Some(*run)
                    && book.exited_at.is_none()
                {
                    book.exited_at = Some(now.mono);
                }
            }
            Input::Beat { unit, run } => {
                if let Some(book) = self.books.get_mut(unit)
                    && book.run == Some(*run)
                {
                    book.last_beat = Some(now.mono);
                }
            }
            _ => {}
        }
    }

    /// The operating system executed a program.
    pub fn executed(&mut self, unit: UnitId, run: RunId) {
        self.books.entry(unit).or_default().executed = Some(run);
    }

    /// An effect came out; `lives` is what the operating system has of its unit.
    pub fn effect(
        &mut self,
        core: &Supervisor,
        now: Now,
        effect: &Effect,
        lives: Option<(RunId, bool)>,
    ) -> Held {
        self.around_effect(core, now, effect, lives)?;
        self.vital_effect(core, now, effect)?;
        match effect {
            Effect::Spawn { unit, run, .. } => self.spawn(core, now, *unit, *run, lives),
            Effect::AskStop { unit, run, .. } => {
                let book = self.books.entry(*unit).or_default();
                ensure(book.stopping, "no effect without a cause", || {
                    format!("{unit} {run} is asked to stop, and nobody was told that it stops")
                })
            }
            Effect::KillTree { unit, run, .. } => {
                let book = self.books.entry(*unit).or_default();
                book.kill_by = None;
                let alive = lives == Some((*run, true));
                let cause = book.stopping || book.exited_at.is_some() || !alive;
                ensure(cause, "no effect without a cause", || {
                    format!("{unit} {run} lives and is killed, and nobody was told why")
                })
            }
            Effect::WatchTree { unit, run } => {
                let book = self.books.entry(*unit).or_default();
                book.watched = true;
                ensure(book.stopping, "no effect without a cause", || {
                    format!("{unit} {run} is watched, and nobody was told that it stops")
                })
            }
            Effect::Reply {
                request, answer, ..
            } => {
                if let Ok(operation) = answer {
                    self.operations.insert(*operation);
                }
                self.rolling
                    .replied(core, *request, answer.as_ref().ok().copied());
                let first = self.unanswered.remove(request);
                ensure(first, "each command is answered once", || {
                    format!("{request} again")
                })?;
                if answer.is_err() {
                    self.stops.remove(request);
                }
                acyclic(core)
            }
            Effect::Event {
                unit: Some(unit),
                run,
                kind,
            } => self.event(core, now, *unit, *run, kind),
            Effect::Forget(unit) => {
                self.release(*unit);
                self.books.remove(unit);
                let watched = self.sockets.remove(unit);
                ensure(!watched, "sockets are watched while a unit listens", || {
                    format!("{unit} is gone, and its sockets are watched")
                })
            }
            _ => Ok(()),
        }
    }

    /// The effect's id, so that its answer can be told.
    pub fn spawn_ordered(&mut self, effect: EffectId, unit: UnitId, run: RunId) {
        self.spawns.insert(effect, (unit, run));
    }

    /// The effect's id, so that its answer can be told.
    pub fn around_ordered(&mut self, id: EffectId, effect: &Effect) {
        match *effect {
            Effect::RunHook {
                unit,
                run,
                hook: HookKind::BeforeStart,
                ..
            } => {
                self.preparations.insert(id, (unit, run));
            }
            Effect::LookIdle { unit, run } => {
                self.looks.insert(id, (unit, run));
            }
            _ => {}
        }
    }

    fn spawn(
        &mut self,
        core: &Supervisor,
        now: Now,
        unit: UnitId,
        run: RunId,
        lives: Option<(RunId, bool)>,
    ) -> Held {
        if let Some(held) = self.spawn_prepared(core, unit, run) {
            ensure(lives.is_none(), "never two live runs of one unit", || {
                format!("{unit} {run} is spawned while {lives:?} lives")
            })?;
            return held;
        }
        self.begins(core, now, unit, run, lives)
    }

    /// A run begins: its first hook, or its spawn.
    fn begins(
        &mut self,
        core: &Supervisor,
        now: Now,
        unit: UnitId,
        run: RunId,
        lives: Option<(RunId, bool)>,
    ) -> Held {
        ensure(lives.is_none(), "never two live runs of one unit", || {
            format!("{unit} {run} is spawned while {lives:?} lives")
        })?;
        ensure(
            !self.held.contains(&unit),
            "a stop is undone by nobody but a person",
            || format!("{unit} {run} is spawned, though a person stopped it"),
        )?;
        let view = core.unit(unit);
        for name in view.iter().flat_map(|view| &view.policy.requires) {
            let needed = core.id_of(name);
            // A service that became a oneshot under its feet may count as done.
            let changed = |book: &Book| self.last_change >= book.ordered_at;
            let up = needed.is_some_and(|id| {
                let view = core.unit(id);
                let listens = view.as_ref().is_some_and(is_listening);
                let shown = view.is_some_and(|view| view.ready);
                self.books
                    .get(&id)
                    .is_some_and(|book| book.up || changed(book) && shown)
                    || listens
            });
            // A turn that comes at once may have changed what it requires.
            let up = up || self.rolling.any;
            ensure(up, "nothing starts before what it requires is up", || {
                format!(
                    "{unit} {run} is spawned while {name} is not up: {:?}",
                    needed.and_then(|id| core.unit(id))
                )
            })?;
        }
        let rites = self.rites_at_begin(core, now, unit)?;
        let book = self.books.entry(unit).or_default();
        ensure(
            book.executed.is_none_or(|last| last < run),
            "no run id is used twice",
            || format!("{unit} {run} comes after {:?}", book.executed),
        )?;
        ensure(
            book.not_before.is_none_or(|due| now.mono >= due),
            "restarts are never faster than the policy allows",
            || {
                format!(
                    "{unit} {run} is spawned at {:?}, due at {:?}",
                    now.mono, book.not_before
                )
            },
        )?;
        let old = std::mem::take(book);
        *book = Book {
            executed: old.executed,
            run: Some(run),
            ordered_at: now.mono,
            row: old.row,
            restarts: old.restarts,
            rites,
            ..Book::default()
        };
        Ok(())
    }

    fn event(
        &mut self,
        core: &Supervisor,
        now: Now,
        unit: UnitId,
        run: Option<RunId>,
        kind: &EventKind,
    ) -> Held {
        let Some(view) = core.unit(unit) else {
            return Ok(());
        };
        self.vital_event(now, &view, kind)?;
        self.rolling.event(core, now, &view, run, kind)?;
        let new_version = matches!(kind, EventKind::Changed);
        let by_hand =
            matches!(kind, EventKind::Stopping { reason } if reason == "restarted by hand");
        if new_version || by_hand {
            // What abide counted by itself begins anew.
            let book = self.books.entry(unit).or_default();
            (book.row, book.not_before) = (0, None);
            book.restarts.clear();
        }
        if new_version {
            self.last_change = now.mono;
        }
        match kind {
            EventKind::Stopping { reason } => return self.stopping(core, now, &view, reason),
            EventKind::RestartScheduled { delay_ms, .. } => {
                return self.restart_scheduled(now, &view, *delay_ms);
            }
            EventKind::HeartbeatMissed { .. } => {
                let stopping = self.books.get(&unit).is_some_and(|book| book.stopping);
                return ensure(
                    !stopping,
                    "beats are not counted while a run is stopped",
                    || format!("{unit} {run:?}"),
                );
            }
            _ => {}
        }
        let book = self.books.entry(unit).or_default();
        match kind {
            EventKind::Started { .. } => {
                book.up |= view.policy.ready.is_none()
                    && view.policy.unit_type == UnitType::Service
                    && book.exited_at.is_none();
            }
            // The run before ended without a restart that would have told how long it was.
            EventKind::Connection => book.row = 0,
            EventKind::Ready => {
                book.ready_at = Some(now.mono);
                book.up = view.policy.unit_type == UnitType::Service;
            }
            // Nothing is left of it: nothing is to be killed.
            EventKind::StopReport { .. } => book.kill_by = None,
            // A new daemon tells of the end of a run whose successor is there already.
            EventKind::Exited { .. } if run < book.run => {}
            EventKind::Exited { status, .. } => {
                let done =
                    view.policy.unit_type == UnitType::Oneshot && *status == ExitStatus::Code(0);
                book.up = done;
                book.exited_at.get_or_insert(now.mono);
            }
            _ => {}
        }
        Ok(())
    }

    fn stopping(&mut self, core: &Supervisor, now: Now, view: &UnitView, reason: &str) -> Held {
        let unit = view.id;
        let changed = self.last_change;
        let book = self.books.entry(unit).or_default();
        (book.up, book.stopping) = (false, true);
        book.kill_by = Some(now.mono.after(LONGEST_STOP));
        let spawned = book.rites.preparing.is_none();
        self.rites_at_stop(view, reason)?;
        let book = self.books.entry(unit).or_default();
        // Under an older policy it may have had less.
        let unchanged = changed < book.ordered_at && !self.rolling.any;
        if let (true, Some(ready)) = (
            unchanged && reason.contains("not ready"),
            &view.policy.ready,
        ) {
            let due = book.spawned_at.map(|at| at.after(ready.within));
            return ensure(
                due.is_none_or(|due| now.mono >= due),
                "a run has all its time to become ready",
                || {
                    format!(
                        "{unit} is ended at {:?}, its time is over at {due:?}",
                        now.mono
                    )
                },
            );
        }
        if let (true, Some(heartbeat)) = (
            unchanged && reason.contains("heartbeat"),
            &view.policy.heartbeat,
        ) {
            let last = book.last_beat.max(book.ready_at).max(book.spawned_at);
            let every = book.vitals.owes.unwrap_or(heartbeat.every);
            let due = last.map(|at| at.after(every));
            return ensure(
                due.is_none_or(|due| now.mono >= due),
                "a run has all its time to beat",
                || {
                    format!(
                        "{unit} is ended at {:?}, its last sign was at {last:?}",
                        now.mono
                    )
                },
            );
        }
        let by_a_person = ["by hand", "changed", "removed", "goes down"];
        let later = self.rolling.any; // a rolling operation comes to it when it does
        if !later && by_a_person.iter().any(|words| reason.contains(words)) {
            let ordered = book.ordered_at;
            ensure(
                self.last_command >= ordered,
                "no effect without a cause",
                || format!("{unit} is stopped ({reason}) without a command since {ordered:?}"),
            )?;
        }
        let all_go = reason.contains("goes down");
        // What began to depend on it after that stop was asked for does not stop with it.
        let stopped_at = self.stopped_at.get(&unit);
        let undisturbed =
            stopped_at.is_some_and(|at| *at > self.last_change) && reason == "stopped by hand";
        // A halt may change what the others require within the same turn.
        let undisturbed = undisturbed && !self.rolling.any;
        if !(all_go || undisturbed) || !spawned {
            return Ok(());
        }
        for other in core.units() {
            let needs = |names: &[UnitName]| names.contains(view.name);
            let depends = needs(&other.policy.requires)
                || all_go && (needs(&other.policy.wants) || needs(&other.policy.after));
            let live = self
                .books
                .get(&other.id)
                .is_some_and(|book| book.spawned && book.exited_at.is_none());
            ensure(
                !(depends && live && !is_going(&other)),
                "units stop in the reverse of their order of start",
                || {
                    format!(
                        "{} stops while {} is {}",
                        view.name, other.name, other.state
                    )
                },
            )?;
        }
        Ok(())
    }

    fn restart_scheduled(&mut self, now: Now, view: &UnitView, delay_ms: u64) -> Held {
        let unit = view.id;
        let book = self.books.entry(unit).or_default();
        ensure(!book.rites.idle, "an idle stop is no failure", || {
            format!("{unit} is restarted for it")
        })?;
        let delay = Duration::from_millis(delay_ms);
        let reset_after = match view.policy.backoff {
            Backoff::None => abide_core::DEFAULT_RESET_AFTER,
            Backoff::Exponential(curve) => curve.reset_after,
        };
        let end = book.exited_at;
        let unchanged = self.last_change < book.ordered_at && !self.rolling.any;
        if let (Some(spawned), Some(end), true) = (book.spawned_at, end, unchanged) {
            if end.since(spawned) >= reset_after {
                ensure(
                    delay_ms == 0,
                    "a restart after a stable run is immediate",
                    || {
                        format!(
                            "{unit} ran for {:?} and waits {delay:?}",
                            end.since(spawned)
                        )
                    },
                )?;
                book.row = 0;
            }
        } else {
            book.row = 0;
        }
        let least = least_wait(&view.policy.backoff, book.row);
        ensure(
            delay + Duration::from_millis(2) >= least,
            "restarts are never faster than the policy allows",
            || {
                format!(
                    "{unit} waits {delay:?} after {} restarts in a row",
                    book.row
                )
            },
        )?;
        book.row += 1;
        book.not_before = Some(now.mono.after(delay));
        book.restarts.push(now.mono);
        if let Some(give_up) = view.policy.give_up {
            book.restarts
                .retain(|at| now.mono.since(*at) < give_up.within);
            ensure(
                book.restarts.len() as u64 <= u64::from(give_up.restarts),
                "a unit is given up after too many restarts",
                || format!("{unit} is restarted for the {}th time", book.restarts.len()),
            )?;
        }
        Ok(())
    }

    /// A new daemon is there; what the books say of the old one's time is not known for sure.
    /// `due`: the restarts that were written down. `lost`: the disk had refused writes.
    pub fn resumed(
        &mut self,
        core: &Supervisor,
        now: Now,
        due: &BTreeMap<UnitId, Mono>,
        continues: bool,
        lost: bool,
    ) {
        self.rolling.resumed(continues, lost || self.forgot_writes);
        self.unanswered.clear();
        self.stops.clear();
        self.spawns.clear();
        self.preparations.clear();
        self.looks.clear();
        self.sockets.clear();
        self.last_change = now.mono;
        // A command to the old daemon may have its effects only now.
        self.last_command = now.mono;
        if lost {
            self.forgot_writes = true;
            self.held.clear();
        }
        self.stopped_at.clear();
        for view in core.units() {
            let book = self.books.entry(view.id).or_default();
            // A restart by the old daemon may have begun without having been written down.
            let same_run = book.run == view.run && view.state == ActualState::Backoff;
            let row = if continues && same_run { book.row } else { 0 };
            *book = Book {
                // A reservation that a full disk refused does not outlast the boot.
                executed: book.executed.filter(|_| !lost),
                run: view.run,
                ordered_at: now.mono,
                spawned: view.pid.is_some(),
                stopping: view.state == ActualState::Stopping,
                up: view.ready,
                row,
                not_before: due.get(&view.id).copied(),
                ..Book::default()
            };
            if view.state == ActualState::Stopping {
                let hook = view.policy.hooks.time(HookKind::BeforeStop);
                let hook = hook.map_or(Duration::ZERO, |time| time + HOOK_SLACK);
                book.kill_by = Some(now.mono.after(LONGEST_STOP).after(hook));
            }
        }
    }

    pub fn halted(&self, lives: Option<UnitId>) -> Held {
        ensure(
            lives.is_none(),
            "everything is down when the daemon halts",
            || format!("{lives:?} lives"),
        )
    }
}

/// The shortest wait that the policy allows after so many restarts in a row.
fn least_wait(backoff: &Backoff, row: u32) -> Duration {
    let Backoff::Exponential(BackoffCurve {
        initial,
        factor,
        max,
        jitter,
        ..
    }) = *backoff
    else {
        return Duration::ZERO;
    };
    if row == 0 {
        return Duration::ZERO;
    }
    let plain = initial.as_secs_f64() * factor.powi(i32::try_from(row).expect("few") - 1);
    Duration::from_secs_f64(plain.min(max.as_secs_f64()) * (1.0 - jitter))
}
