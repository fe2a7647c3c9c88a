//! The supervisor. (The essay comes with the states.)

use abide_model::{EffectId, Now, Operation, OperationId, Refusal, UnitId, UnitName};

use crate::{Deadlines, Effect, Explanation, Input, Observed, PlanStep, Saved, UnitDef, UnitView};

/// The supervisor of one home: takes inputs, gives effects.
///
/// After every `handle` and `handle_timeout` the driver drains [`Supervisor::poll_effect`] and
/// sleeps until the earliest of [`Supervisor::poll_timeout`].
#[derive(Debug)]
pub struct Supervisor {
    steps: u64,
}

impl Supervisor {
    /// An empty supervisor. `seed` feeds the jitter of backoffs.
    #[must_use]
    pub fn new(_seed: u64, _now: Now) -> Self {
        Self { steps: 0 }
    }

    /// Goes on where an earlier daemon died: `saved` is what it wrote down, `observed` what is still
    /// there of its runs. Effects wait in [`Supervisor::poll_effect`]; statuses of all units are new.
    #[must_use]
    pub fn resume(saved: Saved, _observed: Vec<Observed>, now: Now) -> Self {
        Self::new(saved.seed, now)
    }

    /// Takes one input.
    pub fn handle(&mut self, _now: Now, _input: Input) {}

    /// Does all that is due at `now`. Afterwards the next deadline is later than `now`.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// The next intention, oldest first.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        None
    }

    /// When `handle_timeout` is to be called next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadlines {
        Deadlines::default()
    }

    /// What is known of a unit.
    #[must_use]
    pub fn unit(&self, _id: UnitId) -> Option<UnitView<'_>> {
        None
    }

    /// What is known of all units, by id.
    pub fn units(&self) -> impl Iterator<Item = UnitView<'_>> {
        std::iter::empty()
    }

    /// The unit of that name.
    #[must_use]
    pub fn id_of(&self, _name: &UnitName) -> Option<UnitId> {
        None
    }

    /// An operation; of the finished ones the last hundred are kept.
    #[must_use]
    pub fn operation(&self, _id: OperationId) -> Option<&Operation> {
        None
    }

    /// Why a unit is in its state, and what would change it.
    #[must_use]
    pub fn explain(&self, _id: UnitId, _now: Now) -> Option<Explanation> {
        None
    }

    /// What `Command::Apply` of these sources would do, decided by the same code.
    ///
    /// # Errors
    /// The refusal that the command would get.
    pub fn plan(&self, _sources: &[(String, Vec<UnitDef>)]) -> Result<Vec<PlanStep>, Refusal> {
        Err(Refusal::BadRequest(
            "the supervisor cannot apply configurations yet".into(),
        ))
    }

    /// Elementary steps taken so far: the cost of an event, independent of the number of units.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
