use abide_core::{Command, Effect, Observed, ObservedState};
use abide_model::{
    ActualState, EventKind, ExitStatus, Heartbeat, Policy, ProbeKind, Ready, Restart, RunId, UnitId,
};

use crate::bench::{Bench, policy, requires, seconds};

#[test]
fn what_lives_is_adopted_and_nothing_is_started_or_stopped() {
    let mut bench = Bench::with(&[("db", policy()), ("app", requires(&["db"]))]);
    let pid = bench.pid("db");
    bench.daemon_dies(true);
    assert!(bench.moves().is_empty());
    assert_eq!(bench.core.unit(bench.id("db")).expect("known").pid, pid);
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn what_ended_meanwhile_is_an_exit_now_with_its_status() {
    let mut bench = Bench::with(&[("a", policy())]);
    let (unit, run) = (bench.id("a"), bench.run("a"));
    bench.forget_process("a");
    let state = ObservedState::Exited(ExitStatus::Code(7));
    bench.resume(true, vec![Observed { unit, run, state }]);
    let view = bench.core.unit(unit).expect("known");
    assert_eq!(view.last_exit.expect("ended").status, ExitStatus::Code(7));
    assert_eq!((view.state, view.restarts), (ActualState::Running, 1));
}

#[test]
fn a_run_that_is_gone_ended_with_an_unknown_status() {
    let never = Policy {
        restart: Restart::Never,
        ..policy()
    };
    let on_failure = Policy {
        restart: Restart::OnFailure,
        ..policy()
    };
    let mut bench = Bench::with(&[("a", never), ("b", on_failure)]);
    bench.forget_process("a");
    bench.forget_process("b");
    bench.resume(true, vec![]);
    assert_eq!(bench.state("a"), ActualState::Failed);
    assert_eq!(
        bench.state("b"),
        ActualState::Running,
        "unknown counts as a failure"
    );
}

#[test]
fn a_spawn_that_died_with_the_daemon_is_ordered_again_and_is_no_crash() {
    let mut bench = Bench::new();
    bench.hanging.insert(UnitId(1));
    let never = Policy {
        restart: Restart::Never,
        ..policy()
    };
    bench.apply("a.toml", &[("a", never)]).expect("taken");
    bench.hanging.clear();
    bench.resume(true, vec![]);
    let view = bench.core.unit(bench.id("a")).expect("known");
    assert_eq!((view.state, view.restarts), (ActualState::Running, 0));
    assert!(view.last_exit.is_none());
}

#[test]
fn a_run_later_than_the_record_is_adopted() {
    let mut bench = Bench::with(&[("a", policy())]);
    let unit = bench.id("a");
    let old = bench.records[&unit].clone();
    bench.restart("a");
    bench.records.insert(unit, old);
    bench.daemon_dies(true);
    assert!(bench.moves().is_empty());
    assert_eq!(
        (bench.state("a"), bench.run("a")),
        (ActualState::Running, RunId(2))
    );
}

#[test]
fn no_run_id_is_used_twice() {
    let mut bench = Bench::with(&[("a", policy())]);
    let mut last = bench.run("a");
    for turn in 0..200 {
        if turn % 7 == 0 {
            bench.daemon_dies(turn % 2 == 0);
        }
        bench.restart("a");
        assert!(bench.run("a") > last);
        last = bench.run("a");
    }
}

#[test]
fn a_stop_goes_on_to_its_deadline() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.stubborn.insert(bench.id("a"));
    bench.stop("a");
    bench.pass(seconds(4));
    bench.daemon_dies(true);
    assert_eq!(bench.state("a"), ActualState::Stopping);
    assert!(bench.moves().is_empty(), "it had been asked");
    bench.pass(seconds(6));
    assert_eq!(bench.state("a"), ActualState::Stopped);
}

#[test]
fn a_backoff_keeps_its_due_time() {
    let mut bench = Bench::with(&[("a", policy())]);
    for _ in 0..5 {
        bench.exit("a", 1);
        bench.pass(seconds(1));
    }
    bench.exit("a", 1);
    let due = bench.core.unit(bench.id("a")).expect("known").next_start;
    assert!(due.is_some());
    bench.daemon_dies(true);
    assert_eq!(
        bench.core.unit(bench.id("a")).expect("known").next_start,
        due
    );
}

#[test]
fn readiness_and_beats_get_their_full_time_again() {
    let probe = ProbeKind::Tcp("127.0.0.1:1".into());
    let ready = Some(Ready {
        within: seconds(10),
        probe,
    });
    let heartbeat = Some(Heartbeat {
        every: seconds(5),
        misses: 1,
        file: None,
    });
    let slow = Policy { ready, ..policy() };
    let beats = Policy {
        heartbeat,
        ..policy()
    };
    let mut bench = Bench::with(&[("slow", slow), ("beats", beats)]);
    bench.pass(seconds(4));
    bench.skip(seconds(100));
    bench.daemon_dies(true);
    assert!(
        bench
            .log
            .iter()
            .any(|e| matches!(e, Effect::WatchReady { .. }))
    );
    bench.pass(seconds(4));
    assert_eq!((bench.run("slow").0, bench.run("beats").0), (1, 1));
    bench.pass(seconds(6));
    assert!(bench.run("slow").0 > 1 && bench.run("beats").0 > 1);
}

#[test]
fn after_another_boot_what_is_enabled_and_not_stopped_by_hand_starts() {
    let off = Policy {
        enabled: false,
        ..policy()
    };
    let mut bench = Bench::with(&[("on", policy()), ("off", off), ("held", policy())]);
    bench.start("off");
    bench.stop("held");
    bench.daemon_dies(false);
    assert_eq!(bench.state("on"), ActualState::Running);
    assert_eq!(bench.state("off"), ActualState::Stopped);
    assert_eq!(bench.state("held"), ActualState::Stopped);
}

#[test]
fn a_down_that_was_under_way_goes_on() {
    let mut bench = Bench::with(&[("a", policy())]);
    bench.stubborn.insert(bench.id("a"));
    bench.command(Command::Down).expect("taken");
    bench.daemon_dies(true);
    bench.pass(seconds(10));
    assert!(bench.halted);
}

#[test]
fn each_adopted_unit_is_told() {
    let mut bench = Bench::with(&[("a", policy()), ("b", policy())]);
    bench.daemon_dies(true);
    assert_eq!(bench.events(|e| matches!(e, EventKind::Adopted { .. })), 2);
}

#[test]
fn a_circle_of_a_change_that_was_cut_short_is_opened() {
    let mut bench = Bench::with(&[("a", requires(&["b"])), ("b", policy())]);
    let old = bench.records[&bench.id("a")].clone();
    let changed = [("a", policy()), ("b", requires(&["a"]))];
    bench.apply("abide.toml", &changed).expect("taken");
    bench.records.insert(old.id, old);
    bench.daemon_dies(false);
    assert_eq!(bench.state("a"), ActualState::Running);
    assert_eq!(bench.state("b"), ActualState::Running);
    assert_eq!(bench.events(|e| matches!(e, EventKind::Warning { .. })), 1);
    bench.apply("abide.toml", &changed).expect("taken");
    bench.log.clear();
    let both = vec![bench.id("a"), bench.id("b")];
    bench.command(Command::Stop(both)).expect("taken");
    assert_eq!(bench.moves(), ["-b", "-a"]);
}

#[test]
fn of_two_units_of_one_name_the_earlier_was_removed() {
    let mut bench = Bench::with(&[("web", policy())]);
    let mut old = bench.records[&bench.id("web")].clone();
    (old.id, old.wanted) = (UnitId(0), false);
    bench.records.insert(old.id, old);
    bench.daemon_dies(true);
    assert_eq!(bench.state("web"), ActualState::Running);
    assert_eq!(bench.core.units().count(), 1);
    assert!(!bench.records.contains_key(&UnitId(0)), "and is forgotten");
}

/// The daemon died within the moment that it lets pass before it writes.
#[test]
fn the_end_of_a_run_is_told_though_its_successor_runs_already() {
    let mut bench = Bench::with(&[("web", policy())]);
    let (unit, first) = (bench.id("web"), bench.run("web"));
    let exits = |bench: &Bench| {
        bench.events(|event| {
            matches!(event, EventKind::Exited { status, .. } if *status == ExitStatus::Code(3))
        })
    };
    let seen = |run, state| Observed { unit, run, state };
    let second = RunId(first.0 + 1);
    let both = vec![
        seen(first, ObservedState::Exited(ExitStatus::Code(3))),
        seen(second, ObservedState::Alive { pid: 77 }),
    ];
    bench.resume(true, both.clone());
    assert_eq!(exits(&bench), 1);
    assert_eq!(bench.run("web"), second, "it goes on");
    assert_eq!(bench.restarts("web"), 1, "it is counted");
    // That was written down, and the daemon died before the keeper heard that the exit was taken.
    bench.resume(true, both);
    assert_eq!(exits(&bench), 0, "it is told once");
    assert_eq!(bench.restarts("web"), 1, "and counted once");
}
