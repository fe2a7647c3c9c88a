use std::time::Duration;

use abide_core::{Effect, Input, Outcome};
use abide_model::{EventKind, GiveUp, Hook, HookKind, Hooks, Policy, Restart, RunId};

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
