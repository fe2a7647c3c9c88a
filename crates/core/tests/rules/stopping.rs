use abide_core::{Command, Effect, Input, Sweep};
use abide_model::{
    ActualState, EventKind, KILL_STEP, Signal, StopAction, StopPlan, StopReport, StopStep,
};

use crate::bench::{Bench, policy, seconds};

#[test]
fn a_stop_asks_then_kills_at_the_deadline() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.stubborn.insert(bench.id("web"));
    bench.log.clear();
    bench.stop("web");
    assert_eq!(bench.state("web"), ActualState::Stopping);
    bench.pass(seconds(9));
    assert!(
        !bench
            .log
            .iter()
            .any(|e| matches!(e, Effect::KillTree { .. }))
    );
    bench.pass(seconds(1));
    assert!(bench.log.iter().any(|e| matches!(
        e,
        Effect::KillTree {
            sweep: Sweep::Thorough,
            ..
        }
    )));
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert!(bench.reason("web").contains("by hand"));
}

#[test]
fn the_steps_of_a_stop_share_one_deadline() {
    let step = |signal, within| StopStep {
        action: StopAction::Signal(signal),
        within,
    };
    let stop = StopPlan {
        steps: vec![
            step(Signal::HUP, Some(seconds(3))),
            step(Signal::INT, Some(seconds(30))),
            step(Signal::TERM, None),
        ],
        within: seconds(10),
    };
    let mut bench = Bench::with(&[("web", abide_model::Policy { stop, ..policy() })]);
    bench.stubborn.insert(bench.id("web"));
    bench.log.clear();
    bench.stop("web");
    let asked = |bench: &Bench| -> Vec<Signal> {
        let signal = |e: &Effect| match e {
            Effect::AskStop {
                action: StopAction::Signal(signal),
                ..
            } => Some(*signal),
            _ => None,
        };
        bench.log.iter().filter_map(signal).collect()
    };
    assert_eq!(asked(&bench), [Signal::HUP]);
    bench.pass(seconds(3));
    assert_eq!(asked(&bench), [Signal::HUP, Signal::INT]);
    bench.pass(seconds(7));
    assert_eq!(asked(&bench), [Signal::HUP, Signal::INT]);
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

/// The report of the unit's last stop.
fn report(bench: &Bench, name: &str) -> StopReport {
    let view = bench.core.unit(bench.id(name)).expect("known");
    view.last_stop.expect("it was stopped").clone()
}

/// Two signals, and which one ends it.
fn two_steps() -> StopPlan {
    let step = |signal, within| StopStep {
        action: StopAction::Signal(signal),
        within,
    };
    StopPlan {
        steps: vec![
            step(Signal::INT, Some(seconds(3))),
            step(Signal::TERM, None),
        ],
        within: seconds(10),
    }
}

#[test]
fn the_report_of_a_stop_names_the_step_that_ended_it() {
    let stop = two_steps();
    let mut bench = Bench::with(&[("web", abide_model::Policy { stop, ..policy() })]);
    bench.log.clear();
    bench.stop("web");
    let quick = report(&bench, "web");
    assert_eq!(quick.ended_by.as_deref(), Some("SIGINT"));
    assert_eq!((quick.took_ms, quick.within_ms), (Some(0), 10_000));
    assert_eq!(quick.why, "stopped by hand");
    let told = bench.log.iter().filter_map(|effect| match effect {
        Effect::Event {
            kind: EventKind::StopReport { report },
            ..
        } => Some(report.clone()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [quick]);
}

#[test]
fn who_heeds_no_step_is_reported_as_killed_at_the_deadline() {
    let stop = two_steps();
    let mut bench = Bench::with(&[("web", abide_model::Policy { stop, ..policy() })]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    bench.pass(seconds(4));
    let under_way = report(&bench, "web");
    assert!(!under_way.is_over(), "{under_way:?}");
    assert_eq!(under_way.to_string(), "asked by SIGTERM; not by SIGINT");
    bench.pass(seconds(6));
    let killed = report(&bench, "web");
    assert_eq!(killed.ended_by.as_deref(), Some(KILL_STEP));
    assert_eq!(killed.took_ms, Some(10_000));
    let steps: Vec<_> = killed
        .steps
        .iter()
        .map(|s| (&*s.step, s.after_ms))
        .collect();
    assert_eq!(
        steps,
        [("SIGINT", 0), ("SIGTERM", 3000), (KILL_STEP, 10_000)]
    );
}

#[test]
fn a_step_that_reached_nobody_is_reported_with_its_reason() {
    let stop = two_steps();
    let mut bench = Bench::with(&[("web", abide_model::Policy { stop, ..policy() })]);
    bench.stubborn.insert(bench.id("web"));
    bench.unaskable.insert(bench.id("web"));
    bench.stop("web");
    let killed = report(&bench, "web");
    assert_eq!(killed.ended_by.as_deref(), Some(KILL_STEP));
    assert_eq!(killed.took_ms, Some(0), "nothing was waited for");
    let failed: Vec<_> = killed.steps.iter().map(|s| s.failed.is_some()).collect();
    assert_eq!(failed, [true, true, false]);
}

#[test]
fn a_report_goes_on_where_the_daemon_died_and_names_no_step_twice() {
    let stop = two_steps();
    let mut bench = Bench::with(&[("web", abide_model::Policy { stop, ..policy() })]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    bench.pass(seconds(4));
    bench.daemon_dies(true);
    bench.pass(seconds(6));
    let killed = report(&bench, "web");
    let steps: Vec<_> = killed.steps.iter().map(|s| &*s.step).collect();
    assert_eq!(steps, ["SIGINT", "SIGTERM", KILL_STEP]);
    assert_eq!(killed.ended_by.as_deref(), Some(KILL_STEP));
}

#[test]
fn what_ends_by_itself_has_no_report() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.exit("web", 1);
    let view = bench.core.unit(bench.id("web")).expect("known");
    assert!(view.last_stop.is_none());
}

#[test]
fn a_kill_without_an_answer_is_asked_for_again_and_told() {
    let mut bench = Bench::with(&[("web", policy())]);
    let id = bench.id("web");
    bench.stubborn.insert(id);
    bench.unkillable.insert(id);
    bench.stop("web");
    bench.pass(seconds(26));
    let kills = bench
        .log
        .iter()
        .filter(|e| matches!(e, Effect::KillTree { .. }))
        .count();
    assert_eq!(kills, 3, "after 10 s, 15 s and 25 s");
    assert!(
        bench.reason("web").contains("hangs in the kernel"),
        "{}",
        bench.reason("web")
    );
    bench.unkillable.clear();
    bench.pass(seconds(30));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

#[test]
fn a_unit_whose_spawn_hangs_is_killed_and_never_doubled() {
    let mut bench = Bench::new();
    bench.hanging.insert(abide_model::UnitId(1));
    bench.apply("a.toml", &[("web", policy())]).expect("taken");
    assert_eq!(bench.state("web"), ActualState::Starting);
    bench.pass(seconds(1000));
    bench.start("web");
    assert_eq!(bench.moves(), ["+web"]);
    let spawn = bench.spawn_of("web");
    assert!(bench.core.awaits(spawn));
    bench.stop("web");
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert!(
        !bench.core.awaits(spawn),
        "one that waits for a disk until now would begin a run that nobody knows"
    );
}

#[test]
fn a_stop_is_not_undone_by_a_backoff_that_was_under_way() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.exit("web", 1);
    bench.exit("web", 1);
    assert_eq!(bench.state("web"), ActualState::Backoff);
    bench.stop("web");
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.log.clear();
    bench.pass(seconds(1000));
    assert!(bench.moves().is_empty());
}

#[test]
fn what_a_person_stopped_stays_stopped_over_apply_and_reboot() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.stop("web");
    bench
        .apply("abide.toml", &[("web", policy())])
        .expect("taken");
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.daemon_dies(true);
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.daemon_dies(false);
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.start("web");
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn down_stops_in_reverse_order_halts_and_changes_nothing_wanted() {
    let mut bench = Bench::with(&[
        ("db", policy()),
        ("app", crate::bench::requires(&["db"])),
        ("web", crate::bench::requires(&["app"])),
    ]);
    bench.log.clear();
    bench.command(Command::Down).expect("taken");
    assert!(bench.log.iter().any(|e| matches!(e, Effect::Halt)));
    assert!(bench.halted);
    assert_eq!(bench.moves(), ["-web", "-app", "-db"]);
    let refused = bench.command(Command::Start(vec![bench.id("web")]));
    assert_eq!(refused, Err(abide_model::Refusal::ShuttingDown));
    bench.daemon_dies(true);
    assert_eq!(bench.moves(), ["+db", "+app", "+web"]);
}

#[test]
fn an_input_of_an_old_run_is_dropped() {
    let mut bench = Bench::with(&[("web", policy())]);
    let (unit, old) = (bench.id("web"), bench.run("web"));
    bench.restart("web");
    let pid = bench.pid("web");
    bench.input(Input::TreeEmpty { unit, run: old });
    bench.input(Input::Exited {
        unit,
        run: old,
        status: abide_model::ExitStatus::Code(1),
    });
    assert_eq!(
        (bench.state("web"), bench.pid("web")),
        (ActualState::Running, pid)
    );
}

#[test]
fn what_a_stopped_main_process_leaves_has_its_time_too() {
    let mut bench = Bench::with(&[("web", policy())]);
    bench.lingering.insert(bench.id("web"));
    bench.log.clear();
    bench.stop("web");
    bench.pass(seconds(9));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    let killed = |bench: &Bench| {
        bench
            .log
            .iter()
            .any(|e| matches!(e, Effect::KillTree { .. }))
    };
    assert!(!killed(&bench));
    bench.pass(seconds(1));
    assert!(killed(&bench));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}
