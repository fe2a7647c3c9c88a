//! Operations: those that run, and the last ones that ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use abide_model::{Operation, OperationId, OperationState};

/// Ended operations that are still answered, so that a client that was slow to ask hears how it went.
const KEPT: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Operations {
    all: HashMap<OperationId, Arc<Operation>>,
    ended: VecDeque<OperationId>,
}

impl Operations {
    pub(super) fn publish(&mut self, operation: Arc<Operation>) {
        let id = operation.id;
        let ends = operation.state != OperationState::Running;
        let had_ended = self
            .all
            .insert(id, operation)
            .is_some_and(|old| old.state != OperationState::Running);
        if ends && !had_ended {
            self.ended.push_back(id);
            if self.ended.len() > KEPT
                && let Some(oldest) = self.ended.pop_front()
            {
                self.all.remove(&oldest);
            }
        }
    }

    pub(super) fn ended(&self) -> Vec<Operation> {
        let ended = self.ended.iter();
        ended
            .filter_map(|id| self.all.get(id))
            .map(|operation| Operation::clone(operation))
            .collect()
    }

    pub(super) fn get(&self, id: OperationId) -> Option<Arc<Operation>> {
        self.all.get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::{OperationKind, Wall};

    fn operation(id: u64, state: OperationState) -> Arc<Operation> {
        Arc::new(Operation {
            id: OperationId(id),
            kind: OperationKind::Start,
            since: Wall(0),
            state,
            steps: Vec::new(),
            rolling: None,
        })
    }

    #[test]
    fn ended_operations_go_away_oldest_first_and_running_ones_stay() {
        let mut operations = Operations::default();
        operations.publish(operation(0, OperationState::Running));
        for id in 1..=KEPT as u64 + 3 {
            operations.publish(operation(id, OperationState::Done));
            operations.publish(operation(id, OperationState::Done));
        }
        assert!(operations.get(OperationId(0)).is_some());
        assert!(operations.get(OperationId(3)).is_none());
        assert!(operations.get(OperationId(4)).is_some());
    }
}
