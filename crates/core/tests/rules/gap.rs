//! What becomes of the time that is running when the daemon dies, and of what ends while it is away.

use abide_core::{Command, Effect, Observed, ObservedState};
use abide_model::{
    ActualState, Backoff, EventKind, ExitStatus, GiveUp, HealthCheck, HealthProbe, OnUnhealthy,
    Policy, Restart, Rolling, Signal, StopAction, StopPlan, StopStep,
};

use crate::bench::{Bench, failed, policy, seconds};

/// A hangup, three seconds later the word to end, and ten seconds for both.
fn two_steps() -> Policy {
    let step = |signal, within| StopStep {
        action: StopAction::Signal(signal),
        within,
    };
    let stop = StopPlan {
        steps: vec![
            step(Signal::HUP, Some(seconds(3))),
            step(Signal::TERM, None),
        ],
        within: seconds(10),
    };
    Policy { stop, ..policy() }
}

fn asked(bench: &Bench) -> usize {
    bench.effects(|effect| matches!(effect, Effect::AskStop { .. }))
}

fn killed(bench: &Bench) -> usize {
    bench.effects(|effect| matches!(effect, Effect::KillTree { .. }))
}

fn die_after(bench: &mut Bench, before: u64, away: u64) {
    bench.pass(seconds(before));
    bench.skip(seconds(away));
    bench.daemon_dies(true);
}

#[test]
fn each_step_of_a_stop_keeps_its_due_time_and_so_does_the_kill() {
    let mut bench = Bench::with(&[("web", two_steps())]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    die_after(&mut bench, 1, 1);
    assert_eq!(asked(&bench), 0, "it was asked before");
    // Deaths add nothing to what is left.
    die_after(&mut bench, 0, 0);
    bench.pass(seconds(1));
    assert_eq!((asked(&bench), killed(&bench)), (1, 0), "the second step");
    die_after(&mut bench, 3, 3);
    assert_eq!((asked(&bench), killed(&bench)), (0, 0));
    bench.pass(seconds(1));
    assert_eq!(killed(&bench), 1);
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

#[test]
fn a_stop_whose_time_ran_out_meanwhile_goes_on_to_its_kill() {
    let mut bench = Bench::with(&[("web", two_steps())]);
    bench.stubborn.insert(bench.id("web"));
    bench.stop("web");
    die_after(&mut bench, 1, 60);
    bench.pass(seconds(0));
    assert_eq!((asked(&bench), killed(&bench)), (0, 1));
    assert_eq!(bench.state("web"), ActualState::Stopped);
}

#[test]
fn what_a_stopped_program_leaves_behind_keeps_the_due_time_too() {
    let mut bench = Bench::with(&[("web", two_steps())]);
    bench.lingering.insert(bench.id("web"));
    bench.stop("web");
    die_after(&mut bench, 4, 5);
    assert_eq!(killed(&bench), 0);
    bench.pass(seconds(1));
    assert_eq!(killed(&bench), 1);
}

/// A unit that waits for its restart, and for how long yet.
fn in_backoff() -> (Bench, std::time::Duration) {
    let mut bench = Bench::with(&[("web", policy())]);
    for _ in 0..6 {
        bench.exit("web", 1);
        if bench.state("web") == ActualState::Backoff {
            bench.pass(seconds(2));
        }
    }
    bench.exit("web", 1);
    let (due, _) = bench.core.poll_timeout().mono.expect("a restart is due");
    let wait = due.since(bench.now.mono);
    assert!(wait > seconds(2), "{wait:?}");
    (bench, wait)
}

#[test]
fn a_backoff_ends_when_it_would_have_and_not_a_moment_earlier() {
    let (mut bench, wait) = in_backoff();
    let run = bench.run("web");
    bench.pass(seconds(1));
    bench.skip(seconds(1));
    bench.daemon_dies(true);
    let moment = std::time::Duration::from_nanos(1);
    bench.pass(wait - seconds(2) - moment);
    assert_eq!(bench.state("web"), ActualState::Backoff);
    bench.pass(moment);
    assert_eq!(bench.state("web"), ActualState::Running);
    assert!(bench.run("web") > run);
}

#[test]
fn a_backoff_that_ran_out_meanwhile_ends_at_once() {
    let (mut bench, wait) = in_backoff();
    bench.skip(wait);
    bench.daemon_dies(true);
    bench.pass(seconds(0));
    assert_eq!(bench.state("web"), ActualState::Running);
}

#[test]
fn the_window_of_give_up_is_the_one_that_was_begun() {
    for (away, follows) in [(10, ActualState::Failed), (60, ActualState::Running)] {
        let give_up = Some(GiveUp {
            restarts: 3,
            within: seconds(60),
        });
        let backoff = Backoff::None;
        let unit = Policy {
            give_up,
            backoff,
            ..policy()
        };
        let mut bench = Bench::with(&[("web", unit)]);
        for _ in 0..3 {
            bench.exit("web", 1);
        }
        bench.skip(seconds(away));
        bench.daemon_dies(true);
        bench.exit("web", 1);
        assert_eq!(bench.state("web"), follows, "after {away} s");
    }
}

#[test]
fn a_run_becomes_stable_when_it_would_have() {
    let mut bench = Bench::with(&[("web", policy())]);
    for _ in 0..4 {
        bench.exit("web", 1);
        bench.pass(seconds(2));
    }
    let looping = |bench: &Bench| {
        bench
            .core
            .unit(bench.id("web"))
            .expect("known")
            .crash_looping
    };
    assert!(looping(&bench));
    die_after(&mut bench, 1, 3);
    assert!(looping(&bench));
    bench.pass(seconds(5));
    assert!(!looping(&bench));
    assert_eq!(bench.events(|e| matches!(e, EventKind::Stable)), 1);
}

#[test]
fn the_hold_of_a_rolling_restart_is_over_when_it_would_have_been() {
    let mut bench = Bench::with(&[("a", policy()), ("b", policy())]);
    let units = vec![bench.id("a"), bench.id("b")];
    let plan = Rolling {
        first: 50,
        hold: seconds(20),
    };
    bench
        .command(Command::RestartRolling { units, plan })
        .expect("taken");
    die_after(&mut bench, 5, 5);
    assert!(bench.moves().is_empty(), "the hold is not over");
    bench.pass(seconds(9));
    assert!(bench.moves().is_empty(), "the hold is not over yet");
    bench.pass(seconds(1));
    assert_eq!(bench.moves(), ["-b", "+b"]);
}

#[test]
fn misses_of_health_checks_are_counted_anew() {
    let check = HealthCheck {
        probes: vec![HealthProbe::Tcp("127.0.0.1:1".into())],
        every: seconds(10),
        timeout: seconds(2),
        misses: 2,
        grace: seconds(0),
        on_unhealthy: OnUnhealthy::Restart,
    };
    let health = Some(check);
    let mut bench = Bench::with(&[("web", Policy { health, ..policy() })]);
    bench.answer = Some(failed("refused"));
    bench.pass(seconds(10));
    assert_eq!(bench.run("web").0, 1, "one miss is not too many");
    bench.skip(seconds(100));
    bench.daemon_dies(true);
    bench.answer = Some(abide_core::Outcome::Ok);
    bench.pass(seconds(60));
    assert_eq!(bench.run("web").0, 1, "what nobody asked was not missed");
}

/// How the last run ended, whether its output may be lost by the status, and by the event.
fn end_of(bench: &Bench) -> (String, bool, bool) {
    let view = bench.core.unit(bench.id("web")).expect("known");
    let exit = view.last_exit.expect("ended");
    let told = bench.log.iter().find_map(|effect| match effect {
        Effect::Event {
            kind: EventKind::Exited {
                output_may_be_lost, ..
            },
            ..
        } => Some(*output_may_be_lost),
        _ => None,
    });
    let told = told.expect("it is an event");
    (exit.reason.clone(), exit.output_may_be_lost, told)
}

#[test]
fn what_ended_while_nobody_held_its_output_may_have_lost_some_and_that_is_said() {
    let unheld = |status| ObservedState::ExitedUnheld(status);
    let term = ExitStatus::Signal {
        signal: Signal::TERM,
        core: false,
    };
    let cases = [
        (
            unheld(ExitStatus::Code(3)),
            "exit 3 while abide was gone (what it wrote last may be lost)",
        ),
        (
            unheld(term),
            "killed by SIGTERM while abide was gone (what it wrote last may be lost)",
        ),
        (
            unheld(ExitStatus::Unknown),
            "ended while abide was gone, exit status unknown (what it wrote last may be lost)",
        ),
        (
            ObservedState::Exited(ExitStatus::Code(3)),
            "exit 3 after 2.0 s",
        ),
    ];
    for (state, words) in cases {
        let lost = !matches!(state, ObservedState::Exited(_));
        let never = Policy {
            restart: Restart::Never,
            ..policy()
        };
        let mut bench = Bench::with(&[("web", never)]);
        let (unit, run) = (bench.id("web"), bench.run("web"));
        bench.forget_process("web");
        bench.skip(seconds(2));
        bench.resume(true, vec![Observed { unit, run, state }]);
        assert_eq!(end_of(&bench), (words.to_owned(), lost, lost));
        assert!(bench.why("web").contains(words), "{}", bench.why("web"));
        // And it is remembered.
        bench.daemon_dies(true);
        let view = bench.core.unit(unit).expect("known");
        assert_eq!(view.last_exit.expect("ended").output_may_be_lost, lost);
    }
}
