use abide_core::{Command, Effect, PlanChange};
use abide_model::{
    ActualState, OperationKind, Policy, Refusal, Signal, StopAction, StopPlan, StopStep,
};

use crate::bench::{Bench, policy, requires, seconds};

fn changed() -> Policy {
    Policy {
        launch_digest: 2,
        ..policy()
    }
}

#[test]
fn a_plan_says_what_apply_then_does() {
    let mut bench = Bench::with(&[
        ("a", policy()),
        ("b", policy()),
        ("c", policy()),
        ("d", policy()),
    ]);
    bench.moves();
    let soft = Policy {
        give_up: None,
        restart: abide_model::Restart::OnFailure,
        ..policy()
    };
    let next = [
        ("a", policy()),
        ("b", changed()),
        ("c", soft),
        ("e", policy()),
    ];
    let sources = vec![("abide.toml".to_string(), bench.defs(&next))];
    let plan = bench.core.plan(&sources).expect("taken");
    let plan: Vec<_> = plan.iter().map(|s| (s.unit.as_str(), s.change)).collect();
    assert_eq!(
        plan,
        [
            ("a", PlanChange::Unchanged),
            ("b", PlanChange::Change { restarts: true }),
            ("c", PlanChange::Change { restarts: false }),
            ("d", PlanChange::Remove),
            ("e", PlanChange::Add { starts: true }),
        ]
    );
    assert!(bench.moves().is_empty(), "a plan does nothing");
    bench.apply("abide.toml", &next).expect("taken");
    let mut moves = bench.moves();
    moves.sort();
    assert_eq!(moves, ["+b", "+e", "-b", "-d"]);
}

#[test]
fn a_changed_unit_is_stopped_as_it_was_told_when_it_started() {
    let stop = |signal| StopPlan {
        steps: vec![StopStep {
            action: StopAction::Signal(signal),
            within: None,
        }],
        within: seconds(10),
    };
    let mut bench = Bench::with(&[(
        "a",
        Policy {
            stop: stop(Signal::INT),
            ..policy()
        },
    )]);
    bench.log.clear();
    bench
        .apply(
            "abide.toml",
            &[(
                "a",
                Policy {
                    stop: stop(Signal::HUP),
                    ..changed()
                },
            )],
        )
        .expect("ok");
    let asked = bench.log.iter().find_map(|e| match e {
        Effect::AskStop {
            action: StopAction::Signal(signal),
            ..
        } => Some(*signal),
        _ => None,
    });
    assert_eq!(asked, Some(Signal::INT));
    let view = bench.core.unit(bench.id("a")).expect("known");
    assert_eq!(
        (view.state, view.restarts),
        (ActualState::Running, 0),
        "it is no crash"
    );
}

#[test]
fn a_unit_of_another_source_is_refused_and_nothing_is_done() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.log.clear();
    let refused = bench.apply("other.toml", &[("b", policy()), ("a", policy())]);
    assert!(matches!(refused, Err(Refusal::OwnedByOther { .. })));
    assert!(bench.moves().is_empty());
}

#[test]
fn a_unit_may_move_between_sources_that_are_applied_together() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.moves();
    let moved = bench.defs(&[("a", policy())]);
    let sources = vec![
        ("abide.toml".to_string(), vec![]),
        ("other.toml".to_string(), moved),
    ];
    bench
        .command(Command::Apply {
            kind: OperationKind::Up,
            sources,
            rolling: None,
        })
        .expect("taken");
    assert!(bench.moves().is_empty());
    assert_eq!(
        bench.core.unit(bench.id("a")).expect("known").source,
        "other.toml"
    );
}

#[test]
fn the_files_own_change_of_enabled_wins_over_an_earlier_command() {
    let off = Policy {
        enabled: false,
        ..policy()
    };
    let mut bench = Bench::with(&[("a", off.clone())]);
    assert_eq!(bench.state("a"), ActualState::Stopped);
    bench
        .command(Command::Enable(vec![bench.id("a")]))
        .expect("taken");
    bench
        .apply("abide.toml", &[("a", off.clone())])
        .expect("taken");
    assert!(
        bench.core.unit(bench.id("a")).expect("known").enabled,
        "unchanged in the file"
    );
    bench
        .apply("abide.toml", &[("a", policy())])
        .expect("taken");
    bench.apply("abide.toml", &[("a", off)]).expect("taken");
    assert!(
        !bench.core.unit(bench.id("a")).expect("known").enabled,
        "the file changed its mind"
    );
}

#[test]
fn a_disabled_unit_that_an_enabled_one_requires_is_started_with_it() {
    let off = Policy {
        enabled: false,
        ..policy()
    };
    let mut bench = Bench::with(&[("db", off), ("app", requires(&["db"]))]);
    assert_eq!(bench.moves(), ["+db", "+app"]);
}

#[test]
fn a_failed_unit_is_tried_again_when_its_configuration_changed_and_else_left_alone() {
    let never = Policy {
        restart: abide_model::Restart::Never,
        ..policy()
    };
    let mut bench = Bench::with(&[("a", never.clone())]);
    bench.exit("a", 1);
    bench.apply("abide.toml", &[("a", never)]).expect("taken");
    assert_eq!(bench.state("a"), ActualState::Failed);
    bench
        .apply("abide.toml", &[("a", policy())])
        .expect("taken");
    assert_eq!(bench.state("a"), ActualState::Running);
}

#[test]
fn a_source_that_goes_takes_its_units_with_it() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    bench
        .apply("other.toml", &[("b", policy())])
        .expect("taken");
    bench.moves();
    bench
        .command(Command::DownSource("abide.toml".into()))
        .expect("taken");
    assert_eq!(bench.moves(), ["-app", "-db"]);
    assert_eq!(bench.core.units().count(), 1);
    let refused = bench.command(Command::DownSource("abide.toml".into()));
    assert!(matches!(refused, Err(Refusal::BadRequest(_))));
}

#[test]
fn a_unit_that_returns_while_it_is_being_removed_is_kept() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.stubborn.insert(bench.id("a"));
    bench.apply("abide.toml", &[]).expect("taken");
    assert_eq!(bench.state("a"), ActualState::Stopping);
    bench
        .apply("abide.toml", &[("a", policy())])
        .expect("taken");
    bench.pass(seconds(10));
    assert_eq!(bench.state("a"), ActualState::Running);
    assert_eq!(bench.run("a").0, 2);
}
