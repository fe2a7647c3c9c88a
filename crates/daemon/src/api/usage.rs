//! What runs use, sampled when somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use abide_model::{Mono, RunId, UnitId};
use abide_platform::usage::Usage;

use crate::board::UnitEntry;

/// Less time than this is too short to measure a share of a CPU in: the last figure is shown again.
const SHORTEST: Duration = Duration::from_millis(200);

/// Samples, and remembers the last look for the share of a CPU since then.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<HashMap<UnitId, Look>>);

#[derive(Clone, Copy, Debug)]
struct Look {
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

impl Sampler {
    /// Looks at the runs of these units, in the same order; `None` where nothing runs. Blocks.
    pub(super) fn sample(&self, units: &[Arc<UnitEntry>]) -> Vec<Option<Sample>> {
        let trees: Vec<_> = units.iter().filter_map(|unit| unit.tree.clone()).collect();
        let now = abide_platform::clock::now().mono;
        let mut usages = if trees.is_empty() {
            Vec::new()
        } else {
            abide_platform::usage::sample(&trees)
        }
        .into_iter();
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, look| now.since(look.at) < Duration::from_secs(3600));
        let mut samples = Vec::with_capacity(units.len());
        for unit in units {
            samples.push(
                unit.tree
                    .as_ref()
                    .and_then(|_| usages.next())
                    .map(|usage| Sample {
                        usage,
                        cpu_percent: percent(&mut looks, unit, usage.cpu, now),
                    }),
            );
        }
        samples
    }
}

fn percent(
    looks: &mut HashMap<UnitId, Look>,
    unit: &UnitEntry,
    cpu: Duration,
    now: Mono,
) -> Option<f64> {
    let run = unit.view.run?;
    let before = looks.get(&unit.id).copied().filter(|look| look.run == run);
    let (from, used) = match before {
        Some(look) if now.since(look.at) < SHORTEST => return look.percent,
        Some(look) => (look.at, cpu.saturating_sub(look.cpu)),
        None => (unit.view.started?.mono, cpu),
    };
    let passed = now.since(from).as_secs_f64();
    let percent = (passed > 0.0).then(|| (used.as_secs_f64() / passed * 1000.0).round() / 10.0);
    looks.insert(
        unit.id,
        Look {
            run,
            at: now,
            cpu,
            percent,
        },
    );
    percent
}
