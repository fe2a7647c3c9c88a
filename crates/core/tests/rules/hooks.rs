use std::time::Duration;

use abide_core::{Command, Effect, Input, Outcome};
use abide_model::{
    ActualState, EventKind, ExitStatus, GiveUp, Hook, HookKind, Hooks, Policy, Restart, RunId,
};

use crate::bench::{Bench, Hooked, policy, seconds};

/// Hooks of these kinds, each of which has this long.
fn hooked(kinds: &[HookKind], timeout: Duration) -> Policy {
    let hook = |kind: &HookKind| {
        let command = abide_model::Command::Shell("true".into());
        (*kind, Hook { command, timeout })
    };
    Policy {
        hooks: Hooks(kinds.iter().map(hook).collect()),
        ..policy()
    }
}

const FIRST: abide_model::UnitId = abide_model::UnitId(1);

/// A bench with one unit whose hooks come to this.
fn bench(unit: Policy, hooks: &[(HookKind, Hooked)]) -> Bench {
    let mut bench = Bench::new();
    for (hook, becomes) in hooks {
        bench.hooks.insert((FIRST, *hook), *becomes);
    }
    bench.apply("abide.toml", &[("web", unit)]).expect("taken");
    bench
}

/// The hook that hangs comes to an end.
fn answer(bench: &mut Bench, hook: HookKind, outcome: Outcome) {
    let effect = bench.hook_of("web", hook);
    bench.input(Input::Done { effect, outcome });
}

fn cancelled(bench: &Bench, hook: HookKind) -> bool {
    let is = |effect: &Effect| matches!(effect, Effect::CancelHook { hook: of, .. } if *of == hook);
    bench.log.iter().any(is)
}

/// The hooks that were run since the last look, each with its run.
fn ran(bench: &Bench) -> Vec<(HookKind, u64)> {
    let hook = |effect: &Effect| match effect {
        Effect::RunHook { run, hook, .. } => Some((*hook, run.0)),
        _ => None,
    };
    bench.log.iter().filter_map(hook).collect()
}

#[test]
fn after_start_is_run_when_the_run_is_ready_and_holds_up_nothing() {
    let mut bench = Bench::new();
    bench.hooks.insert(
        (abide_model::UnitId(1), HookKind::AfterStart),
        Hooked::Hangs,
    );
    let unit = hooked(&[HookKind::AfterStart], seconds(1));
    bench.apply("abide.toml", &[("web", unit)]).expect("taken");
    assert_eq!(ran(&bench), [(HookKind::AfterStart, 1)]);
    bench.pass(seconds(100));
    assert_eq!(bench.run("web"), RunId(1));
}

#[test]
fn on_failure_is_run_for_each_failed_run_and_before_on_give_up() {
    let unit = Policy {
        give_up: Some(GiveUp {
            restarts: 1,
            within: seconds(100),
        }),
        ..hooked(&[HookKind::OnGiveUp, HookKind::OnFailure], seconds(1))
    };
    let mut bench = Bench::with(&[("web", unit)]);
    bench.exit("web", 1);
    assert_eq!(ran(&bench), [(HookKind::OnFailure, 1)]);
    bench.exit("web", 1);
    assert_eq!(
        ran(&bench)[1..],
        [(HookKind::OnFailure, 2), (HookKind::OnGiveUp, 2)]
    );
}

#[test]
fn neither_a_success_nor_a_stop_is_a_failure() {
    let unit = Policy {
        restart: Restart::OnFailure,
        ..hooked(&[HookKind::OnFailure, HookKind::OnGiveUp], seconds(1))
    };
    let mut bench = Bench::with(&[("web", unit.clone()), ("db", unit)]);
    bench.exit("web", 0);
    bench.stop("db");
    assert_eq!(ran(&bench), []);
}

#[test]
fn how_a_hook_went_is_told_once() {
    let mut bench = Bench::new();
    bench.hooks.insert(
        (abide_model::UnitId(1), HookKind::AfterStart),
        Hooked::Hangs,
    );
    let unit = hooked(&[HookKind::AfterStart], seconds(1));
    bench.apply("abide.toml", &[("web", unit)]).expect("taken");
    let failed = |kind: &EventKind| matches!(kind, EventKind::HookFailed { reason, .. } if reason == "exit 3");
    let effect = bench.hook_of("web", HookKind::AfterStart);
    for _ in 0..2 {
        bench.input(Input::Done {
            effect,
            outcome: Outcome::Failed {
                reason: "exit 3".into(),
            },
        });
    }
    assert_eq!(bench.events(failed), 1);
}

#[test]
fn a_run_is_spawned_when_before_start_has_succeeded() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart], seconds(30)),
        &[(HookKind::BeforeStart, Hooked::Hangs)],
    );
    assert_eq!(bench.state("web"), ActualState::Starting);
    assert_eq!(bench.reason("web"), "runs before_start");
    assert!(bench.moves().is_empty());
    bench.pass(seconds(2));
    let why = bench.core.explain(FIRST, bench.now).expect("known");
    assert_eq!(why.cause, "runs before_start, for 2.0 s");
    answer(&mut bench, HookKind::BeforeStart, Outcome::Ok);
    assert_eq!(bench.moves(), ["+web"]);
    assert_eq!(bench.run("web"), RunId(1));
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn a_failed_before_start_is_a_failed_start_with_backoff_and_hooks() {
    let mut bench = bench(
        hooked(
            &[
                HookKind::BeforeStart,
                HookKind::AfterStop,
                HookKind::OnFailure,
            ],
            seconds(1),
        ),
        &[(HookKind::BeforeStart, Hooked::Fails)],
    );
    assert_eq!(bench.state("web"), ActualState::Backoff);
    let view = bench.core.unit(FIRST).expect("known");
    assert_eq!(
        view.last_exit.expect("ended").status,
        ExitStatus::SpawnFailed("before_start failed: exit 1".into())
    );
    assert_eq!(view.restarts, 2, "the first is at once");
    let one = [
        HookKind::BeforeStart,
        HookKind::AfterStop,
        HookKind::OnFailure,
    ];
    let kinds: Vec<HookKind> = ran(&bench).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [one, one].concat());
    assert!(bench.moves().is_empty(), "nothing was spawned");
}

#[test]
fn a_failed_before_start_of_a_unit_that_is_not_restarted_is_given_up() {
    let unit = Policy {
        restart: Restart::Never,
        ..hooked(&[HookKind::BeforeStart], seconds(1))
    };
    let bench = bench(unit, &[(HookKind::BeforeStart, Hooked::Fails)]);
    assert_eq!(bench.state("web"), ActualState::Failed);
    assert!(bench.reason("web").contains("before_start failed: exit 1"));
}

#[test]
fn a_before_start_that_is_stopped_is_cancelled_and_waited_for() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart, HookKind::AfterStop], seconds(30)),
        &[(HookKind::BeforeStart, Hooked::Hangs)],
    );
    bench.stop("web");
    assert_eq!(bench.state("web"), ActualState::Stopping);
    assert!(cancelled(&bench, HookKind::BeforeStart));
    let failed = Outcome::Failed {
        reason: "cancelled".into(),
    };
    answer(&mut bench, HookKind::BeforeStart, failed);
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert_eq!(
        ran(&bench),
        [(HookKind::BeforeStart, 1), (HookKind::AfterStop, 1)]
    );
    assert!(bench.moves().is_empty());
}

#[test]
fn a_cancelled_before_start_that_is_not_answered_ends_all_the_same() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart], seconds(1000)),
        &[(HookKind::BeforeStart, Hooked::Hangs)],
    );
    bench.stop("web");
    bench.pass(seconds(10));
    assert_eq!(bench.state("web"), ActualState::Stopped);
    // What comes later is too late.
    answer(&mut bench, HookKind::BeforeStart, Outcome::Ok);
    assert!(bench.moves().is_empty());
}

#[test]
fn a_restart_during_before_start_begins_anew() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart], seconds(30)),
        &[(HookKind::BeforeStart, Hooked::Hangs)],
    );
    bench.restart("web");
    answer(&mut bench, HookKind::BeforeStart, Outcome::Ok);
    assert_eq!(bench.run("web"), RunId(2));
    assert!(bench.moves().is_empty());
    answer(&mut bench, HookKind::BeforeStart, Outcome::Ok);
    assert_eq!(bench.moves(), ["+web"]);
}

#[test]
fn a_before_start_without_an_answer_is_a_failed_start() {
    let unit = Policy {
        restart: Restart::Never,
        ..hooked(&[HookKind::BeforeStart], seconds(30))
    };
    let mut bench = bench(unit, &[(HookKind::BeforeStart, Hooked::Hangs)]);
    bench.pass(seconds(39));
    assert_eq!(bench.state("web"), ActualState::Starting);
    bench.pass(seconds(1));
    assert_eq!(bench.state("web"), ActualState::Failed);
}

#[test]
fn a_stop_begins_with_before_stop_and_then_has_all_its_time() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStop], seconds(30)),
        &[(HookKind::BeforeStop, Hooked::Hangs)],
    );
    bench.stubborn.insert(FIRST);
    bench.log.clear();
    bench.stop("web");
    bench.pass(seconds(29));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    assert_eq!(bench.reason("web"), "stopped by hand; runs before_stop");
    assert!(bench.moves().is_empty());
    answer(&mut bench, HookKind::BeforeStop, Outcome::Ok);
    bench.pass(seconds(9));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    assert_eq!(bench.moves(), ["-web"]);
    bench.pass(seconds(1));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

#[test]
fn a_before_stop_that_fails_or_is_lost_does_not_keep_the_unit_up() {
    for becomes in [Hooked::Fails, Hooked::Hangs] {
        let mut bench = bench(
            hooked(&[HookKind::BeforeStop], seconds(5)),
            &[(HookKind::BeforeStop, becomes)],
        );
        bench.stop("web");
        bench.pass(seconds(15));
        assert_eq!(bench.state("web"), ActualState::Stopped);
    }
}

#[test]
fn a_main_process_that_ends_during_before_stop_cancels_it() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStop, HookKind::AfterStop], seconds(30)),
        &[(HookKind::BeforeStop, Hooked::Hangs)],
    );
    bench.stop("web");
    bench.exit("web", 0);
    assert!(cancelled(&bench, HookKind::BeforeStop));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    answer(&mut bench, HookKind::BeforeStop, Outcome::Ok);
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert_eq!(
        ran(&bench),
        [(HookKind::BeforeStop, 1), (HookKind::AfterStop, 1)]
    );
    assert!(
        !bench
            .log
            .iter()
            .any(|e| matches!(e, Effect::AskStop { .. }))
    );
}

#[test]
fn before_stop_is_run_before_a_restart_and_a_down_and_not_after_a_crash() {
    let mut bench = bench(hooked(&[HookKind::BeforeStop], seconds(30)), &[]);
    bench.exit("web", 1);
    assert_eq!(ran(&bench), []);
    bench.restart("web");
    assert_eq!(ran(&bench), [(HookKind::BeforeStop, 2)]);
    bench.log.clear();
    bench.command(Command::Down).expect("taken");
    assert_eq!(ran(&bench), [(HookKind::BeforeStop, 3)]);
    assert!(bench.halted);
}

#[test]
fn before_stop_is_not_run_for_a_program_that_hangs() {
    let unit = Policy {
        ready: Some(abide_model::Ready {
            within: seconds(5),
            probe: abide_model::ProbeKind::Notify,
        }),
        ..hooked(&[HookKind::BeforeStop, HookKind::AfterStop], seconds(30))
    };
    let mut bench = bench(unit, &[]);
    bench.pass(seconds(5));
    assert_eq!(ran(&bench), [(HookKind::AfterStop, 1)]);
}

#[test]
fn the_next_run_begins_when_after_stop_is_over() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart, HookKind::AfterStop], seconds(30)),
        &[(HookKind::AfterStop, Hooked::Hangs)],
    );
    bench.exit("web", 1);
    assert_eq!(bench.state("web"), ActualState::Stopping);
    assert_eq!(bench.reason("web"), "exit 1 at once; runs after_stop");
    bench.pass(seconds(20));
    assert_eq!(bench.run("web"), RunId(1));
    let failed = Outcome::Failed {
        reason: "exit 1".into(),
    };
    answer(&mut bench, HookKind::AfterStop, failed);
    assert_eq!(
        (bench.run("web"), bench.state("web")),
        (RunId(2), ActualState::Running)
    );
}

#[test]
fn a_stop_during_after_stop_waits_for_it_and_nothing_follows() {
    let mut bench = bench(
        hooked(&[HookKind::AfterStop], seconds(30)),
        &[(HookKind::AfterStop, Hooked::Hangs)],
    );
    bench.exit("web", 1);
    let stop = bench.stop("web");
    assert_eq!(bench.state("web"), ActualState::Stopping);
    bench.pass(seconds(40));
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert_eq!(
        bench.operation(stop).state,
        abide_model::OperationState::Done
    );
    assert_eq!(bench.moves(), ["+web"]);
}

#[test]
fn a_unit_is_forgotten_after_its_after_stop() {
    let mut bench = bench(
        hooked(&[HookKind::AfterStop], seconds(30)),
        &[(HookKind::AfterStop, Hooked::Hangs)],
    );
    bench.command(Command::Remove(vec![FIRST])).expect("taken");
    assert_eq!(bench.state("web"), ActualState::Stopping);
    answer(&mut bench, HookKind::AfterStop, Outcome::Ok);
    assert!(bench.core.unit(FIRST).is_none());
}

#[test]
fn after_stop_is_run_when_the_program_cannot_be_executed() {
    let mut bench = Bench::new();
    bench.hanging.insert(FIRST);
    let unit = Policy {
        restart: Restart::Never,
        ..hooked(&[HookKind::AfterStop], seconds(30))
    };
    bench.apply("abide.toml", &[("web", unit)]).expect("taken");
    let effect = bench.spawn_of("web");
    let outcome = Outcome::SpawnFailed {
        reason: "no such file".into(),
    };
    bench.input(Input::Done { effect, outcome });
    assert_eq!(ran(&bench), [(HookKind::AfterStop, 1)]);
    assert_eq!(bench.state("web"), ActualState::Failed);
}

#[test]
fn a_new_daemon_runs_again_what_the_old_one_had_begun() {
    for hook in [HookKind::BeforeStop, HookKind::AfterStop] {
        let mut bench = bench(hooked(&[hook], seconds(30)), &[(hook, Hooked::Hangs)]);
        bench.stop("web");
        bench.pass(seconds(20));
        bench.daemon_dies(true);
        assert_eq!(ran(&bench), [(hook, 1)]);
        assert_eq!(bench.state("web"), ActualState::Stopping);
        answer(&mut bench, hook, Outcome::Ok);
        assert_eq!(bench.state("web"), ActualState::Stopped);
    }
}

#[test]
fn a_hook_that_nothing_waits_for_is_run_again_once_if_its_daemon_died_under_it() {
    let hook = HookKind::OnFailure;
    let mut bench = bench(hooked(&[hook], seconds(30)), &[(hook, Hooked::Hangs)]);
    bench.exit("web", 1);
    assert_eq!(ran(&bench), [(hook, 1)]);
    bench.daemon_dies(true);
    assert_eq!(ran(&bench), [(hook, 1)], "again, by the new daemon");
    bench.daemon_dies(true);
    assert_eq!(ran(&bench), [], "and not a third time");
    bench.daemon_dies(true);
    assert_eq!(ran(&bench), []);
}

#[test]
fn a_hook_that_was_answered_is_not_run_again() {
    let hook = HookKind::OnFailure;
    let mut bench = bench(hooked(&[hook], seconds(30)), &[(hook, Hooked::Hangs)]);
    bench.exit("web", 1);
    answer(&mut bench, hook, Outcome::Ok);
    bench.daemon_dies(true);
    assert_eq!(ran(&bench), []);
}

#[test]
fn a_before_start_that_died_with_its_daemon_is_no_crash() {
    let mut bench = bench(
        hooked(&[HookKind::BeforeStart, HookKind::AfterStop], seconds(30)),
        &[(HookKind::BeforeStart, Hooked::Hangs)],
    );
    bench.hooks.clear();
    bench.daemon_dies(true);
    assert_eq!(
        ran(&bench),
        [(HookKind::AfterStop, 1), (HookKind::BeforeStart, 65)],
    );
    let view = bench.core.unit(FIRST).expect("known");
    assert_eq!((view.state, view.restarts), (ActualState::Running, 0));
    assert!(view.last_exit.is_none());
}

#[test]
fn before_start_waits_for_the_reservation_of_its_run() {
    let mut bench = bench(hooked(&[HookKind::BeforeStart], seconds(30)), &[]);
    let after = |bench: &Bench| {
        let after = |effect: &Effect| match effect {
            Effect::RunHook { after, .. } => Some(*after),
            _ => None,
        };
        bench.log.iter().find_map(after).expect("has run")
    };
    assert!(after(&bench).is_some());
    bench.log.clear();
    bench.restart("web");
    assert!(after(&bench).is_none(), "there is a block of ids");
}

#[test]
fn the_hooks_of_a_stop_wait_for_no_disk() {
    let unit = hooked(&[HookKind::BeforeStop, HookKind::AfterStop], seconds(5));
    let mut bench = bench(unit.clone(), &[]);
    bench.log.clear();
    let changed = Policy {
        launch_digest: 2,
        ..unit
    };
    bench
        .apply("abide.toml", &[("web", changed)])
        .expect("taken");
    let waits = |effect: &Effect| matches!(effect, Effect::RunHook { after: Some(_), .. });
    assert!(!bench.log.iter().any(waits));
    assert_eq!(bench.run("web"), RunId(2));
}
