//! The clauses that hold on every platform.

use abide_model::{ExitStatus, Signal};

use crate::platform::{Needs, Outcome, Platform, Program};

type Clause = fn(&mut dyn Platform) -> Outcome;

/// Each with what it needs.
pub const ALL: &[(&str, Needs, Clause)] = &[
    ("an_exit_is_told_with_its_code", Needs::Daemon, exit_code),
    (
        "a_death_by_signal_is_told_with_its_signal",
        Needs::Signals,
        exit_signal,
    ),
    (
        "a_missing_program_is_refused_in_words",
        Needs::Daemon,
        missing,
    ),
    ("an_exit_waits_until_it_is_taken", Needs::Keeper, exit_waits),
    (
        "a_run_is_known_though_the_daemon_died_right_after_making_it",
        Needs::Keeper,
        died_after_clone,
    ),
    ("a_run_outlives_its_daemon", Needs::Keeper, run_outlives),
    (
        "what_is_held_outlives_the_daemon",
        Needs::Keeper,
        held_outlives,
    ),
    (
        "a_unit_that_was_killed_can_run_again",
        Needs::Keeper,
        killed_before,
    ),
    (
        "an_escapee_is_found_and_ended_and_others_are_spared",
        Needs::Daemon,
        escapee,
    ),
    (
        "a_program_that_forks_and_ends_all_the_time_is_ended",
        Needs::Daemon,
        hopper,
    ),
    (
        "an_escapee_is_ended_by_a_daemon_that_did_not_start_it",
        Needs::Keeper,
        escapee_after_death,
    ),
    (
        "the_keeper_leaves_with_the_code_of_a_daemon_that_leaves",
        Needs::Keeper,
        leaves,
    ),
];

/// Waits until a run has so many processes. On Windows the host of a console that was made just now counts, until
/// it can be seen what it is.
#[track_caller]
pub fn settles(p: &mut dyn Platform, run: u64, processes: u64) {
    let begun = std::time::Instant::now();
    loop {
        let there = p.processes(run);
        if there == processes {
            return;
        }
        let patient = begun.elapsed().as_secs() < 120;
        assert!(patient, "run {run} has {there} processes, not {processes}");
    }
}

fn exit_code(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Exit(7)).expect("it starts");
    assert_eq!(p.exit(1), ExitStatus::Code(7));
    Ok(())
}

fn exit_signal(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Signalled(9)).expect("it starts");
    assert_eq!(
        p.exit(1),
        ExitStatus::Signal {
            signal: Signal::KILL,
            core: false
        }
    );
    Ok(())
}

fn missing(p: &mut dyn Platform) -> Outcome {
    let error = p
        .spawn(1, Program::Missing)
        .expect_err("there is no such program");
    let words = format!("cannot execute /no/such/program: {}", p.not_there());
    assert!(error.starts_with(&words), "{error}");
    // Whoever could not execute it may not have been reaped yet.
    settles(p, 1, 0);
    Ok(())
}

fn exit_waits(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Exit(3)).expect("it starts");
    p.exit(1);
    p.daemon_dies();
    assert_eq!(p.table(), [1]);
    assert_eq!(p.exit(1), ExitStatus::Code(3));
    p.take(1);
    p.daemon_dies();
    assert!(p.table().is_empty());
    Ok(())
}

fn died_after_clone(p: &mut dyn Platform) -> Outcome {
    for run in 1..=10 {
        p.spawn_and_die(run, Program::Exit(i32::try_from(run).expect("small")));
        assert!(p.table().contains(&run), "run {run} is not known");
        assert_eq!(
            p.exit(run),
            ExitStatus::Code(i32::try_from(run).expect("small"))
        );
        p.take(run);
    }
    Ok(())
}

fn run_outlives(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Idle).expect("it starts");
    p.daemon_dies();
    assert_eq!(p.table(), [1]);
    settles(p, 1, 1);
    p.kill_tree(1);
    assert_eq!(p.exit(1), p.killed());
    Ok(())
}

fn killed_before(p: &mut dyn Platform) -> Outcome {
    for round in 0..4 {
        p.spawn(1, Program::Idle).expect("it starts");
        settles(p, 1, 1);
        if round == 2 {
            p.daemon_dies();
        }
        p.kill_tree(1);
        assert_eq!(p.exit(1), p.killed(), "in round {round}");
        p.take(1);
    }
    Ok(())
}

fn held_outlives(p: &mut dyn Platform) -> Outcome {
    for key in 0..300 {
        p.hold(key, &format!("content {key}"));
    }
    p.hold(3, "another");
    p.daemon_dies();
    assert_eq!(p.held(299).as_deref(), Some("content 299"));
    assert_eq!(p.held(3).as_deref(), Some("another"));
    assert_eq!(p.held(300), None);
    Ok(())
}

fn escapee(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Escapee).expect("it starts");
    p.spawn(2, Program::Escapee).expect("it starts");
    p.spawn(3, Program::Idle).expect("it starts");
    p.exit(1);
    p.exit(2);
    // Nobody says when it has got away, and a look while it forks may miss it.
    settles(p, 1, 1);
    p.kill_tree(1);
    assert_eq!(p.processes(1), 0);
    settles(p, 2, 1);
    settles(p, 3, 1);
    p.kill_tree(2);
    p.kill_tree(3);
    assert_eq!(p.processes(2), 0);
    // The main process has ended, and counts until it is reaped.
    settles(p, 3, 0);
    Ok(())
}

fn hopper(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Hopper).expect("it starts");
    p.spawn(2, Program::Idle).expect("it starts");
    p.exit(1);
    p.kill_tree(1);
    assert_eq!(p.processes(1), 0);
    settles(p, 2, 1);
    p.kill_tree(2);
    Ok(())
}

fn escapee_after_death(p: &mut dyn Platform) -> Outcome {
    p.spawn(1, Program::Escapee).expect("it starts");
    p.spawn(2, Program::Hopper).expect("it starts");
    p.exit(1);
    p.exit(2);
    p.daemon_dies();
    p.kill_tree(1);
    p.kill_tree(2);
    assert_eq!(p.processes(1) + p.processes(2), 0);
    Ok(())
}

fn leaves(p: &mut dyn Platform) -> Outcome {
    p.daemon_dies();
    assert_eq!(p.leave(5), 5);
    Ok(())
}
