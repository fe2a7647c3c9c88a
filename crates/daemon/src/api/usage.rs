//! What runs use, sampled when somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_model::{Mono, RunId, UnitId};
use abide_platform::usage::{Desk, Figures, Look, Usage};

use crate::board::UnitEntry;

/// Less time than this is too short to measure a share of a CPU in: the last figure is shown again.
const SHORTEST: Duration = Duration::from_millis(200);
/// Of a younger run the share is that since it began, and no look is remembered: who starts units looks at
/// them, and may never again.
const YOUNG: Duration = Duration::from_secs(10);
/// Nobody compares with a look that is older.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Remembers the last figures for the share of a CPU since then.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<HashMap<UnitId, Share>>);

#[derive(Clone, Copy, Debug)]
struct Share {
    run: RunId,
    at: Mono,
    cpu: Duration,
    /// What it came to.
    percent: Option<f64>,
}

/// One run's use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sample {
    pub(super) usage: Usage,
    /// 100 is one CPU.
    pub(super) cpu_percent: Option<f64>,
}

/// One look at the runs of some units. Several threads may take a part of them each.
#[derive(Debug)]
pub(super) struct Sampling {
    sampler: Arc<Sampler>,
    look: Look,
    figures: Figures,
    now: Mono,
}

impl Sampling {
    /// Begins to look at the runs of these units. Of `figures` all samples have what is asked for. Blocks.
    pub(super) fn begin<'u>(
        sampler: Arc<Sampler>,
        units: impl Iterator<Item = &'u UnitEntry>,
        figures: Figures,
    ) -> Self {
        let now = abide_platform::clock::now().mono;
        {
            let mut shares = sampler.shares();
            shares.retain(|_, share| now.since(share.at) < REMEMBERED);
            shares.shrink_to_fit();
        }
        Self {
            look: Look::begin(units.filter_map(|unit| unit.tree.as_ref()), figures),
            sampler,
            figures,
            now,
        }
    }

    /// What one of the units uses; `None` where nothing runs. Blocks.
    pub(super) fn of(&self, unit: &UnitEntry, desk: &mut Desk) -> Option<Sample> {
        let tree = unit.tree.as_ref()?;
        let before = unit.view.run.and_then(|run| {
            let share = self.sampler.shares().get(&unit.id).copied();
            share.filter(|share| share.run == run)
        });
        let known = before.filter(|share| self.now.since(share.at) < SHORTEST);
        let figures = Figures {
            cpu: self.figures.cpu || known.is_none(),
            ..self.figures
        };
        let usage = self.look.at(tree, figures, desk);
        let cpu_percent = match known {
            Some(share) => share.percent,
            None => usage.cpu.and_then(|cpu| self.percent(unit, before, cpu)),
        };
        Some(Sample { usage, cpu_percent })
    }

    fn percent(&self, unit: &UnitEntry, before: Option<Share>, cpu: Duration) -> Option<f64> {
        let run = unit.view.run?;
        let (from, used) = match before {
            Some(share) => (share.at, cpu.saturating_sub(share.cpu)),
            None => (unit.view.started?.mono, cpu),
        };
        let passed = self.now.since(from).as_secs_f64();
        let percent = (passed > 0.0).then(|| (used.as_secs_f64() / passed * 1000.0).round() / 10.0);
        if before.is_none() && self.now.since(from) < YOUNG {
            return percent;
        }
        let share = Share {
            run,
            at: self.now,
            cpu,
            percent,
        };
        self.sampler.shares().insert(unit.id, share);
        percent
    }
}

impl Sampler {
    fn shares(&self) -> MutexGuard<'_, HashMap<UnitId, Share>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
