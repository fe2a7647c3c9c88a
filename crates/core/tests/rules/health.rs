use std::collections::BTreeSet;
use std::time::Duration;

use abide_core::{ANSWER_SLACK, Command, Effect, Outcome, UnitView};
use abide_model::{
    ActualState, EventKind, GiveUp, Health, HealthCheck, HealthProbe, Hook, HookKind, Hooks,
    OnUnhealthy, Policy, ProbeKind, Ready,
};

use crate::bench::{Bench, failed, policy, seconds};

/// Every 10 s, 2 s for each round, three bad ones are too many.
fn check() -> HealthCheck {
    HealthCheck {
        probes: vec![HealthProbe::Tcp("127.0.0.1:1".into())],
        every: seconds(10),
        timeout: seconds(2),
        misses: 3,
        grace: Duration::ZERO,
        on_unhealthy: OnUnhealthy::Restart,
    }
}

fn with(check: HealthCheck) -> Policy {
    Policy {
        health: Some(check),
        ..policy()
    }
}

fn marking() -> Policy {
    with(HealthCheck {
        on_unhealthy: OnUnhealthy::Mark,
        ..check()
    })
}

fn view<'a>(bench: &'a Bench, unit: &str) -> UnitView<'a> {
    bench.core.unit(bench.id(unit)).expect("known")
}

fn probes(bench: &Bench) -> usize {
    bench.effects(|effect| matches!(effect, Effect::Probe { .. }))
}

fn is_published(effect: &Effect) -> bool {
    matches!(effect, Effect::Publish(_))
}

/// Until the next round begins.
fn to_next_round(bench: &mut Bench) {
    bench.log.clear();
    while probes(bench) == 0 {
        let (due, _) = bench.core.poll_timeout().mono.expect("a round is due");
        bench.pass(due.since(bench.now.mono));
    }
}

#[test]
fn the_first_rounds_of_many_units_are_spread_over_the_interval() {
    let names: Vec<String> = (0..1000).map(|i| format!("u{i}")).collect();
    let units: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), with(check())))
        .collect();
    let mut bench = Bench::with(&units);
    bench.answer = Some(Outcome::Ok);
    let mut instants = BTreeSet::new();
    for _ in 0..10 {
        bench.log.clear();
        let end = bench.now.mono.after(seconds(1));
        while let Some((due, _)) = bench.core.poll_timeout().mono.filter(|(at, _)| *at <= end) {
            bench.pass(due.since(bench.now.mono));
            instants.insert(due);
        }
        bench.pass(end.since(bench.now.mono));
        let now = probes(&bench);
        assert!(
            (50..200).contains(&now),
            "{now} of 1000 in a tenth of the time"
        );
    }
    assert!(instants.len() > 990, "{} instants", instants.len());
    bench.log.clear();
    bench.pass(seconds(10));
    assert_eq!(probes(&bench), 1000, "each once in each interval");
}

#[test]
fn rounds_begin_when_the_unit_is_ready_and_keep_their_distance() {
    let ready = Some(Ready {
        within: seconds(60),
        probe: ProbeKind::Notify,
    });
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            ready,
            ..with(check())
        },
    )]);
    bench.pass(seconds(50));
    assert_eq!(probes(&bench), 0);
    bench.ready("web");
    to_next_round(&mut bench);
    let first = bench.now.mono;
    bench.pass(seconds(1));
    bench.probed("web", Outcome::Ok);
    to_next_round(&mut bench);
    assert_eq!(bench.now.mono, first.after(seconds(10)));
}

#[test]
fn no_round_begins_before_the_last_one_has_its_answer() {
    let slow = HealthCheck {
        every: seconds(1),
        timeout: seconds(30),
        ..check()
    };
    let mut bench = Bench::with(&[("web", with(slow))]);
    to_next_round(&mut bench);
    let first = bench.now.mono;
    bench.pass(Duration::from_millis(25_300));
    assert_eq!(probes(&bench), 1);
    bench.probed("web", Outcome::Ok);
    to_next_round(&mut bench);
    assert_eq!(bench.now.mono, first.after(seconds(26)), "on its grid");
}

#[test]
fn so_many_bad_rounds_in_a_row_restart_the_unit() {
    let mut bench = Bench::with(&[("web", with(check()))]);
    for bad in [true, true, false, true, true] {
        to_next_round(&mut bench);
        bench.probed(
            "web",
            if bad {
                failed("tcp 127.0.0.1:1: refused")
            } else {
                Outcome::Ok
            },
        );
    }
    assert_eq!((view(&bench, "web").failures, bench.run("web").0), (2, 1));
    assert_eq!(
        bench.reason("web"),
        "a health check failed: tcp 127.0.0.1:1: refused (2 of 3)"
    );
    assert_eq!(view(&bench, "web").health, Health::Healthy);
    to_next_round(&mut bench);
    bench.probed("web", failed("tcp 127.0.0.1:1: refused"));
    assert_eq!(
        (bench.state("web"), bench.run("web").0),
        (ActualState::Running, 2)
    );
    let reason = &view(&bench, "web").last_exit.expect("ended").reason;
    assert!(
        reason.starts_with("unhealthy: tcp 127.0.0.1:1: refused (3 of 3)"),
        "{reason}"
    );
    assert_eq!(view(&bench, "web").health, Health::Unknown);
    assert_eq!(
        bench.events(|e| matches!(e, EventKind::Unhealthy { .. })),
        1
    );
}

#[test]
fn a_restart_for_health_obeys_backoff_and_give_up() {
    let one_miss = HealthCheck {
        misses: 1,
        every: seconds(1),
        ..check()
    };
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            give_up: Some(GiveUp {
                restarts: 2,
                within: seconds(600),
            }),
            ..with(one_miss)
        },
    )]);
    bench.answer = Some(failed("bad"));
    to_next_round(&mut bench);
    assert_eq!(bench.run("web").0, 2, "the first at once");
    to_next_round(&mut bench);
    assert_eq!(bench.state("web"), ActualState::Backoff);
    bench.pass(seconds(5));
    assert_eq!(
        (bench.state("web"), bench.run("web").0),
        (ActualState::Failed, 3)
    );
    let reason = bench.reason("web");
    assert!(reason.contains("unhealthy: bad (1 of 1)"), "{reason}");
}

#[test]
fn bad_rounds_do_not_count_during_the_grace_which_the_first_good_one_ends() {
    let graced = HealthCheck {
        grace: seconds(60),
        misses: 1,
        ..check()
    };
    let mut bench = Bench::with(&[("web", with(graced.clone()))]);
    let ready = bench.now.mono;
    for _ in 0..4 {
        to_next_round(&mut bench);
        bench.probed("web", failed("not yet"));
    }
    let web = view(&bench, "web");
    assert_eq!((web.failures, web.last_error), (0, Some("not yet")));
    assert_eq!((web.health, bench.run("web").0), (Health::Unknown, 1));
    assert!(
        bench.reason("web").contains("forgiven"),
        "{}",
        bench.reason("web")
    );
    to_next_round(&mut bench);
    bench.probed("web", Outcome::Ok);
    assert!(bench.now.mono < ready.after(seconds(60)));
    to_next_round(&mut bench);
    bench.probed("web", failed("bad"));
    assert_eq!(bench.run("web").0, 2, "one was good");

    let mut bench = Bench::with(&[("web", with(graced))]);
    bench.pass(seconds(60));
    bench.probed("web", failed("not yet"));
    assert_eq!(bench.run("web").0, 2, "its time is over");
}

#[test]
fn an_answer_that_does_not_come_is_a_bad_round_and_counts_for_no_other() {
    let mut bench = Bench::with(&[("web", with(check()))]);
    to_next_round(&mut bench);
    let late = bench.probes[&bench.id("web")];
    bench.pass(seconds(2) + ANSWER_SLACK);
    assert_eq!(view(&bench, "web").failures, 1);
    assert_eq!(
        view(&bench, "web").last_error,
        Some("no answer within 2.0 s")
    );
    to_next_round(&mut bench);
    let outcome = Outcome::Ok;
    bench.input(abide_core::Input::Done {
        effect: late,
        outcome,
    });
    assert_eq!(view(&bench, "web").failures, 1);
    bench.probed("web", failed("bad"));
    assert_eq!(view(&bench, "web").failures, 2);
    bench.probed("web", failed("bad"));
    assert_eq!(view(&bench, "web").failures, 2, "an answer counts once");
}

#[test]
fn a_marked_unit_runs_on_and_is_healthy_again_with_the_first_good_round() {
    let mut bench = Bench::with(&[("web", marking())]);
    bench.answer = Some(failed("http http://127.0.0.1/: 503"));
    bench.pass(seconds(40));
    assert_eq!(
        (view(&bench, "web").health, bench.run("web").0),
        (Health::Unhealthy, 1)
    );
    let (reason, why) = (bench.reason("web"), bench.why("web"));
    assert!(
        reason.starts_with("unhealthy: http http://127.0.0.1/: 503 ("),
        "{reason}"
    );
    assert!(why.contains("`abide restart web`"), "{why}");
    assert_eq!(
        bench.events(|e| matches!(e, EventKind::Unhealthy { .. })),
        1
    );
    assert_eq!(bench.events(|e| matches!(e, EventKind::Healthy)), 0);
    bench.answer = Some(Outcome::Ok);
    bench.pass(seconds(30));
    assert_eq!(view(&bench, "web").health, Health::Healthy);
    assert_eq!(bench.events(|e| matches!(e, EventKind::Healthy)), 1);
    assert_eq!(bench.reason("web"), "");
}

#[test]
fn a_command_is_run_once_for_each_time_that_the_unit_becomes_unhealthy() {
    let hook = Hook {
        command: abide_model::Command::Shell("true".into()),
        timeout: seconds(5),
    };
    let commanding = HealthCheck {
        on_unhealthy: OnUnhealthy::Command,
        ..check()
    };
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            hooks: Hooks(vec![(HookKind::OnUnhealthy, hook)]),
            ..with(commanding)
        },
    )]);
    for _ in 0..2 {
        bench.answer = Some(failed("bad"));
        bench.pass(seconds(60));
        bench.answer = Some(Outcome::Ok);
        bench.pass(seconds(20));
    }
    let run = |effect: &Effect| matches!(effect, Effect::RunHook { hook, .. } if *hook == HookKind::OnUnhealthy);
    assert_eq!((bench.effects(run), bench.run("web").0), (2, 1));
    assert_eq!(bench.events(|e| matches!(e, EventKind::HookDone { .. })), 2);
}

#[test]
fn nothing_is_published_while_a_unit_stays_healthy() {
    let mut bench = Bench::with(&[("web", with(check()))]);
    bench.answer = Some(Outcome::Ok);
    to_next_round(&mut bench);
    assert_eq!(bench.effects(is_published), 1);
    bench.log.clear();
    bench.pass(seconds(1000));
    assert_eq!((probes(&bench), bench.log.len()), (100, 100));
}

#[test]
fn nobody_probes_a_unit_that_is_stopping_or_is_restarted_for_its_health_then() {
    let mut bench = Bench::with(&[("web", with(check()))]);
    bench.stubborn.insert(bench.id("web"));
    to_next_round(&mut bench);
    bench.probed("web", failed("bad"));
    to_next_round(&mut bench);
    bench.probed("web", failed("bad"));
    to_next_round(&mut bench);
    bench.log.clear();
    bench.stop("web");
    bench.probed("web", failed("bad"));
    bench.pass(seconds(100));
    assert_eq!(
        (probes(&bench), bench.state("web")),
        (0, ActualState::Stopped)
    );
    assert_eq!(
        bench.events(|e| matches!(e, EventKind::Unhealthy { .. })),
        0
    );
}

#[test]
fn checks_come_change_and_go_with_the_configuration_and_restart_nothing() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.pass(seconds(100));
    bench
        .apply("abide.toml", &[("web", marking())])
        .expect("taken");
    bench.answer = Some(failed("bad"));
    bench.pass(seconds(50));
    assert_eq!(view(&bench, "web").health, Health::Unhealthy);
    // A round is under way when the checks change: its answer says nothing of the new ones.
    bench.answer = None;
    to_next_round(&mut bench);
    let changed = HealthCheck {
        every: seconds(20),
        ..check()
    };
    bench
        .apply("abide.toml", &[("web", with(changed))])
        .expect("taken");
    assert_eq!(view(&bench, "web").health, Health::Unknown);
    bench.probed("web", failed("bad"));
    assert_eq!(view(&bench, "web").failures, 0);
    to_next_round(&mut bench);
    bench
        .apply("abide.toml", &[("web", policy())])
        .expect("taken");
    bench.log.clear();
    bench.pass(seconds(100));
    assert_eq!((probes(&bench), bench.run("web").0), (0, 1));
    assert!(
        bench.core.poll_timeout().mono.is_none(),
        "no deadline is left"
    );
}

#[test]
fn beats_and_checks_each_can_say_that_a_unit_is_unhealthy() {
    let heartbeat = Some(abide_model::Heartbeat {
        every: seconds(1000),
        misses: 3,
        file: None,
    });
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            heartbeat,
            ..marking()
        },
    )]);
    bench.beat("web");
    assert_eq!(view(&bench, "web").health, Health::Healthy);
    bench.answer = Some(failed("bad"));
    bench.pass(seconds(60));
    bench.beat("web");
    assert_eq!(view(&bench, "web").health, Health::Unhealthy);
}

#[test]
fn a_new_daemon_probes_what_it_found_alive_and_gives_it_its_grace_again() {
    let graced = HealthCheck {
        grace: seconds(25),
        misses: 1,
        ..check()
    };
    let mut bench = Bench::with(&[("web", with(graced))]);
    bench.answer = Some(Outcome::Ok);
    bench.pass(seconds(100));
    bench.daemon_dies(true);
    bench.answer = Some(failed("bad"));
    bench.pass(seconds(20));
    assert_eq!(bench.run("web").0, 1);
    bench.pass(seconds(20));
    assert!(bench.run("web").0 > 1);
}

#[test]
fn a_restart_by_hand_begins_the_checks_anew() {
    let mut bench = Bench::with(&[("web", with(check()))]);
    to_next_round(&mut bench);
    bench
        .command(Command::Restart(vec![bench.id("web")]))
        .expect("taken");
    bench.probed("web", failed("bad"));
    assert_eq!((bench.run("web").0, view(&bench, "web").failures), (2, 0));
    to_next_round(&mut bench);
    assert_eq!(probes(&bench), 1);
}
