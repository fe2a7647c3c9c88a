use abide_core::Command;
use abide_model::Policy;

use crate::bench::{Bench, policy, requires, seconds};

/// Steps that a crash with its restart, a stop and a start, and a missed beat take among `count`
/// units, of which each tenth requires its neighbour.
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
            _ => (name.as_str(), policy()),
        })
        .collect();
    let mut bench = Bench::with(&units);
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
    bench.pass(seconds(20));
    (crash, stop, bench.core.steps() - before)
}

#[test]
fn the_cost_of_an_event_does_not_grow_with_the_number_of_units() {
    let few = cost_among(10);
    assert!(few.0 > 0);
    assert_eq!(cost_among(1_000), few);
    assert_eq!(cost_among(10_000), few);
}
