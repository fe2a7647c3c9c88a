use abide_core::{Command, Effect, Input};
use abide_model::{
    ActualState, EventKind, ExitStatus, OperationState, Policy, Restart, RunId, SocketGate, UnitId,
    UnitType,
};

use crate::bench::{Bench, policy, requires, seconds};

const FIRST: UnitId = UnitId(1);

fn on_connection() -> Policy {
    Policy {
        socket: Some(SocketGate {
            on_connection: true,
            idle_stop: None,
        }),
        ..policy()
    }
}

/// Stopped after a minute without a connection.
fn idle(on_connection: bool) -> Policy {
    Policy {
        socket: Some(SocketGate {
            on_connection,
            idle_stop: Some(seconds(60)),
        }),
        ..policy()
    }
}

fn connect(bench: &mut Bench) {
    bench.input(Input::Connection { unit: FIRST });
}

/// How often its sockets were watched (`+`) and not watched any more (`-`) since the last look.
fn watches(bench: &mut Bench) -> String {
    let watch = |effect: &Effect| match effect {
        Effect::WatchSocket(FIRST) => Some('+'),
        Effect::UnwatchSocket(FIRST) => Some('-'),
        _ => None,
    };
    std::mem::take(&mut bench.log)
        .iter()
        .filter_map(watch)
        .collect()
}

#[test]
fn a_unit_is_started_by_its_first_connection() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    assert_eq!(bench.state("web"), ActualState::Waiting);
    assert_eq!(bench.reason("web"), "waits for a connection");
    assert_eq!(watches(&mut bench), "+");
    connect(&mut bench);
    assert_eq!(bench.state("web"), ActualState::Running);
    assert_eq!(bench.events(|kind| *kind == EventKind::Connection), 1);
    assert_eq!(watches(&mut bench), "", "the answer ended the watch");
    connect(&mut bench);
    assert_eq!(bench.run("web"), RunId(1));
}

#[test]
fn a_unit_that_listens_is_up_for_commands_and_for_what_requires_it() {
    let mut bench = Bench::new();
    let up = bench
        .apply(
            "a.toml",
            &[("web", on_connection()), ("app", requires(&["web"]))],
        )
        .expect("taken");
    assert_eq!(bench.operation(up).state, OperationState::Done);
    assert_eq!(bench.state("app"), ActualState::Running);
    for command in [Command::Start(vec![FIRST]), Command::Restart(vec![FIRST])] {
        bench.log.clear();
        let operation = bench.command(command).expect("taken");
        assert_eq!(bench.operation(operation).state, OperationState::Done);
        assert_eq!(bench.state("web"), ActualState::Waiting);
        assert_eq!(watches(&mut bench), "");
    }
    assert!(bench.core.unit(FIRST).expect("known").ready);
}

#[test]
fn what_requires_a_unit_that_listens_ends_when_that_is_stopped() {
    let mut bench = Bench::with(&[("web", on_connection()), ("app", requires(&["web"]))]);
    bench.stop("web");
    assert_eq!(bench.state("app"), ActualState::Waiting);
    assert!(bench.reason("app").contains("stopped by hand"));
    bench.start("web");
    assert_eq!(bench.state("app"), ActualState::Running);
}

#[test]
fn a_unit_that_was_stopped_is_not_started_by_a_connection() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    bench.log.clear();
    bench.stop("web");
    assert_eq!(watches(&mut bench), "-");
    connect(&mut bench);
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.start("web");
    assert_eq!(bench.state("web"), ActualState::Waiting);
    assert_eq!(watches(&mut bench), "+");
    bench.command(Command::Remove(vec![FIRST])).expect("taken");
    assert_eq!(watches(&mut bench), "-");
}

#[test]
fn a_unit_whose_requirement_goes_stops_listening() {
    let mut web = on_connection();
    web.requires.push(crate::bench::name("zdb"));
    let mut bench = Bench::with(&[("web", web), ("zdb", policy())]);
    assert_eq!(watches(&mut bench), "+");
    bench.stop("zdb");
    assert_eq!(watches(&mut bench), "-");
    assert_eq!(
        bench.reason("web"),
        "waits for zdb, which was stopped by hand"
    );
    connect(&mut bench);
    assert_eq!(bench.state("web"), ActualState::Waiting);
    bench.start("zdb");
    assert_eq!(watches(&mut bench), "+");
}

#[test]
fn a_crash_is_restarted_by_policy_and_not_by_a_connection() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    connect(&mut bench);
    bench.exit("web", 1);
    assert_eq!(
        (bench.state("web"), bench.run("web")),
        (ActualState::Running, RunId(2))
    );
    bench.restart("web");
    assert_eq!(
        (bench.state("web"), bench.run("web")),
        (ActualState::Running, RunId(3))
    );
}

#[test]
fn a_unit_that_ended_as_it_should_waits_for_the_next_connection() {
    for unit_type in [UnitType::Service, UnitType::Oneshot] {
        let unit = Policy {
            restart: Restart::Never,
            unit_type,
            ..on_connection()
        };
        let mut bench = Bench::with(&[("web", unit)]);
        for run in 1..4 {
            connect(&mut bench);
            assert_eq!(bench.run("web"), RunId(run));
            bench.exit("web", 0);
            assert_eq!(bench.state("web"), ActualState::Waiting);
        }
        connect(&mut bench);
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), ActualState::Failed, "a person must act");
    }
}

#[test]
fn a_program_that_does_not_take_its_connection_is_not_started_for_ever() {
    let unit = Policy {
        restart: Restart::OnFailure,
        ..on_connection()
    };
    let mut bench = Bench::with(&[("web", unit)]);
    let mut runs = 0;
    while bench.state("web") == ActualState::Waiting {
        connect(&mut bench);
        bench.exit("web", 0);
        runs += 1;
    }
    assert_eq!((runs, bench.state("web")), (20, ActualState::Backoff));
    assert!(bench.reason("web").contains("listens again later"));
    connect(&mut bench);
    assert_eq!(bench.state("web"), ActualState::Backoff);
    bench.pass(seconds(2));
    assert_eq!(bench.state("web"), ActualState::Waiting);
}

#[test]
fn a_unit_that_nobody_uses_is_stopped_and_waits() {
    for at_once in [true, false] {
        let mut bench = Bench::with(&[("web", idle(!at_once)), ("app", requires(&["web"]))]);
        if !at_once {
            connect(&mut bench);
        }
        bench.pass(seconds(59));
        assert_eq!(bench.state("web"), ActualState::Running);
        bench.log.clear();
        bench.pass(seconds(1));
        assert_eq!(bench.state("web"), ActualState::Waiting);
        assert_eq!(bench.state("app"), ActualState::Running);
        let view = bench.core.unit(FIRST).expect("known");
        assert_eq!((view.restarts, view.row), (0, 0));
        let reason = &view.last_exit.expect("ended").reason;
        assert!(reason.starts_with("not used for 60s"), "{reason}");
        assert_eq!(watches(&mut bench), "+");
        bench.start("web");
        bench.restart("web");
        assert_eq!(bench.state("web"), ActualState::Waiting);
        bench.daemon_dies(true);
        assert_eq!(bench.state("web"), ActualState::Waiting);
        connect(&mut bench);
        assert_eq!(bench.state("web"), ActualState::Running);
    }
}

#[test]
fn a_unit_that_is_used_is_looked_at_again_later() {
    let mut bench = Bench::with(&[("web", idle(false))]);
    bench.busy.insert(FIRST);
    bench.pass(seconds(600));
    assert_eq!(bench.state("web"), ActualState::Running);
    let looks = bench.log.iter();
    let looks = looks.filter(|effect| matches!(effect, Effect::LookIdle { .. }));
    assert_eq!(looks.count(), 10);
    bench.busy.clear();
    bench.pass(seconds(60));
    assert_eq!(bench.state("web"), ActualState::Waiting);
}

#[test]
fn a_person_who_stops_a_unit_during_its_idle_stop_keeps_it_down() {
    let mut bench = Bench::with(&[("web", idle(false))]);
    bench.stubborn.insert(FIRST);
    bench.pass(seconds(61));
    assert_eq!(bench.state("web"), ActualState::Stopping);
    bench.stop("web");
    bench.pass(seconds(10));
    assert_eq!(bench.state("web"), ActualState::Stopped);
    bench.start("web");
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn a_new_daemon_watches_again_and_a_boot_waits_for_a_connection() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    bench.daemon_dies(true);
    assert_eq!(watches(&mut bench), "+");
    connect(&mut bench);
    bench.daemon_dies(true);
    assert_eq!(bench.state("web"), ActualState::Running);
    assert_eq!(watches(&mut bench), "");
    bench.daemon_dies(false);
    assert_eq!(bench.state("web"), ActualState::Waiting);
    assert_eq!(watches(&mut bench), "+");
}

#[test]
fn a_crash_that_nobody_saw_does_not_wait_for_a_connection() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    connect(&mut bench);
    bench.forget_process("web");
    bench.resume(true, vec![]);
    assert_eq!(bench.state("web"), ActualState::Running);
    let view = bench.core.unit(FIRST).expect("known");
    assert_eq!(view.last_exit.expect("ended").status, ExitStatus::Unknown);
}

#[test]
fn sockets_that_changed_are_watched_anew() {
    let mut bench = Bench::with(&[("web", on_connection())]);
    bench.log.clear();
    let changed = Policy {
        launch_digest: 2,
        ..on_connection()
    };
    bench
        .apply("abide.toml", &[("web", changed)])
        .expect("taken");
    assert_eq!(watches(&mut bench), "-+");
    bench
        .apply("abide.toml", &[("web", idle(false))])
        .expect("taken");
    assert_eq!(bench.state("web"), ActualState::Running);
    assert_eq!(watches(&mut bench), "-");
}

#[test]
fn what_listens_is_not_up_when_what_it_requires_restarts() {
    let mut web = on_connection();
    web.requires.push(crate::bench::name("zdb"));
    let app = Policy {
        unit_type: UnitType::Oneshot,
        ..requires(&["web"])
    };
    let mut bench = Bench::with(&[("web", web), ("app", app), ("zdb", policy())]);
    bench.exit("app", 0);
    bench.stubborn.insert(bench.id("zdb"));
    bench.moves();
    let (app, zdb) = (bench.id("app"), bench.id("zdb"));
    bench
        .command(Command::Restart(vec![app, zdb]))
        .expect("taken");
    assert_eq!(bench.moves(), ["-zdb"]);
    bench.pass(seconds(10));
    assert_eq!(bench.moves(), ["+zdb", "+app"]);
}

#[test]
fn what_listens_has_had_its_turn_in_the_order_of_a_start() {
    let mut web = on_connection();
    web.after.push(crate::bench::name("zdb"));
    let mut bench = Bench::with(&[("web", web), ("zdb", policy())]);
    bench.hanging.insert(bench.id("zdb"));
    watches(&mut bench);
    bench.restart("zdb");
    assert_eq!(bench.state("web"), ActualState::Waiting);
    assert_eq!(watches(&mut bench), "");
    connect(&mut bench);
    assert_eq!(bench.reason("web"), "waits for zdb, which is not ready yet");
}

#[test]
fn a_unit_that_nobody_uses_is_left_while_what_depends_on_it_ends() {
    let mut bench = Bench::with(&[("web", idle(false)), ("app", requires(&["web"]))]);
    bench.stubborn.insert(bench.id("app"));
    bench.pass(seconds(55));
    bench.stop("app");
    bench.pass(seconds(6));
    assert_eq!(bench.state("web"), ActualState::Running);
    bench.pass(seconds(60));
    assert_eq!(bench.state("web"), ActualState::Waiting);
}
