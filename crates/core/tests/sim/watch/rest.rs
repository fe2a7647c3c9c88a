//! What must hold whenever nothing is under way inside the core, and when faults have ceased.

use std::collections::BTreeMap;
use std::time::Duration;

use abide_core::{Supervisor, UnitView};
use abide_model::{ActualState, DesiredState, Mono, Now, OperationState, RunId, UnitId, UnitName};

use crate::watch::around::is_listening;
use crate::watch::{Held, Watch, ensure};

impl Watch {
    pub fn after_timeout(&mut self, core: &Supervisor, now: Now) -> Held {
        let next = core.poll_timeout().mono;
        ensure(
            next.is_none_or(|(at, _)| at > now.mono),
            "after a time-out the next deadline is later",
            || format!("{next:?} at {:?}", now.mono),
        )?;
        self.vitals_after_timeout(core, now)?;
        for view in core.units() {
            let late = self.books.get(&view.id).and_then(|book| book.kill_by);
            let stopping = view.state == ActualState::Stopping;
            ensure(
                !stopping
                    || late.is_none_or(|by| by > now.mono)
                    || self.will_kill(core, &view, now)
                    || self.hook_is_over(&view),
                "a stop always ends",
                || format!("{} should have been killed at {late:?}", view.name),
            )?;
        }
        Ok(())
    }

    /// The kill is among the effects that have not been polled yet: the core says so by its deadline.
    fn will_kill(&self, core: &Supervisor, view: &UnitView, now: Now) -> bool {
        core.explain(view.id, now)
            .is_some_and(|why| why.changes.iter().any(|text| text.contains("killed again")))
    }

    /// Nothing is under way inside the core.
    pub fn at_rest(&mut self, core: &Supervisor, now: Now) -> Held {
        let mut going_down = false;
        for view in core.units() {
            going_down |= view.desired == DesiredState::Up && view.state == ActualState::Stopped;
        }
        if going_down {
            // Only `Down` leaves a wanted unit stopped.
            let down = core.explain(core.units().next().expect("has units").id, now);
            let any_down = core.units().any(|view| {
                core.explain(view.id, now)
                    .is_some_and(|why| why.cause.contains("everything goes down"))
            });
            ensure(
                any_down || down.is_none(),
                "an up unit is up or has a deadline",
                || "a wanted unit is stopped, and nothing is due".into(),
            )?;
        }
        for view in core.units() {
            self.unit_at_rest(core, now, &view)?;
        }
        self.rolling.at_rest(core, now)
    }

    fn unit_at_rest(&self, core: &Supervisor, now: Now, view: &UnitView) -> Held {
        let wake = core.poll_timeout().mono.map(|(at, _)| at);
        let name = view.name;
        self.around_at_rest(view)?;
        self.vitals_at_rest(core, now, view)?;
        match view.state {
            ActualState::Backoff => {
                let due = view.next_start;
                ensure(
                    due.is_some_and(|due| wake.is_some_and(|wake| wake <= due)),
                    "an up unit is up or has a deadline",
                    || format!("{name} waits for {due:?}, the next wake is at {wake:?}"),
                )?;
                ensure(
                    view.desired == DesiredState::Up,
                    "what is not wanted does not restart",
                    || format!("{name} is not wanted and waits for its restart"),
                )
            }
            ActualState::Waiting if is_listening(view) => Ok(()),
            ActualState::Waiting => {
                let why = core.explain(view.id, now);
                ensure(
                    why.is_some_and(|why| !why.waits_for.is_empty()),
                    "an up unit is up or has a deadline",
                    || format!("{name} waits for nothing"),
                )
            }
            ActualState::Starting if view.pid.is_some() => {
                let limit = view.policy.ready.as_ref().map(|ready| ready.within);
                let since = self.books.get(&view.id).and_then(|book| book.spawned_at);
                let unchanged = self
                    .books
                    .get(&view.id)
                    .is_some_and(|book| self.last_change < book.ordered_at);
                let extended = self.books.get(&view.id).map(|book| book.vitals.extended);
                let late = |at: Mono| {
                    limit.is_none_or(|within| {
                        let due = at.after(within).max(extended.unwrap_or_default());
                        wake.is_none() || now.mono > due.after(Duration::from_secs(60))
                    })
                };
                // The driver may have slept over the deadline, but not for ever.
                ensure(
                    !(unchanged && since.is_some_and(late)),
                    "an up unit is up or has a deadline",
                    || format!("{name} is starting since {since:?}"),
                )
            }
            ActualState::Stopping => {
                let hooked = view
                    .reason
                    .as_ref()
                    .is_some_and(|why| why.contains("runs "));
                let unheeded = !hooked
                    && self.books.get(&view.id).is_some_and(|book| {
                        book.exited_at.is_some() && book.kill_by.is_some() && !book.watched
                    });
                ensure(!unheeded, "a stop ends with the last process", || {
                    format!("the main process of {name} ended, and nobody watches the rest")
                })
            }
            _ => Ok(()),
        }
    }

    /// Faults have ceased long ago.
    pub fn converged(
        &self,
        core: &Supervisor,
        lives: &BTreeMap<UnitId, (RunId, bool, u64)>,
        waits: &dyn Fn(UnitId) -> bool,
    ) -> Held {
        const CONVERGES: &str = "when faults cease, everything wanted and able is up";
        for view in core.units() {
            let life = lives.get(&view.id);
            let name = view.name;
            if view.state == ActualState::Running {
                let same = life.is_some_and(|(run, main, _)| Some(*run) == view.run && *main);
                ensure(same, "what is shown as running lives", || {
                    format!("{name} {:?} is running, the system has {life:?}", view.run)
                })?;
                let digest = life.map(|(_, _, digest)| *digest);
                ensure(
                    self.forgot_writes || digest == Some(view.launch_digest),
                    "what runs is what is configured",
                    || format!("{name} runs {digest:?}"),
                )?;
            } else {
                ensure(
                    life.is_none(),
                    "what is not shown as running does not live",
                    || format!("{name} is {}, the system has {life:?}", view.state),
                )?;
            }
            let rests = match (view.desired, view.state) {
                (DesiredState::Up, ActualState::Waiting) if is_listening(&view) => !waits(view.id),
                (DesiredState::Up, ActualState::Waiting) => {
                    view.policy.requires.iter().any(|need| !is_up(core, need))
                }
                (DesiredState::Up, state) => matches!(
                    state,
                    ActualState::Running | ActualState::Exited | ActualState::Failed
                ),
                (DesiredState::Down, state) => state == ActualState::Stopped,
            };
            ensure(rests || self.forgot_writes, CONVERGES, || {
                format!("{name} is {} ({:?})", view.state, view.reason)
            })?;
        }
        for operation in &self.operations {
            let open = core
                .operation(*operation)
                .filter(|o| o.state == OperationState::Running);
            ensure(open.is_none(), "operations end", || format!("{open:?}"))?;
        }
        Ok(())
    }
}

fn is_up(core: &Supervisor, name: &UnitName) -> bool {
    core.id_of(name)
        .and_then(|id| core.unit(id))
        .is_some_and(|view| view.ready)
}
