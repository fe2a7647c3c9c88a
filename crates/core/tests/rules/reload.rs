use std::time::Duration;

use abide_core::{ANSWER_SLACK, Command, Effect, Input, Outcome};
use abide_model::{
    ActualState, EventKind, Operation, OperationId, OperationState, Policy, ProbeKind, Ready,
    Refusal, Reload, Signal, StepState,
};

use crate::bench::{Bench, failed, policy, requires, seconds};

fn by_signal() -> Policy {
    Policy {
        reload: Some(Reload::signal(Signal::HUP)),
        ..policy()
    }
}

fn confirming() -> Policy {
    Policy {
        reload: Some(Reload {
            confirm: true,
            within: seconds(20),
            ..Reload::signal(Signal::HUP)
        }),
        ..policy()
    }
}

fn try_reload(bench: &mut Bench, units: &[&str]) -> Result<OperationId, Refusal> {
    let units = units.iter().map(|unit| bench.id(unit)).collect();
    bench.command(Command::Reload(units))
}

fn reload(bench: &mut Bench) -> OperationId {
    try_reload(bench, &["web"]).expect("taken")
}

fn answered(bench: &mut Bench, unit: &str, outcome: Outcome) {
    let effect = bench.reloads[&bench.id(unit)];
    bench.input(Input::Done { effect, outcome });
}

fn says_reloading(bench: &mut Bench) {
    bench.said("web", |unit, run| Input::Reloading { unit, run });
}

fn orders(bench: &Bench) -> usize {
    bench.effects(|effect| matches!(effect, Effect::Reload { .. }))
}

fn note(operation: &Operation) -> &str {
    operation.steps[0].note.as_deref().unwrap_or_default()
}

fn reloaded(bench: &Bench) -> usize {
    bench.events(|e| matches!(e, EventKind::UnitReloaded))
}

fn reload_failed(bench: &Bench) -> usize {
    bench.events(|e| matches!(e, EventKind::UnitReloadFailed { .. }))
}

#[test]
fn a_reload_is_refused_where_it_cannot_be_done_and_nothing_is_told_then() {
    let starting = Policy {
        ready: Some(Ready {
            within: seconds(30),
            probe: ProbeKind::Notify,
        }),
        ..by_signal()
    };
    let mut bench = Bench::with(&[
        ("web", by_signal()),
        ("plain", policy()),
        ("down", by_signal()),
        ("starting", starting),
    ]);
    bench.stop("down");
    for unit in ["plain", "down", "starting"] {
        let refusal = try_reload(&mut bench, &["web", unit]).expect_err("refused");
        match (unit, &refusal) {
            ("plain", Refusal::NoReload(_)) => {
                assert!(refusal.to_string().contains("abide restart plain"));
            }
            ("plain", _) => panic!("{refusal}"),
            (_, refusal) => assert!(matches!(refusal, Refusal::NotRunning(_)), "{refusal}"),
        }
    }
    let unknown = bench.command(Command::Reload(vec![abide_model::UnitId(99)]));
    assert!(matches!(unknown, Err(Refusal::NoSuchUnit(_))));
    assert_eq!(orders(&bench), 0);
}

#[test]
fn a_reload_without_confirmation_is_done_when_it_was_carried_out() {
    let mut bench = Bench::with(&[("web", by_signal())]);
    let operation = reload(&mut bench);
    assert_eq!(bench.operation(operation).state, OperationState::Running);
    assert_eq!(bench.reason("web"), "reloading");
    bench.pass(seconds(3));
    let why = bench.why("web");
    assert!(why.contains("reloading for 3.0 s"), "{why}");
    answered(&mut bench, "web", Outcome::Ok);
    assert_eq!(bench.operation(operation).state, OperationState::Done);
    assert_eq!((reloaded(&bench), bench.reason("web").as_str()), (1, ""));
    assert!(bench.core.poll_timeout().mono.is_none());
    assert_eq!(bench.run("web").0, 1);
}

#[test]
fn a_reload_that_fails_or_gets_no_answer_says_so_and_the_unit_runs_on() {
    let mut bench = Bench::with(&[("web", by_signal())]);
    let operation = reload(&mut bench);
    answered(&mut bench, "web", failed("exit 1"));
    assert_eq!(bench.operation(operation).state, OperationState::Failed);
    assert_eq!(note(bench.operation(operation)), "exit 1");
    let operation = reload(&mut bench);
    let lost = bench.reloads[&bench.id("web")];
    bench.pass(Reload::WITHIN + ANSWER_SLACK);
    assert_eq!(bench.operation(operation).state, OperationState::Failed);
    let outcome = Outcome::Ok;
    bench.input(Input::Done {
        effect: lost,
        outcome,
    });
    assert_eq!((reloaded(&bench), reload_failed(&bench)), (0, 2));
    assert_eq!(
        (bench.state("web"), bench.run("web").0),
        (ActualState::Running, 1)
    );
}

#[test]
fn a_confirmed_reload_is_done_when_the_program_said_both_words() {
    for early in [false, true] {
        let mut bench = Bench::with(&[("web", confirming())]);
        let operation = reload(&mut bench);
        if !early {
            answered(&mut bench, "web", Outcome::Ok);
        }
        bench.ready("web");
        assert_eq!(reloaded(&bench), 0, "that was no answer to it");
        says_reloading(&mut bench);
        assert_eq!(bench.operation(operation).state, OperationState::Running);
        bench.ready("web");
        if early {
            assert_eq!(reloaded(&bench), 0, "the command is at it still");
            answered(&mut bench, "web", Outcome::Ok);
        }
        assert_eq!(bench.operation(operation).state, OperationState::Done);
    }
}

#[test]
fn a_confirmation_that_does_not_come_fails_the_reload_and_leaves_the_unit_alone() {
    for words in [0, 1] {
        let mut bench = Bench::with(&[("web", confirming())]);
        let operation = reload(&mut bench);
        answered(&mut bench, "web", Outcome::Ok);
        if words == 1 {
            says_reloading(&mut bench);
        }
        bench.pass(seconds(19));
        assert_eq!(bench.operation(operation).state, OperationState::Running);
        bench.pass(seconds(1));
        let said = note(bench.operation(operation));
        assert!(
            said.contains(["RELOADING=1 within", "READY=1 within"][words]),
            "{said}"
        );
        assert_eq!(bench.run("web").0, 1);
    }
}

#[test]
fn more_time_moves_the_end_of_a_reload() {
    let mut bench = Bench::with(&[("web", confirming())]);
    let operation = reload(&mut bench);
    answered(&mut bench, "web", Outcome::Ok);
    let by = seconds(30);
    bench.said("web", |unit, run| Input::ExtendTimeout { unit, run, by });
    bench.pass(seconds(29));
    assert_eq!(bench.operation(operation).state, OperationState::Running);
    bench.pass(seconds(1));
    assert_eq!(bench.operation(operation).state, OperationState::Failed);
}

#[test]
fn a_second_reload_waits_for_the_first_and_is_carried_out_on_its_own() {
    let mut bench = Bench::with(&[("web", by_signal())]);
    let first = reload(&mut bench);
    let (second, third) = (reload(&mut bench), reload(&mut bench));
    assert_eq!(orders(&bench), 1);
    answered(&mut bench, "web", Outcome::Ok);
    assert_eq!(orders(&bench), 2);
    let state = |bench: &Bench, id| bench.operation(id).state;
    assert_eq!(state(&bench, first), OperationState::Done);
    assert_eq!(state(&bench, second), OperationState::Running);
    answered(&mut bench, "web", Outcome::Ok);
    assert_eq!(state(&bench, second), OperationState::Done);
    assert_eq!(state(&bench, third), OperationState::Done);
    assert_eq!(orders(&bench), 2, "one for all that waited");
}

#[test]
fn a_run_that_ends_fails_the_reloads_that_it_had() {
    for stopped in [false, true] {
        let mut bench = Bench::with(&[("web", by_signal())]);
        let (first, second) = (reload(&mut bench), reload(&mut bench));
        if stopped {
            bench.stop("web");
        } else {
            bench.exit("web", 1);
        }
        for id in [first, second] {
            let operation = bench.operation(id);
            assert_eq!(operation.state, OperationState::Failed);
            let wanted = [
                "it ended meanwhile: exit 1",
                "it is being ended: stopped by hand",
            ];
            assert!(
                note(operation).contains(wanted[usize::from(stopped)]),
                "{operation:?}"
            );
        }
        assert_eq!(orders(&bench), 1);
    }
}

#[test]
fn a_reload_takes_no_unit_from_another_operation() {
    let slow = Policy {
        ready: Some(Ready {
            within: seconds(30),
            probe: ProbeKind::Notify,
        }),
        ..requires(&["web"])
    };
    let mut bench = Bench::new();
    let up = bench
        .apply("a.toml", &[("web", by_signal()), ("shop", slow)])
        .expect("taken");
    reload(&mut bench);
    answered(&mut bench, "web", Outcome::Ok);
    assert_eq!(bench.operation(up).state, OperationState::Running);
    bench.ready("shop");
    assert_eq!(bench.operation(up).state, OperationState::Done);
}

#[test]
fn a_program_that_reloads_by_itself_is_shown_so_until_it_is_ready() {
    let mut bench = Bench::with(&[("web", policy())]);
    says_reloading(&mut bench);
    says_reloading(&mut bench);
    assert_eq!(bench.reason("web"), "reloading");
    assert_eq!(bench.state("web"), ActualState::Running);
    bench.ready("web");
    assert_eq!((bench.reason("web").as_str(), reloaded(&bench)), ("", 1));
    says_reloading(&mut bench);
    bench.pass(Reload::WITHIN);
    assert_eq!(
        (bench.reason("web").as_str(), reload_failed(&bench)),
        ("", 1)
    );
    assert_eq!(bench.run("web").0, 1);
}

#[test]
fn what_a_program_reloads_by_itself_is_no_answer_to_a_person() {
    let mut bench = Bench::with(&[("web", confirming())]);
    says_reloading(&mut bench);
    let operation = reload(&mut bench);
    answered(&mut bench, "web", Outcome::Ok);
    bench.ready("web");
    assert_eq!(bench.operation(operation).state, OperationState::Running);
    says_reloading(&mut bench);
    bench.ready("web");
    assert_eq!(bench.operation(operation).state, OperationState::Done);
}

#[test]
fn a_new_daemon_asks_again_for_what_was_not_finished_and_only_for_that() {
    let mut bench = Bench::with(&[("web", by_signal()), ("db", by_signal())]);
    let operation = try_reload(&mut bench, &["web", "db"]).expect("taken");
    answered(&mut bench, "db", failed("exit 1"));
    bench.daemon_dies(true);
    assert_eq!(orders(&bench), 1);
    assert_eq!(bench.operation(operation).state, OperationState::Running);
    answered(&mut bench, "web", Outcome::Ok);
    let steps = &bench.operation(operation).steps;
    assert_eq!(steps[0].state, StepState::Failed, "{steps:?}");
    assert_eq!(steps[1].state, StepState::Done, "{steps:?}");
}

#[test]
fn a_reload_has_failed_when_the_run_is_gone_with_the_daemon() {
    for same_boot in [true, false] {
        let mut bench = Bench::with(&[("web", by_signal())]);
        let operation = reload(&mut bench);
        bench.forget_process("web");
        bench.daemon_dies(same_boot);
        assert_eq!(bench.operation(operation).state, OperationState::Failed);
        assert_eq!(orders(&bench), 0);
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.state("web"), ActualState::Running);
    }
}
