//! The watch's books of what shows whether a program lives: rounds of checks, reloads, and what the
//! program said of itself.

use std::time::Duration;

use abide_core::{ANSWER_SLACK, Effect, Input, Outcome, Supervisor, UnitView};
use abide_model::{ActualState, EffectId, EventKind, Mono, Now, OnUnhealthy, RunId, UnitId};

use crate::watch::{Book, Held, Watch, ensure};

/// The book of one run.
#[derive(Default)]
pub(super) struct Vitals {
    probe: Option<(EffectId, Mono)>,
    probed: bool,
    failures: u32,
    proven: bool,
    /// Something happened that the watch cannot judge.
    unsure: bool,
    past_help: bool,
    /// It must be gone or stopping by then.
    stops_by: Option<Mono>,
    /// It asked for so much time.
    pub extended: Mono,
    pub owes: Option<Duration>,
    /// A reload was asked for, and so much was said since.
    reload: Option<u8>,
}

/// It is to end, but others come first.
fn waits_for_its_turn(view: &UnitView) -> bool {
    let why = view.reason.as_deref();
    why.is_some_and(|why| why.contains("stops after"))
}

fn is_up(view: &UnitView) -> bool {
    matches!(view.state, ActualState::Running | ActualState::Starting)
}

impl Book {
    fn round_over(&mut self, now: Now, view: &UnitView, good: bool) {
        let Some(check) = &view.policy.health else {
            return;
        };
        if waits_for_its_turn(view) {
            self.vitals.unsure = true;
        }
        let since = self.ready_at.or(self.spawned_at);
        let forgiven =
            !self.vitals.proven && since.is_none_or(|at| now.mono < at.after(check.grace));
        if good {
            (self.vitals.failures, self.vitals.proven) = (0, true);
        } else if !forgiven {
            self.vitals.failures += 1;
        }
    }
}

impl Watch {
    /// The policy that the run began under, which was not changed since, is judged by.
    fn sure(&self, view: &UnitView) -> bool {
        self.books.get(&view.id).is_some_and(|book| {
            self.last_change < book.ordered_at && book.run == view.run && !book.vitals.unsure
        })
    }

    pub fn probe_ordered(&mut self, effect: EffectId, unit: UnitId, _run: RunId, now: Now) {
        if let Some(book) = self.books.get_mut(&unit) {
            book.vitals.probe = Some((effect, now.mono));
        }
    }

    pub(super) fn vital_input(&mut self, core: &Supervisor, now: Now, input: &Input) {
        if let Input::Done { effect, outcome } = input {
            for (unit, book) in &mut self.books {
                if book.vitals.probe.is_some_and(|(probe, _)| probe == *effect) {
                    book.vitals.probe = None;
                    if let Some(view) = core.unit(*unit) {
                        book.round_over(now, &view, *outcome == Outcome::Ok);
                    }
                }
            }
            return;
        }
        let (Input::BeatInterval { unit, run, .. }
        | Input::BeatTrigger { unit, run }
        | Input::Reloading { unit, run }
        | Input::Ready { unit, run }
        | Input::ExtendTimeout { unit, run, .. }) = input
        else {
            return;
        };
        let (Some(view), Some(book)) = (core.unit(*unit), self.books.get_mut(unit)) else {
            return;
        };
        if book.run != Some(*run) || book.exited_at.is_some() && !book.stopping {
            return;
        }
        match input {
            Input::BeatInterval { every, .. } => book.vitals.owes = Some(*every),
            Input::BeatTrigger { .. } => {
                book.vitals.past_help |=
                    is_up(&view) && view.pid.is_some() && !waits_for_its_turn(&view);
            }
            Input::Reloading { .. } => {
                book.vitals.reload = book.vitals.reload.map(|said| said.max(1));
            }
            Input::Ready { .. } if book.vitals.reload == Some(1) => book.vitals.reload = Some(2),
            Input::ExtendTimeout { by, .. } => {
                let until = now.mono.after(*by);
                book.vitals.extended = book.vitals.extended.max(until);
                book.kill_by = book.kill_by.map(|at| at.max(until));
            }
            _ => {}
        }
    }

    pub(super) fn vital_effect(&mut self, core: &Supervisor, now: Now, effect: &Effect) -> Held {
        match effect {
            Effect::Probe { unit, run } => {
                let unchanged = self
                    .books
                    .get(unit)
                    .is_some_and(|book| self.last_change < book.ordered_at);
                let book = self.books.entry(*unit).or_default();
                let over = book.run != Some(*run) || book.stopping || book.exited_at.is_some();
                ensure(!over, "nobody probes a run that is over", || {
                    format!("{unit} {run}")
                })?;
                ensure(
                    book.vitals.probe.is_none(),
                    "there is one round at a time",
                    || format!("{unit} {run}: {:?} has no answer", book.vitals.probe),
                )?;
                let ready = book.ready_at.or(book.spawned_at);
                let first = !std::mem::replace(&mut book.vitals.probed, true);
                ensure(
                    !(first && unchanged && ready == Some(now.mono)),
                    "first rounds are spread",
                    || format!("{unit} {run} is probed at the instant when it is ready"),
                )
            }
            Effect::Reload { unit, run } => {
                let book = self.books.entry(*unit).or_default();
                book.vitals.reload = Some(0);
                let over = book.run != Some(*run) || book.stopping || book.exited_at.is_some();
                let view = core.unit(*unit);
                ensure(
                    !over && view.is_some_and(|view| view.policy.reload.is_some()),
                    "what is told to reload is up and knows how",
                    || format!("{unit} {run}"),
                )
            }
            _ => Ok(()),
        }
    }

    pub(super) fn vital_event(&mut self, now: Now, view: &UnitView, kind: &EventKind) -> Held {
        let (unit, sure) = (view.id, self.sure(view));
        let book = self.books.entry(unit).or_default();
        match kind {
            EventKind::SelfStopping => {
                book.up = false;
                book.up = false;
                // A round that is under way counts for nothing.
                book.vitals.probe = None;
                book.vitals.stops_by = Some(now.mono.after(view.policy.stop.within));
            }
            EventKind::Unhealthy { .. } => {
                ensure(
                    !book.stopping,
                    "health is not judged while a run is stopped",
                    || format!("{unit}"),
                )?;
                let misses = view.policy.health.as_ref().map_or(0, |check| check.misses);
                return ensure(
                    !sure || book.vitals.failures >= misses,
                    "a unit is unhealthy after its misses and not before",
                    || format!("{unit} after {} bad rounds", book.vitals.failures),
                );
            }
            EventKind::UnitReloaded => {
                let said = book.vitals.reload.take();
                let confirms = view.policy.reload.as_ref().is_some_and(|r| r.confirm);
                return ensure(
                    !sure || !confirms || said.is_none_or(|said| said == 2),
                    "a reload is done when it is confirmed",
                    || format!("{unit} is reloaded"),
                );
            }
            EventKind::UnitReloadFailed { .. } => book.vitals.reload = None,
            _ => {}
        }
        Ok(())
    }

    /// The core has done all that is due.
    pub(super) fn vitals_after_timeout(&mut self, core: &Supervisor, now: Now) -> Held {
        for view in core.units() {
            let Some(book) = self.books.get_mut(&view.id) else {
                continue;
            };
            let timeout = view.policy.health.as_ref().map(|check| check.timeout);
            if let (Some((_, began)), Some(timeout)) = (book.vitals.probe, timeout)
                && began.after(timeout).after(ANSWER_SLACK) <= now.mono
            {
                book.vitals.probe = None;
                book.round_over(now, &view, false);
            }
            let stops_by = book.vitals.stops_by.map(|by| by.max(book.vitals.extended));
            let overdue = stops_by.is_some_and(|by| by <= now.mono);
            if overdue && waits_for_its_turn(&view) {
                // Should it be let live after all, it has its time again.
                let again = view.policy.stop.within.max(Duration::from_secs(1));
                book.vitals.stops_by = Some(now.mono.after(again));
                continue;
            }
            let lives = is_up(&view) && book.run == view.run && view.pid.is_some();
            ensure(
                !(overdue && lives),
                "a program that stops by itself has an end of its time",
                || format!("{} said so, and had until {stops_by:?}", view.name),
            )?;
        }
        Ok(())
    }

    pub(super) fn vitals_at_rest(&self, core: &Supervisor, now: Now, view: &UnitView) -> Held {
        let Some(book) = self.books.get(&view.id).filter(|book| book.run == view.run) else {
            return Ok(());
        };
        let name = view.name;
        ensure(
            !(book.vitals.past_help && is_up(view) && view.pid.is_some()),
            "a program that is past help is ended",
            || format!("{name} said so, and is {}", view.state),
        )?;
        let running = view.state == ActualState::Running && view.pid.is_some();
        let Some(check) = view
            .policy
            .health
            .as_ref()
            .filter(|_| running && self.sure(view) && !waits_for_its_turn(view))
        else {
            return Ok(());
        };
        ensure(
            view.failures == book.vitals.failures,
            "a bad round is counted once, and nothing else is",
            || {
                format!(
                    "{name} has {}, counted were {}",
                    view.failures, book.vitals.failures
                )
            },
        )?;
        ensure(
            view.failures < check.misses || check.on_unhealthy != OnUnhealthy::Restart,
            "an unhealthy unit is restarted where its policy says so",
            || format!("{name} runs after {} bad rounds", view.failures),
        )?;
        let wake = core.poll_timeout().mono.map(|(at, _)| at);
        let next = now
            .mono
            .after(check.every)
            .after(check.timeout)
            .after(ANSWER_SLACK);
        ensure(
            book.vitals.stops_by.is_some() || wake.is_some_and(|at| at <= next),
            "checks go on while a unit runs",
            || format!("{name}: nothing is due before {wake:?}"),
        )
    }
}
