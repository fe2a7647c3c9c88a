use abide_core::Command;
use abide_model::{ActualState, Policy, ProbeKind, Ready, Refusal, Restart, StepState, UnitType};

use crate::bench::{Bench, name, policy, requires, seconds};

fn slow(policy: Policy) -> Policy {
    let probe = ProbeKind::Tcp("127.0.0.1:1".into());
    Policy {
        ready: Some(Ready {
            within: seconds(30),
            probe,
        }),
        ..policy
    }
}

#[test]
fn a_unit_starts_when_what_it_requires_is_ready() {
    let mut bench = Bench::with(&[("app", requires(&["db"])), ("db", slow(policy()))]);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    assert!(
        bench.reason("app").contains("db, which is not ready yet"),
        "{}",
        bench.reason("app")
    );
    bench.ready("db");
    assert_eq!(bench.state("app"), ActualState::Running);
    assert_eq!(bench.moves(), ["+db", "+app"]);
}

#[test]
fn a_crash_of_a_dependency_leaves_its_dependents_alone() {
    let mut bench = Bench::with(&[("app", requires(&["db"])), ("db", policy())]);
    bench.exit("db", 1);
    bench.exit("db", 1);
    assert_eq!(bench.state("db"), ActualState::Backoff);
    assert_eq!(bench.state("app"), ActualState::Running);
    bench.exit("app", 1);
    assert_eq!(
        bench.state("app"),
        ActualState::Waiting,
        "its restart waits for db"
    );
    bench.pass(seconds(1));
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn a_dependency_that_failed_and_recovers_brings_its_dependents_up() {
    let never = Policy {
        restart: Restart::Never,
        ..slow(policy())
    };
    let mut bench = Bench::with(&[("app", requires(&["db"])), ("db", never)]);
    bench.exit("db", 1);
    assert_eq!(bench.state("db"), ActualState::Failed);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.start("db");
    bench.ready("db");
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn a_stop_of_a_dependency_stops_what_requires_it_first_and_that_comes_back_with_it() {
    let mut bench = Bench::with(&[
        ("db", policy()),
        ("app", requires(&["db"])),
        ("web", requires(&["app"])),
    ]);
    bench.moves();
    bench.stop("db");
    assert_eq!(bench.moves(), ["-web", "-app", "-db"]);
    assert_eq!(bench.state("web"), ActualState::Waiting);
    bench.start("db");
    assert_eq!(bench.moves(), ["+db", "+app", "+web"]);
}

#[test]
fn a_restart_of_a_dependency_leaves_dependents_alone() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    bench.moves();
    bench.restart("db");
    assert_eq!(bench.moves(), ["-db", "+db"]);
}

#[test]
fn a_restart_of_all_stops_in_reverse_order_and_starts_in_order() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    bench.moves();
    let both = vec![bench.id("db"), bench.id("app")];
    bench.command(Command::Restart(both)).expect("taken");
    assert_eq!(bench.moves(), ["-app", "-db", "+db", "+app"]);
}

#[test]
fn what_is_wanted_gets_its_chance_first_but_need_not_come_up() {
    let wants = Policy {
        wants: vec![name("cache")],
        ..policy()
    };
    let mut bench = Bench::with(&[("app", wants), ("cache", slow(policy()))]);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.exit("cache", 1);
    assert_eq!(
        bench.state("app"),
        ActualState::Running,
        "cache had its chance"
    );
}

#[test]
fn order_alone_pulls_nothing_in() {
    let after = Policy {
        after: vec![name("db")],
        enabled: false,
        ..policy()
    };
    let off = Policy {
        enabled: false,
        ..slow(policy())
    };
    let mut bench = Bench::with(&[("app", after), ("db", off)]);
    bench.start("app");
    assert_eq!(bench.state("db"), ActualState::Stopped);
    assert_eq!(bench.state("app"), ActualState::Running);
    bench.stop("app");
    let both = vec![bench.id("db"), bench.id("app")];
    bench.command(Command::Start(both)).expect("taken");
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.ready("db");
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn a_start_pulls_in_what_it_requires_even_if_that_was_stopped_by_hand() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    bench.stop("db");
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.start("app");
    assert_eq!(
        (bench.state("db"), bench.state("app")),
        (ActualState::Running, ActualState::Running)
    );
}

#[test]
fn a_oneshot_must_end_with_success_before_what_requires_it_starts() {
    let oneshot = Policy {
        unit_type: UnitType::Oneshot,
        ..policy()
    };
    let mut bench = Bench::with(&[("migrate", oneshot), ("app", requires(&["migrate"]))]);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.exit("migrate", 1);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    bench.exit("migrate", 0);
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn a_circle_is_refused_with_its_units_named() {
    let mut bench = Bench::with(&[("ok", policy())]);
    let wants = Policy {
        wants: vec![name("b")],
        ..policy()
    };
    let refused = bench.apply("b.toml", &[("a", wants), ("b", requires(&["a"]))]);
    let circle = vec![name("a"), name("b"), name("a")];
    assert_eq!(refused, Err(Refusal::Cycle(circle)));
    assert_eq!(bench.core.units().count(), 1, "nothing was done");
}

#[test]
fn a_required_unit_must_exist_and_others_may_appear_later() {
    let mut bench = Bench::new();
    let refused = bench.apply("a.toml", &[("a", requires(&["ghost"]))]);
    assert!(matches!(refused, Err(Refusal::NoSuchDependency { .. })));
    let wants = Policy {
        wants: vec![name("late")],
        ..policy()
    };
    bench.apply("a.toml", &[("a", wants)]).expect("taken");
    assert_eq!(bench.state("a"), ActualState::Running);
    bench.apply("b.toml", &[("late", policy())]).expect("taken");
    bench.moves();
    bench.command(Command::Down).expect("taken");
    assert_eq!(
        bench.moves(),
        ["-a", "-late"],
        "the edge holds since late appeared"
    );
}

#[test]
fn a_start_that_waits_for_what_will_not_come_fails_and_says_why() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    bench.stop("db");
    let up = bench.apply(
        "abide.toml",
        &[("db", policy()), ("app", requires(&["db"]))],
    );
    let operation = bench.operation(up.expect("taken")).clone();
    let app = operation
        .steps
        .iter()
        .find(|s| s.unit == name("app"))
        .expect("has a step");
    assert_eq!(app.state, StepState::Failed);
    let note = app.note.as_deref().unwrap_or_default();
    assert!(note.contains("db, which was stopped by hand"), "{note}");
}

#[test]
fn a_unit_that_others_require_is_not_removed() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    let refused = bench.command(Command::Remove(vec![bench.id("db")]));
    assert!(matches!(refused, Err(Refusal::RequiredBy { .. })));
    let refused = bench.apply("abide.toml", &[("app", requires(&["db"]))]);
    assert!(matches!(refused, Err(Refusal::RequiredBy { .. })));
    bench.moves();
    let both = vec![bench.id("db"), bench.id("app")];
    bench.command(Command::Remove(both)).expect("taken");
    assert_eq!(bench.moves(), ["-app", "-db"]);
    assert_eq!(bench.core.units().count(), 0);
    assert!(bench.records.is_empty());
}

#[test]
fn what_waits_sees_that_a_unit_is_hopeless_again_after_it_was_retried() {
    let never = Policy {
        restart: Restart::Never,
        ..policy()
    };
    let after = Policy {
        after: vec![name("web")],
        ..policy()
    };
    let stands = ("cache", policy());
    let also = ("db", policy());
    let mut bench = Bench::with(&[
        ("app", requires(&["cache"])),
        ("web", never),
        stands.clone(),
        also.clone(),
    ]);
    bench.stop("cache");
    bench.stop("db");
    bench.exit("web", 1);
    assert_eq!(bench.state("app"), ActualState::Waiting);
    assert_eq!(bench.state("web"), ActualState::Failed);
    // The change retries web, which then waits for db, and has app wait for nothing but web.
    let changed = [("app", after), ("web", requires(&["db"])), stands, also];
    bench.apply("abide.toml", &changed).expect("taken");
    assert_eq!(bench.state("web"), ActualState::Waiting);
    assert_eq!(bench.state("app"), ActualState::Running);
}
