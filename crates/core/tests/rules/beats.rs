use abide_core::Input;
use abide_model::{ActualState, EventKind, Health, Heartbeat, Policy, Restart};

use crate::bench::{Bench, policy, seconds};

fn beats(every: u64, misses: u32) -> Policy {
    Policy {
        heartbeat: Some(Heartbeat {
            every: seconds(every),
            misses,
            file: None,
        }),
        ..policy()
    }
}

#[test]
fn a_unit_that_misses_its_beats_is_ended_and_restarted() {
    let mut bench = Bench::with(&[("web", beats(5, 3))]);
    for _ in 0..10 {
        bench.pass(seconds(4));
        bench.beat("web");
    }
    assert_eq!(
        bench.core.unit(bench.id("web")).expect("known").health,
        Health::Healthy
    );
    assert_eq!(bench.run("web").0, 1);
    bench.pass(seconds(14));
    assert_eq!(bench.core.unit(bench.id("web")).expect("known").missed, 2);
    bench.pass(seconds(1));
    assert_eq!(bench.run("web").0, 2);
    assert_eq!(
        bench.events(|e| matches!(e, EventKind::HeartbeatMissed { .. })),
        2,
        "the first is counted, and told to nobody"
    );
}

#[test]
fn beats_missed_while_stopping_restart_nothing() {
    let mut bench = Bench::with(&[("web", beats(2, 1))]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    bench.pass(seconds(100));
    assert_eq!(bench.state("web"), ActualState::Stopped);
    assert_eq!(
        bench.events(|e| matches!(e, EventKind::HeartbeatMissed { .. })),
        0
    );
}

fn missed(bench: &Bench) -> u32 {
    bench.core.unit(bench.id("web")).expect("known").missed
}

fn told(bench: &Bench) -> usize {
    bench.events(|e| matches!(e, EventKind::HeartbeatMissed { .. }))
}

fn every(bench: &mut Bench, every: u64) {
    let every = seconds(every);
    bench.said("web", |unit, run| Input::BeatInterval { unit, run, every });
}

#[test]
fn a_sender_that_is_late_once_is_counted_and_not_told() {
    let mut bench = Bench::with(&[("web", beats(5, 3))]);
    bench.pass(seconds(6));
    assert_eq!((missed(&bench), told(&bench)), (1, 0));
    assert_eq!(bench.reason("web"), "missed 1 of 3 heartbeats");
    bench.beat("web");
    assert_eq!((missed(&bench), bench.reason("web").as_str()), (0, ""));
    bench.pass(seconds(10));
    assert_eq!((missed(&bench), told(&bench)), (2, 1));
    assert!(bench.why("web").contains("missed 2 of 3 heartbeats"));
}

#[test]
fn the_only_beat_that_may_be_missed_is_told() {
    let mut bench = Bench::with(&[("web", beats(5, 1))]);
    bench.pass(seconds(5));
    assert_eq!((bench.run("web").0, told(&bench)), (2, 1));
}

#[test]
fn a_program_says_itself_how_often_it_owes_a_beat() {
    let mut bench = Bench::with(&[("web", beats(5, 2)), ("quiet", policy())]);
    every(&mut bench, 60);
    bench.pass(seconds(100));
    assert_eq!((bench.run("web").0, missed(&bench)), (1, 1));
    every(&mut bench, 0);
    bench.pass(seconds(1000));
    assert_eq!((bench.run("web").0, missed(&bench)), (1, 0));
    every(&mut bench, 10);
    bench.pass(seconds(20));
    assert_eq!(bench.run("web").0, 2, "and by its policy again afterwards");
    bench.pass(seconds(10));
    assert_eq!(bench.run("web").0, 3);
    // Without a policy one interval is all that it has.
    let run = bench.run("quiet");
    let every = seconds(3);
    bench.said("quiet", |unit, run| Input::BeatInterval {
        unit,
        run,
        every,
    });
    bench.pass(seconds(2));
    bench.beat("quiet");
    bench.pass(seconds(2));
    assert_eq!(bench.run("quiet"), run);
    bench.pass(seconds(1));
    assert!(bench.run("quiet") > run);
}

#[test]
fn a_new_daemon_knows_how_often_the_program_said_it_owes_a_beat() {
    let mut bench = Bench::with(&[("web", beats(5, 1))]);
    every(&mut bench, 0);
    bench.daemon_dies(true);
    bench.pass(seconds(100));
    assert_eq!(bench.run("web").0, 1);
}

#[test]
fn a_program_that_says_it_is_past_help_is_restarted_by_its_policy() {
    for restart in [Restart::Always, Restart::OnFailure, Restart::Never] {
        let mut bench = Bench::with(&[(
            "web",
            Policy {
                restart,
                ..policy()
            },
        )]);
        bench.said("web", |unit, run| Input::BeatTrigger { unit, run });
        let wanted = if restart == Restart::Never {
            ActualState::Failed
        } else {
            ActualState::Running
        };
        assert_eq!(bench.state("web"), wanted);
        let exit = bench.core.unit(bench.id("web")).expect("known").last_exit;
        let reason = &exit.expect("ended").reason;
        assert!(reason.contains("WATCHDOG=trigger"), "{reason}");
    }
}

#[test]
fn a_unit_that_was_to_end_and_stays_owes_its_beats_still() {
    let web = Policy {
        requires: vec![crate::bench::name("db")],
        ..policy()
    };
    let mut bench = Bench::with(&[("web", web), ("db", beats(5, 1))]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("db");
    bench.pass(seconds(7));
    assert_eq!(told(&bench), 0, "it waits for its turn");
    bench.start("db");
    bench.pass(seconds(10));
    assert!(bench.run("db").0 > 1, "and owes them again");
}
