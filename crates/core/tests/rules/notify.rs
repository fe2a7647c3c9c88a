use std::time::Duration;

use abide_core::{EndWhy, Input, Observed, ObservedState, SavedPhase};
use abide_model::{
    ActualState, EventKind, ExitStatus, Heartbeat, Policy, ProbeKind, Ready, Restart, Signal,
    StopAction, StopPlan, StopStep,
};

use crate::bench::{Bench, policy, seconds};

fn notifying(within: u64) -> Policy {
    Policy {
        ready: Some(Ready {
            within: seconds(within),
            probe: ProbeKind::Notify,
        }),
        ..policy()
    }
}

fn stops(bench: &mut Bench) {
    bench.said("web", |unit, run| Input::SelfStopping { unit, run });
}

fn extend(bench: &mut Bench, by: Duration) {
    bench.said("web", |unit, run| Input::ExtendTimeout { unit, run, by });
}

fn is_ready(bench: &Bench) -> bool {
    bench.core.unit(bench.id("web")).expect("known").ready
}

#[test]
fn a_program_may_say_that_it_is_ready_before_its_spawn_is_answered() {
    let mut bench = Bench::new();
    bench.hanging = (1..3).map(abide_model::UnitId).collect();
    bench
        .apply("abide.toml", &[("web", notifying(5))])
        .expect("taken");
    let id = bench.id("web");
    bench.ready("web");
    assert!(!is_ready(&bench));
    bench.hanging.clear();
    let effect = bench.spawn_of("web");
    let outcome = abide_core::Outcome::Spawned { pid: 7 };
    bench.input(Input::Done { effect, outcome });
    assert!(is_ready(&bench), "{:?}", bench.core.unit(id));
    assert_eq!(bench.events(|e| matches!(e, EventKind::Ready)), 1);
}

#[test]
fn a_program_that_stops_by_itself_owes_nothing_more_and_exits_like_any_other() {
    let heartbeat = Some(Heartbeat {
        every: seconds(1),
        misses: 1,
        file: None,
    });
    for (code, follows) in [(0, ActualState::Exited), (1, ActualState::Running)] {
        let mut bench = Bench::with(&[(
            "web",
            Policy {
                restart: Restart::OnFailure,
                heartbeat: heartbeat.clone(),
                ..policy()
            },
        )]);
        stops(&mut bench);
        stops(&mut bench);
        assert_eq!(bench.events(|e| matches!(e, EventKind::SelfStopping)), 1);
        assert_eq!(bench.state("web"), ActualState::Running);
        assert!(!is_ready(&bench));
        assert!(bench.reason("web").contains("stopping by itself"));
        bench.pass(seconds(9));
        assert_eq!(bench.run("web").0, 1);
        bench.exit("web", code);
        assert_eq!(bench.state("web"), follows);
        let exit = bench.core.unit(bench.id("web")).expect("known").last_exit;
        let reason = &exit.expect("ended").reason;
        assert!(reason.starts_with(&format!("exit {code}")), "{reason}");
    }
}

#[test]
fn a_program_that_says_it_stops_and_does_not_is_ended_and_counts_as_failed() {
    let mut bench = Bench::with(&[("web", policy())]);
    stops(&mut bench);
    assert!(
        bench.why("web").contains("if it has not ended in 10 s"),
        "{}",
        bench.why("web")
    );
    bench.pass(seconds(10));
    assert_eq!(
        (bench.state("web"), bench.run("web").0),
        (ActualState::Running, 2)
    );
    let exit = bench.core.unit(bench.id("web")).expect("known").last_exit;
    let reason = &exit.expect("ended").reason;
    assert!(reason.contains("said it was stopping"), "{reason}");
}

#[test]
fn a_new_daemon_knows_that_the_program_stops_by_itself() {
    let mut bench = Bench::with(&[("web", policy())]);
    stops(&mut bench);
    bench.daemon_dies(true);
    assert!(bench.reason("web").contains("stopping by itself"));
    bench.pass(seconds(10));
    assert!(bench.run("web").0 > 1);
}

#[test]
fn what_waits_for_a_unit_does_not_start_on_one_that_is_stopping_by_itself() {
    let mut bench = Bench::with(&[
        ("web", policy()),
        (
            "shop",
            Policy {
                enabled: false,
                ..crate::bench::requires(&["web"])
            },
        ),
    ]);
    stops(&mut bench);
    bench.start("shop");
    assert_eq!(bench.state("shop"), ActualState::Waiting);
    bench.exit("web", 0);
    assert_eq!(bench.state("shop"), ActualState::Running);
}

#[test]
fn another_main_process_is_shown_told_and_written_down() {
    let mut bench = Bench::with(&[("web", policy())]);
    let id = bench.id("web");
    for _ in 0..2 {
        bench.said("web", |unit, run| Input::MainChanged {
            unit,
            run,
            pid: 4711,
        });
    }
    assert_eq!(bench.core.unit(id).expect("known").pid, Some(4711));
    let changed = |e: &EventKind| matches!(e, EventKind::MainChanged { pid: 4711 });
    assert_eq!(bench.events(changed), 1);
    let record = &bench.records[&id];
    assert_eq!(record.said.main, Some(4711));
    assert_eq!(record.phase, SavedPhase::Live { ready: true });
    let seen = Observed {
        unit: id,
        run: bench.run("web"),
        state: ObservedState::Alive { pid: 4711 },
    };
    bench.resume(true, vec![seen]);
    assert_eq!(bench.core.unit(id).expect("known").pid, Some(4711));
    bench.exit("web", 1);
    assert!(bench.run("web").0 > 1, "its exit is the run's");
}

#[test]
fn a_program_that_needs_more_time_to_start_gets_it_and_never_less() {
    let mut bench = Bench::with(&[("web", notifying(10))]);
    extend(&mut bench, seconds(1));
    bench.pass(seconds(9));
    assert_eq!(bench.run("web").0, 1, "it had more");
    extend(&mut bench, seconds(20));
    // What a changed configuration gives it does not take that away.
    bench
        .apply("abide.toml", &[("web", notifying(11))])
        .expect("taken");
    bench.pass(seconds(19));
    assert_eq!(bench.run("web").0, 1);
    bench.pass(seconds(1));
    assert_eq!(bench.run("web").0, 2);
}

#[test]
fn a_program_that_needs_more_time_to_stop_gets_it_in_the_step_that_it_is_in() {
    let step = |signal, within| StopStep {
        action: StopAction::Signal(signal),
        within,
    };
    let stop = StopPlan {
        steps: vec![
            step(Signal::INT, Some(seconds(2))),
            step(Signal::TERM, None),
        ],
        within: seconds(6),
    };
    let mut bench = Bench::with(&[("web", Policy { stop, ..policy() })]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    extend(&mut bench, Duration::from_millis(1));
    bench.pass(seconds(1));
    assert_eq!(bench.moves(), ["+web", "-web"]);
    extend(&mut bench, seconds(4));
    bench.pass(Duration::from_millis(3900));
    assert_eq!(
        bench.moves(),
        Vec::<String>::new(),
        "until the fifth second"
    );
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.moves(), ["-web"]);
    extend(&mut bench, seconds(10));
    bench.pass(seconds(9));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    bench.pass(seconds(1));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

#[test]
fn more_time_is_no_deadline_where_there_was_none() {
    let mut bench = Bench::with(&[("web", policy())]);
    extend(&mut bench, seconds(1));
    extend(&mut bench, Duration::MAX);
    assert!(bench.core.poll_timeout().mono.is_none());
    stops(&mut bench);
    extend(&mut bench, seconds(30));
    bench.pass(seconds(29));
    assert_eq!(bench.run("web").0, 1);
    bench.pass(seconds(1));
    assert_eq!(bench.run("web").0, 2);
}

#[test]
fn a_failure_that_the_program_announced_obeys_the_restart_table() {
    let why = EndWhy::SelfStopOverdue(seconds(10));
    assert!(why.is_failure() && EndWhy::BeatTrigger.is_failure());
    let never = Policy {
        restart: Restart::Never,
        ..policy()
    };
    let mut bench = Bench::with(&[("web", never)]);
    stops(&mut bench);
    bench.pass(seconds(10));
    assert_eq!(bench.state("web"), ActualState::Failed);
}

#[test]
fn what_is_said_of_an_old_run_changes_nothing() {
    let mut bench = Bench::with(&[("web", policy())]);
    let (unit, run) = (bench.id("web"), bench.run("web"));
    bench.exit("web", 1);
    let by = seconds(1);
    bench.log.clear();
    for input in [
        Input::SelfStopping { unit, run },
        Input::BeatTrigger { unit, run },
        Input::Reloading { unit, run },
        Input::MainChanged { unit, run, pid: 9 },
        Input::ExtendTimeout { unit, run, by },
        Input::BeatInterval {
            unit,
            run,
            every: by,
        },
        Input::Exited {
            unit,
            run,
            status: ExitStatus::Unknown,
        },
    ] {
        bench.input(input);
    }
    assert!(bench.log.is_empty(), "{:?}", bench.log);
}

#[test]
fn a_run_that_stops_itself_and_waits_for_its_turn_costs_no_time_without_end() {
    let stop = StopPlan {
        within: Duration::ZERO,
        ..StopPlan::default()
    };
    let web = Policy { stop, ..policy() };
    let mut bench = Bench::with(&[("web", web), ("shop", crate::bench::requires(&["web"]))]);
    bench.stubborn.insert(bench.id("shop"));
    bench.stop("web");
    stops(&mut bench);
    bench.pass(seconds(5));
    assert_eq!(bench.state("shop"), ActualState::Stopping);
    bench.pass(seconds(6));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}
