//! Whatever the manager can send, in the life of a service.

use std::fs;

use abide_platform::service_manager;

use crate::harness::{Made, PAUSED, RUNNING, STARTING, STOPPED, may_make_services, until};

#[test]
fn it_is_starting_until_it_is_ready_and_says_that_there_is_progress() {
    let Some(_alone) = may_make_services("it_is_starting_until_it_is_ready") else {
        return;
    };
    let service = Made::of_controls("abide-slow");
    service.start(&["slow"]);
    service.noted("begin [\"slow\"] for the service control manager");
    assert_eq!(service.state().state, STARTING);
    let seen = until(|| service.state(), |seen| seen.checkpoint >= 2);
    assert_eq!(seen.state, STARTING, "{seen:?}");
    assert!(seen.hint > 0, "{seen:?}");
    service
        .control(1)
        .expect_err("a stop is refused while it starts");
    fs::write(service.notes.with_extension("go"), "").expect("written");
    let running = service.is(RUNNING);
    assert_eq!((running.checkpoint, running.hint), (0, 0));
    service.control(1).expect("it takes it");
    service.is(STOPPED);
}

#[test]
fn pauses_reloads_and_its_own_controls_reach_it_and_a_stop_is_a_clean_end() {
    let Some(_alone) = may_make_services("pauses_reloads_and_its_own_controls_reach_it") else {
        return;
    };
    let service = Made::of_controls("abide-controls");
    service.start(&["alpha", "beta gamma"]);
    service.is(RUNNING);
    service.noted("begin [\"alpha\", \"beta gamma\"] for the service control manager");
    service.control(2).expect("it can be paused");
    service.is(PAUSED);
    service.control(3).expect("it can go on");
    service.is(RUNNING);
    service.control(4).expect("it says how it is");
    // One that it does not know, and two that it does.
    let _refused = service.control(130);
    service.control(150).expect("it knows it");
    service.noted("Control(150)");
    for (code, times) in [(6, 1), (128, 2)] {
        service.control(code).expect("it reloads");
        let count = |lines: &Vec<String>| lines.iter().filter(|l| *l == "reload").count();
        until(
            || service.noted("Control(150)"),
            |lines| count(lines) == times,
        );
    }
    let pid = service.state().pid;
    service.control(1).expect("it takes it");
    let stopped = service.is(STOPPED);
    assert_eq!((stopped.exit, stopped.own_exit), (0, 0));
    let noted = service.noted("end Some(Requested)");
    let events: Vec<&str> = noted
        .iter()
        .map(String::as_str)
        .filter(|line| *line != "reload")
        .collect();
    assert_eq!(
        events[1..],
        ["Pause", "Continue", "Control(150)", "end Some(Requested)"]
    );
    let ended = service_manager::wait_for_process(pid, crate::harness::PATIENCE);
    assert!(ended.expect("it can be waited for"), "its process ends");
}

#[test]
fn a_failure_is_its_own_exit_code_and_it_can_be_started_again() {
    let Some(_alone) = may_make_services("a_failure_is_its_own_exit_code") else {
        return;
    };
    let service = Made::of_controls("abide-fails");
    service.start(&[]);
    service.is(RUNNING);
    service.control(200).expect("it knows it");
    let stopped = service.is(STOPPED);
    assert_eq!((stopped.exit, stopped.own_exit), (1066, 42));
    // Wine's manager looks at its state a moment after the first word of it, and takes for dead what has ended by then.
    service.start(&["slow", "once"]);
    fs::write(service.notes.with_extension("go"), "").expect("written");
    service.noted("end Some(Itself)");
    let stopped = service.is(STOPPED);
    assert_eq!((stopped.exit, stopped.own_exit), (0, 0));
}

#[test]
fn one_that_is_removed_while_it_runs_is_gone_when_it_has_stopped() {
    let Some(_alone) = may_make_services("one_that_is_removed_while_it_runs") else {
        return;
    };
    let service = Made::of_controls("abide-removed");
    service.start(&[]);
    service.is(RUNNING);
    service_manager::delete(&service.name).expect("it is marked");
    service.noted("begin [] for the service control manager");
    service.control(1).expect("it takes it");
    until(|| service.is_gone(), |gone| *gone);
    service.noted("end Some(Requested)");
}
