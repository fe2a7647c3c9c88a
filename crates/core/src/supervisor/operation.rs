//! Operations: what a command set in motion, unit by unit, and how far it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use abide_model::{
    Operation, OperationId, OperationKind, OperationState, OperationStep, RollingProgress,
    StepState, UnitName, Wall,
};

/// So many finished operations are kept for those who ask late.
const KEPT: usize = 100;

#[derive(Debug)]
struct Tracked {
    /// Shared with whoever shows it: changed in a copy while somebody does.
    operation: Arc<Operation>,
    pending: usize,
    /// It was written down, so its end must be, too.
    saved: bool,
    /// It must be written down again.
    outdated: bool,
    /// It is not over before it is let go, though no step is pending: units have to do with it whose
    /// steps a later command took.
    held: bool,
}

/// All operations that are remembered.
#[derive(Debug, Default)]
pub(super) struct Operations {
    last: u64,
    all: BTreeMap<OperationId, Tracked>,
    finished: VecDeque<OperationId>,
    /// Changed since the last emission.
    changed: BTreeSet<OperationId>,
}

/// What to write and tell of one operation.
pub(super) struct OperationChange {
    pub id: OperationId,
    /// Write it down before anything that it does.
    pub begun: Option<Box<Operation>>,
    /// Write its end down after all that it did.
    pub ended: bool,
}

impl Operations {
    /// No number up to this one is given again.
    pub(super) fn skip_to(&mut self, id: OperationId) {
        self.last = self.last.max(id.0);
    }

    pub(super) fn get(&self, id: OperationId) -> Option<&Arc<Operation>> {
        self.all.get(&id).map(|tracked| &tracked.operation)
    }

    /// A new operation; its steps are put in the order of their names.
    pub(super) fn begin(
        &mut self,
        kind: OperationKind,
        since: Wall,
        steps: Vec<OperationStep>,
    ) -> OperationId {
        self.begin_as(kind, since, steps, None)
    }

    /// A new operation that restarts its units a few at a time. It is open until it is released.
    pub(super) fn begin_rolling(
        &mut self,
        kind: OperationKind,
        since: Wall,
        steps: Vec<OperationStep>,
        progress: RollingProgress,
    ) -> OperationId {
        self.begin_as(kind, since, steps, Some(progress))
    }

    fn begin_as(
        &mut self,
        kind: OperationKind,
        since: Wall,
        mut steps: Vec<OperationStep>,
        rolling: Option<RollingProgress>,
    ) -> OperationId {
        self.last += 1;
        let id = OperationId(self.last);
        let held = rolling.is_some();
        steps.sort_by(|a, b| a.unit.cmp(&b.unit));
        self.track(
            Operation {
                id,
                kind,
                since,
                state: OperationState::Running,
                steps,
                rolling,
            },
            false,
            held,
        );
        id
    }

    /// An operation that an earlier daemon had not finished; `held`: it is open until it is released.
    pub(super) fn resume(&mut self, operation: Operation, held: bool) {
        self.skip_to(operation.id);
        self.track(operation, true, held);
    }

    fn track(&mut self, operation: Operation, saved: bool, held: bool) {
        let id = operation.id;
        let pending = operation
            .steps
            .iter()
            .filter(|s| s.state == StepState::Pending)
            .count();
        self.all.insert(
            id,
            Tracked {
                operation: Arc::new(operation),
                pending,
                saved,
                outdated: false,
                held,
            },
        );
        self.changed.insert(id);
        self.close_if_over(id);
    }

    /// Moves one step on. A step that is not pending any more stays as it is.
    pub(super) fn step(
        &mut self,
        id: OperationId,
        unit: &UnitName,
        state: StepState,
        note: Option<String>,
    ) {
        let Some(tracked) = self.all.get_mut(&id) else {
            return;
        };
        let steps = &tracked.operation.steps;
        let Ok(at) = steps.binary_search_by(|step| step.unit.cmp(unit)) else {
            return;
        };
        let step = &steps[at];
        if step.state != StepState::Pending || (step.state == state && step.note == note) {
            return;
        }
        let step = &mut Arc::make_mut(&mut tracked.operation).steps[at];
        step.state = state;
        step.note = note;
        self.changed.insert(id);
        if state != StepState::Pending {
            tracked.pending -= 1;
            self.close_if_over(id);
        }
    }

    /// How far a rolling operation is, while it is not over.
    pub(super) fn rolling(&self, id: OperationId) -> Option<&RollingProgress> {
        let operation = self.get(id)?;
        (operation.state == OperationState::Running)
            .then_some(operation.rolling.as_ref())
            .flatten()
    }

    /// Changes how far a rolling operation is; that is written down before anything that follows.
    pub(super) fn change_rolling(
        &mut self,
        id: OperationId,
        change: impl FnOnce(&mut RollingProgress),
    ) {
        if let Some(tracked) = self.all.get_mut(&id)
            && let Some(progress) = &mut Arc::make_mut(&mut tracked.operation).rolling
        {
            change(progress);
            tracked.outdated = true;
            self.changed.insert(id);
        }
    }

    /// The operation is over as soon as no step is pending.
    pub(super) fn release(&mut self, id: OperationId) {
        if let Some(tracked) = self.all.get_mut(&id) {
            tracked.held = false;
            self.close_if_over(id);
        }
    }

    /// A step that was done is to be undone.
    pub(super) fn reopen(&mut self, id: OperationId, unit: &UnitName) {
        let Some(tracked) = self.all.get_mut(&id) else {
            return;
        };
        let steps = &tracked.operation.steps;
        if let Ok(at) = steps.binary_search_by(|step| step.unit.cmp(unit))
            && steps[at].state == StepState::Done
        {
            let step = &mut Arc::make_mut(&mut tracked.operation).steps[at];
            (step.state, step.note) = (StepState::Pending, None);
            tracked.pending += 1;
            self.changed.insert(id);
        }
    }

    fn close_if_over(&mut self, id: OperationId) {
        let Some(tracked) = self.all.get_mut(&id) else {
            return;
        };
        let operation = &tracked.operation;
        if tracked.pending > 0 || tracked.held || operation.state != OperationState::Running {
            return;
        }
        let any = |state| operation.steps.iter().any(|step| step.state == state);
        let state = if any(StepState::Failed) {
            OperationState::Failed
        } else if any(StepState::Superseded) {
            OperationState::Superseded
        } else {
            OperationState::Done
        };
        Arc::make_mut(&mut tracked.operation).state = state;
        self.changed.insert(id);
        self.finished.push_back(id);
        if self.finished.len() > KEPT
            && let Some(oldest) = self.finished.pop_front()
        {
            // What was to be written of its end is written with the next emission.
            if self.changed.contains(&oldest) {
                self.finished.push_front(oldest);
            } else {
                self.all.remove(&oldest);
            }
        }
    }

    /// What changed since the last time.
    pub(super) fn take_changes(&mut self) -> Vec<OperationChange> {
        let mut changes = Vec::new();
        for id in std::mem::take(&mut self.changed) {
            let Some(tracked) = self.all.get_mut(&id) else {
                continue;
            };
            let over = tracked.operation.state != OperationState::Running;
            // Other steps are seen again from the units themselves.
            let again = tracked.outdated || tracked.operation.kind == OperationKind::Reload;
            let begun = match (over, tracked.saved) {
                (false, saved) => !saved || again,
                // How far it came counts until its end is written down, too.
                (true, saved) => saved && tracked.outdated,
            };
            let begun = begun.then(|| Box::new(Operation::clone(&tracked.operation)));
            let ended = over && tracked.saved;
            tracked.saved = !over;
            tracked.outdated = false;
            changes.push(OperationChange { id, begun, ended });
        }
        changes
    }
}
