use abide_core::Command;
use abide_model::{OperationState, Policy, ProbeKind, Ready, Refusal, Restart, StepState, UnitId};

use crate::bench::{Bench, policy, requires, seconds};

fn slow() -> Policy {
    let probe = ProbeKind::Tcp("127.0.0.1:1".into());
    Policy {
        ready: Some(Ready {
            within: seconds(30),
            probe,
        }),
        ..policy()
    }
}

#[test]
fn an_operation_is_done_when_all_its_units_are_up_and_ready() {
    let mut bench = Bench::new();
    let up = bench
        .apply("a.toml", &[("a", slow()), ("b", policy())])
        .expect("taken");
    assert_eq!(bench.operation(up).state, OperationState::Running);
    assert!(
        bench.operations.contains_key(&up),
        "it is written down while it runs"
    );
    bench.ready("a");
    assert_eq!(bench.operation(up).state, OperationState::Done);
    assert!(bench.operations.is_empty(), "and its end, too");
}

#[test]
fn a_step_fails_when_its_unit_fails() {
    let mut bench = Bench::new();
    let never = Policy {
        restart: Restart::Never,
        ..slow()
    };
    let up = bench.apply("a.toml", &[("a", never)]).expect("taken");
    bench.exit("a", 3);
    let operation = bench.operation(up);
    assert_eq!(operation.state, OperationState::Failed);
    let note = operation.steps[0].note.clone().unwrap_or_default();
    assert!(note.contains("exit 3"), "{note}");
}

#[test]
fn a_step_fails_when_its_unit_begins_to_loop() {
    let mut bench = Bench::new();
    let up = bench.apply("a.toml", &[("a", slow())]).expect("taken");
    for _ in 0..3 {
        bench.exit("a", 1);
        bench.pass(seconds(1));
    }
    assert_eq!(bench.operation(up).state, OperationState::Failed);
}

#[test]
fn a_step_does_not_fail_for_what_the_same_command_brings_up() {
    let mut bench = Bench::with(&[("web", requires(&["db"])), ("db", slow())]);
    bench.ready("db");
    let both = vec![bench.id("web"), bench.id("db")];
    bench.command(Command::Stop(both)).expect("taken");
    let start = bench.start("web");
    let operation = bench.operation(start);
    assert_eq!(operation.state, OperationState::Running);
    assert_eq!(
        operation.steps[0].note.as_deref(),
        Some("waits for db, which is not ready yet")
    );
    bench.ready("db");
    assert_eq!(bench.operation(start).state, OperationState::Done);
}

#[test]
fn a_later_command_supersedes_an_earlier_one() {
    let mut bench = Bench::new();
    let up = bench
        .apply("a.toml", &[("a", slow()), ("b", slow())])
        .expect("taken");
    bench.stop("a");
    bench.ready("b");
    let operation = bench.operation(up);
    assert_eq!(operation.state, OperationState::Superseded);
    assert_eq!(operation.steps[0].state, StepState::Superseded);
    assert_eq!(operation.steps[1].state, StepState::Done);
}

#[test]
fn a_restart_is_done_when_the_new_run_is_up() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.stubborn.insert(bench.id("a"));
    let restart = bench.restart("a");
    assert_eq!(bench.operation(restart).state, OperationState::Running);
    bench.pass(seconds(10));
    assert_eq!(bench.operation(restart).state, OperationState::Done);
}

#[test]
fn an_operation_goes_on_in_a_new_daemon() {
    let mut bench = Bench::new();
    let up = bench
        .apply("a.toml", &[("a", slow()), ("b", policy())])
        .expect("taken");
    bench.daemon_dies(true);
    assert_eq!(bench.operation(up).state, OperationState::Running);
    bench.ready("a");
    assert_eq!(bench.operation(up).state, OperationState::Done);
}

#[test]
fn only_so_many_finished_operations_are_kept() {
    let mut bench = Bench::with(&[("a", policy())]);
    let first = bench.start("a");
    for _ in 0..100 {
        bench.start("a");
    }
    assert!(bench.core.operation(first).is_none());
}

#[test]
fn an_unknown_unit_is_refused() {
    let mut bench = Bench::new();
    let refused = bench.command(Command::Start(vec![UnitId(9)]));
    assert!(matches!(refused, Err(Refusal::NoSuchUnit(_))));
}
