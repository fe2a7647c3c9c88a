//! The steps of a stop, with real programs.

use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use abide_model::ExitStatus;
use abide_platform::spawn::{Spawned, spawn};
use abide_platform::stop::{ConsoleHelper, Outcome, Plan, Report, Share, Step, stop};
use abide_platform::tree::{RunTree, TERMINATED, Trees};

use super::{LONG, Test, launch, order, start, wait_for};

pub const ALL: &[Test] = &[
    (
        "a_console_program_gets_its_ctrl_c_and_who_sends_it_does_not",
        ctrl_c,
    ),
    ("a_program_that_ignores_ctrl_c_is_terminated", deaf),
    ("a_program_with_a_window_only_is_closed", window),
    (
        "a_program_that_reads_to_the_end_ends_with_its_input",
        end_of_input,
    ),
    ("an_escapee_that_has_no_console_is_terminated", escapee),
];

fn plan(steps: &[(Step, Duration)]) -> Plan {
    let share = |&(step, within)| Share {
        step,
        within: Some(within),
    };
    Plan {
        steps: steps.iter().map(share).collect(),
        within: LONG,
    }
}

fn stopped(tree: &RunTree, input: Option<OwnedHandle>, plan: &Plan) -> Report {
    let helper = ConsoleHelper::own().expect("our file");
    let report = stop(tree, input, &helper, plan);
    assert!(report.empty, "{report:?}");
    assert!(tree.processes().expect("counted").is_empty());
    report
}

fn code(spawned: &Spawned) -> ExitStatus {
    let ended = spawned.handle.exit(Some(LONG));
    ended.expect("asked").expect("ended")
}

fn ready(trees: &Trees, place: &Path, word: &str) -> (Spawned, RunTree) {
    let file = place.join("ready");
    let started = start(trees, 1, launch(&[word, file.to_str().expect("a text")]));
    wait_for(&file);
    started
}

fn ctrl_c() {
    let place = tempfile::tempdir().expect("a directory");
    let trees = Trees::reporting().expect("a port");
    let (spawned, tree) = ready(&trees, place.path(), "ready");
    let report = stopped(&tree, None, &plan(&[(Step::CtrlC, LONG)]));
    assert_eq!(report.ended_by, Some(Step::CtrlC), "{report:?}");
    assert_eq!(report.tried, [(Step::CtrlC, Outcome::Asked(1))]);
    // 0xC000013A; Wine 8 says 0.
    let code = code(&spawned);
    let known = [
        ExitStatus::Code(0),
        ExitStatus::Code(0xC000_013A_u32.cast_signed()),
    ];
    assert!(known.contains(&code), "{code}");
}

fn deaf() {
    let place = tempfile::tempdir().expect("a directory");
    let trees = Trees::reporting().expect("a port");
    let (spawned, tree) = ready(&trees, place.path(), "deaf");
    let steps = [
        (Step::EndOfInput, LONG),
        (Step::Close, LONG),
        (Step::CtrlC, Duration::from_millis(300)),
    ];
    let report = stopped(&tree, None, &plan(&steps));
    assert_eq!(report.ended_by, Some(Step::Terminate), "{report:?}");
    assert_eq!(report.tried[0], (Step::EndOfInput, Outcome::Nobody));
    assert_eq!(report.tried[1], (Step::Close, Outcome::Nobody));
    assert_eq!(report.tried[2], (Step::CtrlC, Outcome::Asked(1)));
    assert_eq!(code(&spawned), ExitStatus::Code(TERMINATED.cast_signed()));
}

fn window() {
    let place = tempfile::tempdir().expect("a directory");
    let trees = Trees::reporting().expect("a port");
    let (spawned, tree) = ready(&trees, place.path(), "window");
    let report = stopped(&tree, None, &plan(&[(Step::Close, LONG)]));
    assert_eq!(report.ended_by, Some(Step::Close), "{report:?}");
    assert_eq!(code(&spawned), ExitStatus::Code(33));
}

fn end_of_input() {
    let trees = Trees::reporting().expect("a port");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut order = order(&trees, 1, launch(&["read"]));
    order.stdin = Some(Arc::new(OwnedHandle::from(reader)));
    let spawned = spawn(&order).expect("it starts");
    let plan = plan(&[(Step::EndOfInput, LONG)]);
    let report = stopped(&order.tree, Some(OwnedHandle::from(writer)), &plan);
    assert_eq!(report.ended_by, Some(Step::EndOfInput), "{report:?}");
    assert_eq!(code(&spawned), ExitStatus::Code(0));
}

fn escapee() {
    let trees = Trees::reporting().expect("a port");
    let (spawned, tree) = start(&trees, 1, launch(&["escape"]));
    assert_eq!(code(&spawned), ExitStatus::Code(0));
    let steps = [
        (Step::CtrlC, Duration::from_millis(300)),
        (Step::Close, LONG),
    ];
    let report = stopped(&tree, None, &plan(&steps));
    assert_eq!(report.ended_by, Some(Step::Terminate), "{report:?}");
}
