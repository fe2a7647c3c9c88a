//! What must never happen around a run: hooks and sockets.

use abide_core::{Effect, HOOK_SLACK, Input, Outcome, Supervisor, UnitView};
use abide_model::{ActualState, EventKind, HookKind, Mono, Now, RunId, UnitId};

use crate::history::LONGEST_STOP;
use crate::watch::{Held, Watch, ensure};

/// What the watch knows of the hooks of one run.
#[derive(Default)]
pub struct Rites {
    /// `before_start` was ordered for this run, and nothing spawned yet.
    pub preparing: Option<RunId>,
    /// It succeeded.
    prepared: bool,
    /// `after_stop` is owed to the run that was begun then.
    due: Option<Mono>,
    /// `before_stop` was ordered, and nobody was told that it is over.
    before_stop: bool,
    /// `after_stop` was ordered.
    after_stop: bool,
    /// It was found that nobody is connected.
    unused: bool,
    /// It is ended for that.
    pub idle: bool,
}

/// Its run does not go on before such a hook is over.
pub fn holds_up(hook: HookKind) -> bool {
    matches!(
        hook,
        HookKind::BeforeStart | HookKind::BeforeStop | HookKind::AfterStop
    )
}

pub fn is_listening(view: &UnitView) -> bool {
    view.state == ActualState::Waiting && view.reason.as_deref() == Some("waits for a connection")
}

impl Watch {
    pub fn around_input(&mut self, core: &Supervisor, input: &Input) {
        match input {
            Input::Done { effect, outcome } => {
                let ok = *outcome == Outcome::Ok;
                if let Some((unit, run)) = self.preparations.remove(effect)
                    && let Some(book) = self.books.get_mut(&unit)
                    && book.rites.preparing == Some(run)
                {
                    book.rites.prepared = ok;
                }
                if let Some((unit, run)) = self.looks.remove(effect)
                    && let Some(book) = self.books.get_mut(&unit)
                    && book.run == Some(run)
                {
                    book.rites.unused = ok;
                }
            }
            Input::Connection { unit }
                if core.unit(*unit).is_some_and(|view| is_listening(&view)) =>
            {
                self.sockets.remove(unit);
            }
            _ => {}
        }
    }

    /// What comes before any other look at the effect.
    pub fn around_effect(
        &mut self,
        core: &Supervisor,
        now: Now,
        effect: &Effect,
        lives: Option<(RunId, bool)>,
    ) -> Held {
        match *effect {
            Effect::RunHook {
                unit,
                run,
                hook: HookKind::BeforeStart,
                ..
            } => {
                self.begins(core, now, unit, run, lives)?;
                let book = self.books.entry(unit).or_default();
                book.rites.preparing = Some(run);
                Ok(())
            }
            Effect::RunHook {
                unit,
                hook: HookKind::AfterStop,
                ..
            } => {
                let view = core.unit(unit);
                let time = view.and_then(|view| view.policy.hooks.time(HookKind::AfterStop));
                let book = self.books.entry(unit).or_default();
                book.rites.due = None;
                book.rites.after_stop = true;
                let time = time.unwrap_or_default() + HOOK_SLACK;
                book.kill_by = Some(now.mono.after(time));
                ensure(
                    lives.is_none(),
                    "after_stop is run when nothing is left",
                    || format!("{lives:?} of {unit} lives"),
                )
            }
            Effect::RunHook {
                unit,
                run,
                hook: HookKind::BeforeStop,
                ..
            } => {
                let book = self.books.entry(unit).or_default();
                book.rites.before_stop = true;
                ensure(book.stopping, "no effect without a cause", || {
                    format!("before_stop of {unit} {run}, and nobody was told that it stops")
                })
            }
            Effect::Event {
                unit: Some(unit),
                kind:
                    EventKind::HookDone {
                        hook: HookKind::BeforeStop,
                    }
                    | EventKind::HookFailed {
                        hook: HookKind::BeforeStop,
                        ..
                    },
                ..
            } => {
                let book = self.books.entry(unit).or_default();
                // What is left has all the time of the stop.
                if std::mem::take(&mut book.rites.before_stop) && book.kill_by.is_some() {
                    book.kill_by = Some(now.mono.after(LONGEST_STOP));
                }
                Ok(())
            }
            Effect::WatchSocket(unit) => {
                let new = self.sockets.insert(unit);
                ensure(new, "sockets are watched while a unit listens", || {
                    format!("those of {unit} are to be watched twice")
                })
            }
            Effect::UnwatchSocket(unit) => {
                self.sockets.remove(&unit);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A spawn of a run for which `before_start` was ordered before. `None`: there was none.
    pub fn spawn_prepared(&mut self, core: &Supervisor, unit: UnitId, run: RunId) -> Option<Held> {
        let has = core
            .unit(unit)
            .is_some_and(|view| view.policy.hooks.time(HookKind::BeforeStart).is_some());
        let held = self.held.contains(&unit);
        let book = self.books.entry(unit).or_default();
        if book.rites.preparing.take() == Some(run) {
            let ready = book.rites.prepared && !book.stopping && !held;
            return Some(ensure(
                ready,
                "nothing is spawned before before_start succeeded",
                || format!("{unit} {run}"),
            ));
        }
        has.then(|| {
            ensure(
                false,
                "nothing is spawned before before_start succeeded",
                || format!("{unit} {run} was not prepared"),
            )
        })
    }

    /// A run begins: is the one before it over?
    pub fn rites_at_begin(
        &mut self,
        core: &Supervisor,
        now: Now,
        unit: UnitId,
    ) -> Result<Rites, super::Violation> {
        let hooks = core.unit(unit).map(|view| &view.policy.hooks);
        let has = hooks.is_some_and(|hooks| hooks.time(HookKind::AfterStop).is_some());
        let book = self.books.entry(unit).or_default();
        let owed = has && book.rites.due.is_some_and(|at| self.last_change < at);
        ensure(!owed, "after_stop follows each run", || {
            format!("{unit} begins a run, and after_stop of the one before was not run")
        })?;
        Ok(Rites {
            due: has.then_some(now.mono),
            ..Rites::default()
        })
    }

    /// The run is to end for this reason.
    pub fn rites_at_stop(&mut self, view: &UnitView, reason: &str) -> Held {
        let book = self.books.entry(view.id).or_default();
        book.rites.idle = reason.contains("not used");
        let found = !book.rites.idle || book.rites.unused;
        // By when it must be over.
        let hooks = &view.policy.hooks;
        if !hooks.0.is_empty() || book.rites.preparing.is_some() {
            let time = hooks.time(HookKind::BeforeStop).unwrap_or_default();
            book.kill_by = book.kill_by.map(|by| by.after(time).after(HOOK_SLACK));
        }
        ensure(found, "only what nobody uses is stopped as idle", || {
            format!("{} is stopped: {reason}", view.name)
        })
    }

    /// What follows a hook is among the effects that have not been polled yet.
    pub fn hook_is_over(&self, view: &UnitView) -> bool {
        let runs = |hook| view.reason.as_ref().is_some_and(|why| why.contains(hook));
        self.books.get(&view.id).is_some_and(|book| {
            book.rites.before_stop && !runs("runs before_stop")
                || !book.rites.after_stop && runs("runs after_stop")
        })
    }

    pub fn around_at_rest(&self, view: &UnitView) -> Held {
        let listens = is_listening(view);
        ensure(
            listens == self.sockets.contains(&view.id),
            "sockets are watched while a unit listens",
            || format!("{} is {} ({:?})", view.name, view.state, view.reason),
        )
    }
}
