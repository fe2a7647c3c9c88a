use abide_core::{Command, Outcome};
use abide_model::{HealthCheck, OnUnhealthy, Policy};

use crate::bench::{Bench, policy, requires, seconds};

fn checked_every(every: u64) -> Policy {
    let health = HealthCheck {
        probes: Vec::new(),
        every: seconds(every),
        timeout: seconds(1),
        misses: 3,
        grace: seconds(0),
        on_unhealthy: OnUnhealthy::Restart,
    };
    Policy {
        health: Some(health),
        ..policy()
    }
}

/// Steps that a crash with its restart, a stop and a start, and some crashes beside beats and twenty
/// rounds of health checks take among `count` units, of which each tenth requires its neighbour, each
/// tenth owes beats and each tenth is checked.
fn cost_among(count: usize) -> (u64, u64, u64) {
    let names: Vec<String> = (0..count).map(|i| format!("u{i:05}")).collect();
    let heartbeat = Some(abide_model::Heartbeat {
        every: seconds(3600),
        misses: 3,
        file: None,
    });
    let units: Vec<(&str, Policy)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| match i % 10 {
            1 => (name.as_str(), requires(&[&names[i - 1]])),
            2 => (
                name.as_str(),
                Policy {
                    heartbeat: heartbeat.clone(),
                    ..policy()
                },
            ),
            // One of them within the time that is looked at, the others once in thirty years.
            3 => (
                name.as_str(),
                checked_every(if i == 3 { 1 } else { 1_000_000_000 }),
            ),
            _ => (name.as_str(), policy()),
        })
        .collect();
    let mut bench = Bench::with(&units);
    bench.answer = Some(Outcome::Ok);
    let before = bench.core.steps();
    bench.exit("u00000", 1);
    let crash = bench.core.steps() - before;
    let before = bench.core.steps();
    bench
        .command(Command::Stop(vec![bench.id("u00000")]))
        .expect("taken");
    bench
        .command(Command::Start(vec![bench.id("u00000")]))
        .expect("taken");
    let stop = bench.core.steps() - before;
    let before = bench.core.steps();
    bench.beat("u00002");
    bench.exit("u00005", 1);
    bench.exit("u00005", 1);
    bench.log.clear();
    bench.pass(seconds(20));
    assert_eq!(
        bench.effects(|effect| matches!(effect, abide_core::Effect::Probe { .. })),
        20
    );
    (crash, stop, bench.core.steps() - before)
}

#[test]
fn the_cost_of_an_event_does_not_grow_with_the_number_of_units() {
    let few = cost_among(10);
    assert!(few.0 > 0);
    assert_eq!(cost_among(1_000), few);
    assert_eq!(cost_among(10_000), few);
}
