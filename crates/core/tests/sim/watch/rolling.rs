//! What must never happen while units are restarted a few at a time.

use std::collections::BTreeMap;

use abide_core::{Command, Supervisor, UnitView};
use abide_model::{
    EventKind, Mono, Now, Operation, OperationId, OperationState, RequestId, Rolling, RunId,
    StepState, UnitId,
};

use crate::watch::{Held, ensure};

/// The books of rolling operations.
#[derive(Default)]
pub(super) struct Books {
    asked: Option<Asked>,
    /// The one that is under way, as long as nobody disturbs it.
    now: Option<Book>,
    /// One may be under way, disturbed or not.
    pub any: bool,
}

/// What was asked for and is not answered yet.
struct Asked {
    request: RequestId,
    plan: Rolling,
    /// What each unit ran, of those that were up.
    before: BTreeMap<UnitId, u64>,
    /// The runs that were stopped since.
    turns: BTreeMap<UnitId, (RunId, Mono)>,
}

struct Book {
    operation: OperationId,
    plan: Rolling,
    /// What each unit ran when it was asked for.
    before: BTreeMap<UnitId, u64>,
    /// The run of each unit that was stopped for it, and when.
    turns: BTreeMap<UnitId, (RunId, Mono)>,
    /// When a unit whose turn came was last not up.
    away: Mono,
    /// A new run failed.
    failed: bool,
}

impl Books {
    pub(super) fn command(&mut self, core: &Supervisor, request: RequestId, command: &Command) {
        (self.now, self.asked) = (None, None);
        let plan = match command {
            Command::RestartRolling { plan, .. } => *plan,
            Command::Apply {
                rolling: Some(plan),
                ..
            } => *plan,
            _ => return,
        };
        let before = core
            .units()
            .filter(|view| {
                let why = view.reason.as_deref();
                view.ready && !why.is_some_and(|why| why.contains("stops after"))
            })
            .map(|view| (view.id, view.launch_digest))
            .collect();
        self.any = true;
        self.asked = Some(Asked {
            request,
            plan,
            before,
            turns: BTreeMap::new(),
        });
    }

    pub(super) fn replied(
        &mut self,
        core: &Supervisor,
        request: RequestId,
        operation: Option<OperationId>,
    ) {
        let Some(asked) = self.asked.take_if(|asked| asked.request == request) else {
            return;
        };
        let Some(operation) = operation.and_then(|id| core.operation(id)) else {
            return;
        };
        let units = operation.rolling.iter().flat_map(|rolling| &rolling.units);
        let ids: Vec<Option<UnitId>> = units.map(|name| core.id_of(name)).collect();
        // What another command still has under way would be taken for its turn.
        let known = |id: &Option<UnitId>| id.is_some_and(|id| asked.before.contains_key(&id));
        if ids.iter().all(known) {
            let mut turns = asked.turns;
            turns.retain(|id, _| ids.contains(&Some(*id)));
            self.now = Some(Book {
                operation: operation.id,
                plan: asked.plan,
                before: asked.before,
                turns,
                away: Mono(0),
                failed: false,
            });
        }
    }

    /// A daemon died: what it had not answered for is not known.
    pub(super) fn resumed(&mut self, continues: bool, lost: bool) {
        self.asked = None;
        // What was told of a failure may not have been written down.
        if let Some(book) = &mut self.now {
            book.failed = false;
        }
        if !continues || lost {
            self.now = None;
        }
    }

    pub(super) fn event(
        &mut self,
        core: &Supervisor,
        now: Now,
        view: &UnitView,
        run: Option<RunId>,
        kind: &EventKind,
    ) -> Held {
        if let (Some(asked), EventKind::Stopping { .. }, Some(run)) = (&mut self.asked, kind, run) {
            asked.turns.insert(view.id, (run, now.mono));
        }
        let Some(book) = &mut self.now else {
            return Ok(());
        };
        let Some(operation) = core.operation(book.operation) else {
            return Ok(());
        };
        let Some(progress) = &operation.rolling else {
            return Ok(());
        };
        match kind {
            EventKind::RestartScheduled { .. } | EventKind::Failed { .. } => {
                let turn = book.turns.get(&view.id);
                let over = progress.done as usize >= progress.units.len();
                book.failed |= !over && turn.is_some_and(|(old, _)| run > Some(*old));
                Ok(())
            }
            EventKind::Stopping { reason }
                if progress.halted.is_none()
                    && ["restarted by hand", "its configuration changed"]
                        .contains(&reason.as_str()) =>
            {
                let at = progress.units.iter().position(|name| name == view.name);
                let (Some(at), Some(run)) = (at, run) else {
                    return Ok(());
                };
                book.turn(core, now, operation, view.id, at, run)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn at_rest(&mut self, core: &Supervisor, now: Now) -> Held {
        let Some(book) = &mut self.now else {
            return Ok(());
        };
        let Some(operation) = core.operation(book.operation) else {
            self.now = None;
            return Ok(());
        };
        let Some(progress) = &operation.rolling else {
            return Ok(());
        };
        if operation
            .steps
            .iter()
            .any(|step| step.state == StepState::Superseded)
        {
            // A new daemon found that not all of its units were ever told.
            self.now = None;
            return Ok(());
        }
        for unit in book.turns.keys() {
            if core.unit(*unit).is_some_and(|view| !view.ready) {
                book.away = now.mono;
            }
        }
        ensure(
            !book.failed || progress.halted.is_some(),
            "a new run that fails halts a rolling operation",
            || format!("{operation:?}"),
        )?;
        if operation.state == OperationState::Running {
            return Ok(());
        }
        let rolled_back = progress
            .halted
            .as_ref()
            .is_some_and(|why| why.ends_with("rolled back"));
        let known = progress.units.iter().filter_map(|name| core.id_of(name));
        for unit in known.filter(|_| rolled_back) {
            let digest = core.unit(unit).map(|view| view.launch_digest);
            ensure(
                digest == book.before.get(&unit).copied(),
                "after a halt every unit has its old version again",
                || format!("{unit} has {digest:?}: {operation:?}"),
            )?;
        }
        self.now = None;
        Ok(())
    }
}

impl Book {
    /// A unit's turn begins.
    fn turn(
        &mut self,
        core: &Supervisor,
        now: Now,
        operation: &Operation,
        unit: UnitId,
        at: usize,
        run: RunId,
    ) -> Held {
        let Some(progress) = &operation.rolling else {
            return Ok(());
        };
        if let Some((first, _)) = self.turns.get(&unit) {
            // A daemon that died may have told of it before it was written down.
            let first = *first;
            return ensure(
                first == run,
                "nobody is restarted twice by one operation",
                || format!("{unit} {run} is stopped, and {first} was before: {operation:?}"),
            );
        }
        let total = progress.units.len();
        let canaries = progress.canaries as usize;
        let wave = |other: UnitId| {
            // Those of one wave go together.
            let index = progress
                .units
                .iter()
                .position(|name| core.id_of(name) == Some(other));
            canaries < total && at < canaries && index.is_some_and(|index| index < canaries)
        };
        for &other in self.turns.keys() {
            let up = core
                .unit(other)
                .is_none_or(|view| view.ready || view.desired == abide_model::DesiredState::Down);
            ensure(
                up || wave(other),
                "at most one wave is away at a time",
                || format!("{unit} is stopped while {other} is not up: {operation:?}"),
            )?;
        }
        if at >= canaries && self.turns.len() >= canaries {
            let held = now.mono.since(self.away) >= self.plan.hold;
            let first = self.turns.values().all(|(_, at)| *at < now.mono);
            ensure(
                held && first || self.plan.hold.is_zero() || progress.done as usize > canaries,
                "the others follow when the canaries were held",
                || format!("{unit} is stopped {:?} after: {operation:?}", self.away),
            )?;
        }
        let pending = operation
            .steps
            .iter()
            .any(|step| step.state == StepState::Pending);
        ensure(pending, "no effect without a cause", || {
            format!("{operation:?}")
        })?;
        self.turns.insert(unit, (run, now.mono));
        Ok(())
    }
}
