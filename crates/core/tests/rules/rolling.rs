use std::time::Duration;

use abide_core::{Command, Effect};
use abide_model::{
    ActualState, EventKind, OperationId, OperationKind, OperationState, Policy, ProbeKind, Ready,
    Refusal, Rolling, StepState,
};

use crate::bench::{Bench, policy, seconds};

const FOUR: [&str; 4] = ["web@1", "web@2", "web@3", "web@10"];

/// A service that says when it is ready.
fn probed(digest: u64) -> Policy {
    Policy {
        launch_digest: digest,
        ready: Some(Ready {
            within: seconds(30),
            probe: ProbeKind::Notify,
        }),
        ..policy()
    }
}

fn plan(first: u8, hold: Duration) -> Rolling {
    Rolling { first, hold }
}

fn fleet(names: &[&str]) -> Bench {
    let units: Vec<_> = names.iter().map(|name| (*name, probed(1))).collect();
    let mut bench = Bench::with(&units);
    for name in names {
        bench.ready(name);
    }
    bench.moves();
    bench
}

fn restart(bench: &mut Bench, names: &[&str], plan: Rolling) -> OperationId {
    let units = names.iter().map(|name| bench.id(name)).collect();
    bench
        .command(Command::RestartRolling { units, plan })
        .expect("taken")
}

fn apply(
    bench: &mut Bench,
    units: &[(&str, Policy)],
    plan: Rolling,
) -> Result<OperationId, Refusal> {
    let sources = vec![("abide.toml".to_string(), bench.defs(units))];
    bench.command(Command::Apply {
        kind: OperationKind::Up,
        sources,
        rolling: Some(plan),
    })
}

fn update(bench: &mut Bench, names: &[&str], plan: Rolling) -> OperationId {
    let units: Vec<_> = names.iter().map(|name| (*name, probed(2))).collect();
    apply(bench, &units, plan).expect("taken")
}

fn steps(bench: &Bench, id: OperationId) -> Vec<(String, StepState)> {
    let steps = &bench.operation(id).steps;
    steps
        .iter()
        .map(|step| (step.unit.to_string(), step.state))
        .collect()
}

fn note(bench: &Bench, id: OperationId, unit: &str) -> String {
    let steps = &bench.operation(id).steps;
    let step = steps.iter().find(|step| step.unit.as_str() == unit);
    step.expect("a step").note.clone().unwrap_or_default()
}

fn digests(bench: &Bench, names: &[&str]) -> Vec<u64> {
    names
        .iter()
        .map(|name| {
            let view = bench.core.unit(bench.id(name)).expect("known");
            view.launch_digest
        })
        .collect()
}

/// What was said of each unit's launch: `>` it has its new one, `<` back, `=` for good.
fn launches(bench: &Bench, names: &[&str]) -> Vec<String> {
    let name = |id| names.iter().find(|name| bench.id(name) == id).expect("one");
    bench
        .log
        .iter()
        .filter_map(|effect| match effect {
            Effect::Advance(id) => Some(format!(">{}", name(*id))),
            Effect::Revert(id) => Some(format!("<{}", name(*id))),
            Effect::Settled(id) => Some(format!("={}", name(*id))),
            _ => None,
        })
        .collect()
}

#[test]
fn one_follows_the_other_when_that_one_is_ready_and_instances_go_by_number() {
    let mut bench = fleet(&FOUR);
    let id = restart(&mut bench, &FOUR, plan(0, Duration::ZERO));
    for name in FOUR {
        assert_eq!(bench.moves(), [format!("-{name}"), format!("+{name}")]);
        bench.pass(seconds(5));
        assert!(bench.moves().is_empty(), "{name} is not ready");
        bench.ready(name);
    }
    assert_eq!(bench.operation(id).state, OperationState::Done);
    assert_eq!(bench.operation(id).rolling.as_ref().expect("is").done, 4);
}

#[test]
fn the_canaries_are_restarted_together_and_must_stay_up_for_the_hold() {
    let mut bench = fleet(&FOUR);
    let id = restart(&mut bench, &FOUR, plan(50, seconds(60)));
    assert_eq!(bench.moves(), ["-web@1", "-web@2", "+web@1", "+web@2"]);
    bench.ready("web@1");
    bench.pass(seconds(10));
    assert!(bench.moves().is_empty());
    bench.ready("web@2");
    bench.pass(seconds(59));
    assert!(bench.moves().is_empty(), "the hold is not over");
    bench.pass(seconds(1));
    assert_eq!(bench.moves(), ["-web@3", "+web@3"]);
    bench.ready("web@3");
    assert_eq!(bench.moves(), ["-web@10", "+web@10"]);
    bench.ready("web@10");
    assert_eq!(bench.operation(id).state, OperationState::Done);
}

#[test]
fn units_that_are_all_canaries_are_never_all_away() {
    let mut bench = fleet(&["a", "b"]);
    restart(&mut bench, &["a", "b"], plan(100, seconds(1)));
    assert_eq!(bench.moves(), ["-a", "+a"]);
    bench.ready("a");
    assert_eq!(bench.moves(), ["-b", "+b"]);
}

#[test]
fn a_unit_that_is_not_up_is_passed_over() {
    let mut bench = fleet(&["a", "b"]);
    bench.stop("a");
    bench.moves();
    let id = restart(&mut bench, &["a", "b"], plan(5, Duration::ZERO));
    assert_eq!(bench.moves(), ["-b", "+b"]);
    bench.ready("b");
    assert_eq!(bench.operation(id).state, OperationState::Done);
    assert_eq!(note(&bench, id, "a"), "skipped: it is stopped");
}

#[test]
fn a_restart_halts_at_the_first_failure_and_leaves_the_rest_alone() {
    let mut bench = fleet(&FOUR);
    let id = restart(&mut bench, &FOUR, plan(5, seconds(60)));
    bench.ready("web@1");
    bench.pass(seconds(30));
    bench.moves();
    bench.exit("web@1", 1);
    assert_eq!(
        bench.events(|kind| matches!(kind, EventKind::RollingHalted { .. })),
        1
    );
    bench.pass(seconds(200));
    assert_eq!(bench.operation(id).state, OperationState::Failed);
    let moves = bench.moves();
    assert!(moves.iter().all(|m| m.ends_with("web@1")), "{moves:?}");
    let why = note(&bench, id, "web@10");
    assert!(why.starts_with("halted: web@1: exit 1"), "{why}");
}

#[test]
fn a_unit_that_is_not_ready_in_time_halts_as_soon_as_that_is_known() {
    let mut bench = fleet(&["a", "b", "c"]);
    let id = restart(&mut bench, &["a", "b", "c"], plan(5, Duration::ZERO));
    bench.ready("a");
    bench.pass(seconds(31));
    let moves = bench.moves();
    assert!(!moves.contains(&"-c".to_string()), "{moves:?}");
    let states: Vec<_> = steps(&bench, id).into_iter().map(|(_, s)| s).collect();
    assert_eq!(
        states,
        [StepState::Done, StepState::Failed, StepState::Failed]
    );
}

#[test]
fn a_changed_unit_has_its_new_version_only_from_its_turn_on() {
    let mut bench = fleet(&["a", "b", "c"]);
    bench.log.clear();
    let id = update(&mut bench, &["a", "b", "c"], plan(5, seconds(60)));
    assert_eq!(digests(&bench, &["a", "b", "c"]), [2, 1, 1]);
    bench.ready("a");
    bench.exit("b", 1);
    bench.pass(seconds(10));
    assert_eq!(digests(&bench, &["a", "b", "c"]), [2, 1, 1]);
    assert_eq!(launches(&bench, &["a", "b", "c"]), [">a"]);
    bench.ready("b");
    bench.pass(seconds(60));
    bench.ready("b");
    bench.ready("c");
    assert_eq!(digests(&bench, &["a", "b", "c"]), [2, 2, 2]);
    assert_eq!(bench.operation(id).state, OperationState::Done);
    assert_eq!(
        launches(&bench, &["a", "b", "c"]),
        [">a", ">b", ">c", "=a", "=b", "=c"]
    );
}

#[test]
fn a_version_that_never_gets_ready_is_taken_back_and_touches_no_other_unit() {
    let mut bench = fleet(&["a", "b"]);
    bench.log.clear();
    let id = update(&mut bench, &["a", "b"], plan(5, seconds(60)));
    bench.pass(seconds(31));
    assert_eq!(launches(&bench, &["a", "b"]), [">a", "<b", "<a"]);
    assert_eq!(bench.moves(), ["-a", "+a", "-a", "+a"]);
    assert_eq!(digests(&bench, &["a", "b"]), [1, 1]);
    assert_eq!(bench.operation(id).state, OperationState::Running);
    bench.ready("a");
    assert_eq!(bench.operation(id).state, OperationState::Failed);
    let why = note(&bench, id, "a");
    assert!(why.starts_with("rolled back: a: not ready"), "{why}");
    assert!(note(&bench, id, "b").starts_with("halted: "));
}

#[test]
fn what_is_up_with_a_bad_version_goes_back_one_by_one() {
    let mut bench = fleet(&["a", "b", "c"]);
    update(&mut bench, &["a", "b", "c"], plan(5, Duration::ZERO));
    bench.ready("a");
    bench.ready("b");
    bench.moves();
    bench.exit("c", 1);
    assert_eq!(bench.moves(), ["+c"], "the one that is away first");
    bench.ready("c");
    assert_eq!(bench.moves(), ["-a", "+a"]);
    bench.ready("a");
    assert_eq!(bench.moves(), ["-b", "+b"]);
    bench.ready("b");
    assert_eq!(digests(&bench, &["a", "b", "c"]), [1, 1, 1]);
}

#[test]
fn what_is_new_and_what_goes_waits_until_the_rest_is_good() {
    let mut bench = fleet(&["a", "b"]);
    let next = [("a", probed(2)), ("c", policy())];
    let id = apply(&mut bench, &next, plan(5, seconds(10))).expect("taken");
    bench.ready("a");
    assert_eq!(bench.moves(), ["-a", "+a"]);
    assert_eq!(bench.state("c"), ActualState::Stopped);
    bench.pass(seconds(10));
    let mut moves = bench.moves();
    moves.sort();
    assert_eq!(moves, ["+c", "-b"]);
    assert_eq!(bench.operation(id).state, OperationState::Done);
}

#[test]
fn a_new_unit_that_a_new_version_requires_is_started_for_it_and_forgotten_with_it() {
    let mut bench = fleet(&["a"]);
    let needs = Policy {
        requires: vec![crate::bench::name("cache")],
        ..probed(2)
    };
    let next = [("a", needs), ("cache", policy())];
    let id = apply(&mut bench, &next, plan(5, seconds(10))).expect("taken");
    let mut moves = bench.moves();
    moves.sort();
    assert_eq!(moves, ["+a", "+cache", "-a"]);
    bench.exit("a", 1);
    bench.ready("a");
    assert_eq!(bench.operation(id).state, OperationState::Failed);
    assert_eq!(bench.core.units().count(), 1, "cache is forgotten");
    assert_eq!(bench.state("a"), ActualState::Running);
}

#[test]
fn dependencies_that_go_in_a_circle_only_in_between_are_refused() {
    let needs = |name: &str, digest| Policy {
        requires: vec![crate::bench::name(name)],
        launch_digest: digest,
        ..policy()
    };
    let mut bench = Bench::with(&[("a", needs("b", 1)), ("b", policy())]);
    let turned = [
        (
            "a",
            Policy {
                launch_digest: 2,
                ..policy()
            },
        ),
        ("b", needs("a", 2)),
    ];
    let refused = apply(&mut bench, &turned, plan(5, Duration::ZERO));
    assert!(matches!(refused, Err(Refusal::BadRequest(_))));
    assert_eq!(digests(&bench, &["a", "b"]), [1, 1]);
}

#[test]
fn a_canary_that_a_person_takes_halts_and_another_unit_does_not() {
    let mut bench = fleet(&["a", "b", "c"]);
    let id = restart(&mut bench, &["a", "b", "c"], plan(5, seconds(60)));
    bench.ready("a");
    bench.stop("b");
    assert_eq!(bench.operation(id).state, OperationState::Running);
    bench.restart("a");
    bench.ready("a");
    assert_eq!(bench.operation(id).state, OperationState::Failed);
    assert!(note(&bench, id, "c").contains("took it over"));
    bench.moves();
    bench.pass(seconds(100));
    assert!(bench.moves().is_empty());
}

#[test]
fn a_unit_that_a_person_stops_takes_the_new_version_over_in_its_turn() {
    let mut bench = fleet(&["a", "b", "c"]);
    let id = update(&mut bench, &["a", "b", "c"], plan(5, seconds(10)));
    bench.ready("a");
    bench.stop("b");
    bench.moves();
    bench.pass(seconds(10));
    assert_eq!(bench.moves(), ["-c", "+c"]);
    bench.ready("c");
    assert_eq!(digests(&bench, &["a", "b", "c"]), [2, 2, 2]);
    assert_eq!(bench.state("b"), ActualState::Stopped);
    assert_eq!(bench.operation(id).state, OperationState::Superseded);
}

#[test]
fn a_second_rolling_restart_takes_the_place_of_the_first() {
    let mut bench = fleet(&["a", "b"]);
    let first = restart(&mut bench, &["a", "b"], plan(5, seconds(60)));
    bench.ready("a");
    let second = restart(&mut bench, &["a", "b"], plan(5, Duration::ZERO));
    assert_eq!(bench.operation(first).state, OperationState::Superseded);
    bench.ready("a");
    bench.ready("b");
    assert_eq!(bench.operation(second).state, OperationState::Done);
}

#[test]
fn a_later_configuration_takes_the_place_of_one_that_is_rolled_out() {
    let mut bench = fleet(&["a", "b"]);
    let first = update(&mut bench, &["a", "b"], plan(5, seconds(60)));
    bench.ready("a");
    let units = vec![bench.id("b")];
    let refused = bench.command(Command::RestartRolling {
        units,
        plan: plan(5, Duration::ZERO),
    });
    assert!(matches!(refused, Err(Refusal::BadRequest(_))));
    let third = [("a", probed(3)), ("b", probed(3))];
    bench.apply("abide.toml", &third).expect("taken");
    assert_eq!(bench.operation(first).state, OperationState::Superseded);
    assert_eq!(digests(&bench, &["a", "b"]), [3, 3]);
}

#[test]
fn a_down_ends_it() {
    let mut bench = fleet(&["a", "b"]);
    update(&mut bench, &["a", "b"], plan(5, seconds(60)));
    bench.command(Command::Down).expect("taken");
    assert!(bench.halted);
    assert!(
        bench
            .records
            .values()
            .all(|record| record.rolling.is_none())
    );
}

#[test]
fn a_new_daemon_goes_on_at_the_step_where_the_old_one_died() {
    for first in [5, 100] {
        let mut bench = fleet(&["a", "b", "c"]);
        let id = update(&mut bench, &["a", "b", "c"], plan(first, seconds(10)));
        let mut moves = bench.moves();
        for _ in 0..40 {
            bench.daemon_dies(true);
            let names = ["a", "b", "c"];
            for name in names {
                if bench.state(name) == ActualState::Starting {
                    bench.ready(name);
                }
            }
            bench.pass(seconds(3));
            let away = names
                .iter()
                .filter(|name| bench.state(name) != ActualState::Running);
            assert!(away.count() <= 1);
            moves.append(&mut bench.moves());
        }
        assert_eq!(moves, ["-a", "+a", "-b", "+b", "-c", "+c"], "each once");
        assert!(bench.operations.is_empty(), "{:?}", bench.operations);
        assert_eq!(digests(&bench, &["a", "b", "c"]), [2, 2, 2]);
        assert!(bench.core.operation(id).is_none());
    }
}

#[test]
fn a_new_daemon_goes_on_with_taking_back() {
    let mut bench = fleet(&["a", "b", "c"]);
    update(&mut bench, &["a", "b", "c"], plan(5, Duration::ZERO));
    bench.ready("a");
    bench.ready("b");
    bench.exit("c", 1);
    for _ in 0..10 {
        bench.daemon_dies(true);
        for name in ["a", "b", "c"] {
            if bench.state(name) == ActualState::Starting {
                bench.ready(name);
            }
        }
    }
    assert_eq!(digests(&bench, &["a", "b", "c"]), [1, 1, 1]);
    assert!(bench.operations.is_empty());
    assert!(
        bench
            .records
            .values()
            .all(|record| record.rolling.is_none())
    );
}
