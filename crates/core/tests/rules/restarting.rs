use abide_core::{Command, Effect, Input};
use abide_model::{
    ActualState, Backoff, EventKind, ExitStatus, GiveUp, Policy, ProbeKind, Ready, Restart,
    UnitType, Wall,
};

use crate::bench::{Bench, SECOND, policy, seconds};

fn next_start_in(bench: &Bench, unit: &str) -> u64 {
    let view = bench.core.unit(bench.id(unit)).expect("known");
    let due = view.next_start.expect("has a restart due");
    u64::try_from(due.since(bench.now.mono).as_millis()).expect("short")
}

#[test]
fn the_first_restart_is_immediate_and_the_backoff_begins_with_the_second() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.exit("web", 1);
    assert_eq!(bench.state("web"), ActualState::Running);
    for wait in [100, 200, 400, 800] {
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Backoff);
        assert_eq!(next_start_in(&bench, "web"), wait);
        bench.pass(SECOND);
        assert_eq!(bench.state("web"), ActualState::Running);
    }
    let view = bench.core.unit(bench.id("web")).expect("known");
    assert_eq!((view.restarts, view.row, view.crash_looping), (5, 5, true));
}

#[test]
fn a_clock_that_is_set_changes_what_is_shown_and_no_wait() {
    const YEAR: i64 = 365 * 86_400 * 1_000_000_000;
    for (jump, told) in [(YEAR, true), (-YEAR, true), (YEAR, false), (-YEAR, false)] {
        let mut bench = Bench::with(&[("web", policy())]);
        for _ in 0..4 {
            bench.exit("web", 1);
            bench.pass(SECOND);
        }
        bench.exit("web", 1);
        assert_eq!(next_start_in(&bench, "web"), 800);
        bench.now.wall = Wall(bench.now.wall.0 + jump);
        // Where nobody tells of it, the next thing that happens brings the new time.
        if told {
            bench.input(Input::ClockChanged);
        }
        assert_eq!(next_start_in(&bench, "web"), 800);
        bench.pass(SECOND / 2);
        assert_eq!(bench.state("web"), ActualState::Backoff, "too early");
        bench.pass(SECOND);
        assert_eq!(bench.state("web"), ActualState::Running);
        let view = bench.core.unit(bench.id("web")).expect("known");
        let started = view.started.expect("it runs");
        let ago = bench.now.mono.since(started.mono);
        assert_eq!(started.wall, bench.now.wall_at(started.mono));
        assert!(ago < SECOND, "{ago:?}");
        // And the run is as old as it is: not stable because of the jump.
        bench.now.wall = Wall(bench.now.wall.0 + jump);
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Backoff);
        assert_eq!(next_start_in(&bench, "web"), 1600);
    }
}

#[test]
fn a_stable_run_ends_the_row_of_crashes() {
    let mut bench = Bench::with(&[("web", policy())]);
    for _ in 0..4 {
        bench.exit("web", 1);
        bench.pass(SECOND);
    }
    assert_eq!(bench.events(|e| matches!(e, EventKind::CrashLooping)), 1);
    bench.pass(seconds(10));
    assert_eq!(bench.events(|e| matches!(e, EventKind::Stable)), 1);
    let view = bench.core.unit(bench.id("web")).expect("known");
    assert!(!view.crash_looping);
    assert_eq!(
        view.restarts, 4,
        "what abide did by itself is still counted"
    );
    bench.exit("web", 1);
    assert_eq!(bench.state("web"), ActualState::Running, "at once again");
}

#[test]
fn without_a_backoff_every_restart_is_immediate() {
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            backoff: Backoff::None,
            ..policy()
        },
    )]);
    for _ in 0..50 {
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Running);
    }
    assert!(
        bench
            .core
            .unit(bench.id("web"))
            .expect("known")
            .crash_looping
    );
    bench.pass(abide_core::DEFAULT_RESET_AFTER);
    assert!(
        !bench
            .core
            .unit(bench.id("web"))
            .expect("known")
            .crash_looping
    );
}

#[test]
fn more_restarts_than_allowed_within_the_window_are_given_up() {
    let give_up = Some(GiveUp {
        restarts: 3,
        within: seconds(60),
    });
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            give_up,
            backoff: Backoff::None,
            ..policy()
        },
    )]);
    for _ in 0..3 {
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Running);
    }
    bench.exit("web", 1);
    assert_eq!(bench.state("web"), ActualState::Failed);
    assert!(
        bench.reason("web").contains("more than 3 restarts"),
        "{}",
        bench.reason("web")
    );
    bench.pass(seconds(1000));
    assert_eq!(bench.state("web"), ActualState::Failed);
    bench.start("web");
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn restarts_outside_the_window_do_not_add_up() {
    let give_up = Some(GiveUp {
        restarts: 1,
        within: seconds(60),
    });
    let mut bench = Bench::with(&[(
        "web",
        Policy {
            give_up,
            ..policy()
        },
    )]);
    for _ in 0..10 {
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Running);
        bench.pass(seconds(60));
    }
}

#[test]
fn each_restart_policy_follows_its_table() {
    let cases = [
        (Restart::Always, 0, ActualState::Running),
        (Restart::Always, 1, ActualState::Running),
        (Restart::OnFailure, 0, ActualState::Exited),
        (Restart::OnFailure, 1, ActualState::Running),
        (Restart::Never, 0, ActualState::Exited),
        (Restart::Never, 1, ActualState::Failed),
    ];
    for (restart, code, then) in cases {
        let mut bench = Bench::with(&[(
            "web",
            Policy {
                restart,
                ..policy()
            },
        )]);
        bench.exit("web", code);
        assert_eq!(bench.state("web"), then, "{restart:?} after exit {code}");
    }
}

#[test]
fn a_oneshot_is_done_when_it_ended_with_success_and_tried_again_when_not() {
    let unit_type = UnitType::Oneshot;
    let mut bench = Bench::with(&[(
        "job",
        Policy {
            unit_type,
            ..policy()
        },
    )]);
    bench.exit("job", 1);
    assert_eq!(bench.state("job"), ActualState::Running);
    bench.exit("job", 0);
    assert_eq!(bench.state("job"), ActualState::Exited);
    bench.start("job");
    assert_eq!(
        bench.state("job"),
        ActualState::Running,
        "a person runs it again"
    );
}

#[test]
fn a_program_that_cannot_be_executed_is_tried_again_with_backoff() {
    let mut bench = Bench::new();
    bench.hanging.insert(abide_model::UnitId(1));
    bench.apply("a.toml", &[("web", policy())]).expect("taken");
    for _ in 0..2 {
        let spawn = bench.spawn_of("web");
        let reason = "cannot execute /nowhere: no such file".to_string();
        bench.input(Input::Done {
            effect: spawn,
            outcome: abide_core::Outcome::SpawnFailed { reason },
        });
    }
    assert_eq!(bench.state("web"), ActualState::Backoff);
    assert!(
        bench.reason("web").contains("no such file"),
        "{}",
        bench.reason("web")
    );
}

#[test]
fn an_exit_may_come_before_the_answer_to_its_spawn() {
    let mut bench = Bench::new();
    bench.hanging.insert(abide_model::UnitId(1));
    bench
        .apply(
            "a.toml",
            &[(
                "web",
                Policy {
                    restart: Restart::Never,
                    ..policy()
                },
            )],
        )
        .expect("ok");
    let (unit, run, effect) = (bench.id("web"), bench.run("web"), bench.spawn_of("web"));
    bench.input(Input::Exited {
        unit,
        run,
        status: ExitStatus::Code(0),
    });
    assert_eq!(bench.state("web"), ActualState::Exited);
    bench.input(Input::Done {
        effect,
        outcome: abide_core::Outcome::Spawned { pid: 7 },
    });
    assert_eq!(bench.state("web"), ActualState::Exited);
}

fn ready_within(within: u64) -> Policy {
    let probe = ProbeKind::Tcp("127.0.0.1:1".into());
    Policy {
        ready: Some(Ready {
            within: seconds(within),
            probe,
        }),
        ..policy()
    }
}

#[test]
fn a_unit_with_a_readiness_check_is_starting_until_it_is_ready() {
    let mut bench = Bench::with(&[("web", ready_within(30))]);
    assert_eq!(bench.state("web"), ActualState::Starting);
    assert!(
        bench
            .log
            .iter()
            .any(|e| matches!(e, Effect::WatchReady { .. }))
    );
    bench.ready("web");
    assert_eq!(bench.state("web"), ActualState::Running);
    bench.pass(seconds(100));
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn a_unit_that_is_not_ready_in_time_is_ended_and_counts_as_failed() {
    let mut bench = Bench::with(&[("web", ready_within(30))]);
    bench.pass(seconds(29));
    assert_eq!(bench.run("web").0, 1);
    bench.pass(seconds(1));
    assert_eq!(bench.run("web").0, 2);
    let view = bench.core.unit(bench.id("web")).expect("known");
    assert_eq!(view.restarts, 1);
    let reason = &view.last_exit.expect("ended").reason;
    assert!(reason.contains("not ready within 30s"), "{reason}");
}

#[test]
fn a_reset_forgets_crashes_and_starts_what_waits() {
    let mut bench = Bench::with(&[("web", policy())]);
    for _ in 0..5 {
        bench.exit("web", 1);
        if bench.state("web") == ActualState::Backoff {
            bench
                .command(Command::Reset(vec![bench.id("web")]))
                .expect("taken");
        }
        assert_eq!(bench.state("web"), ActualState::Running);
    }
    assert!(
        !bench
            .core
            .unit(bench.id("web"))
            .expect("known")
            .crash_looping
    );
}

#[test]
fn a_signal_goes_to_a_running_unit_and_is_refused_for_another() {
    let mut bench = Bench::with(&[("web", policy())]);
    let id = bench.id("web");
    let signal = abide_model::Signal::HUP;
    bench
        .command(Command::Signal(vec![id], signal))
        .expect("taken");
    assert!(bench.log.iter().any(|e| matches!(e, Effect::Signal { .. })));
    bench.stop("web");
    let refused = bench.command(Command::Signal(vec![id], signal));
    assert!(matches!(refused, Err(abide_model::Refusal::NotRunning(_))));
}

#[test]
fn a_death_for_want_of_memory_is_named_with_the_limit() {
    let mut bench = Bench::with(&[("web", policy())]);
    let (unit, run) = (bench.id("web"), bench.run("web"));
    bench.input(Input::OutOfMemory {
        unit,
        run,
        killed: 3,
        limit: Some(64 << 20),
    });
    let status = ExitStatus::Signal {
        signal: abide_model::Signal::KILL,
        core: false,
    };
    bench.input(Input::Exited { unit, run, status });
    let told = |e: &EventKind| matches!(e, EventKind::OutOfMemory { killed: 3, .. });
    assert_eq!(bench.events(told), 1);
    let view = bench.core.unit(unit).expect("known");
    let reason = view.last_exit.expect("it ended").reason.clone();
    assert!(
        reason.starts_with("killed by SIGKILL (out of memory: limit 64M)"),
        "{reason}"
    );
}
