use std::time::Duration;

use abide_model::api::{EventView, OperationView, RollingView};
use abide_model::{
    EVENTS_VERSION, EventKind, ExitStatus, OperationKind, OperationState, OperationStep, StepState,
};

use super::{Death, Progress};
use crate::term::{Palette, width};

fn operation(steps: &[(&str, StepState, Option<&str>)]) -> OperationView {
    OperationView {
        id: 1,
        kind: OperationKind::Up,
        since: "2026-01-31T14:05:00Z".into(),
        state: OperationState::Running,
        steps: steps
            .iter()
            .map(|(unit, state, note)| OperationStep {
                unit: unit.parse().expect("a name"),
                state: *state,
                note: note.map(Into::into),
            })
            .collect(),
        rolling: None,
    }
}

fn event(unit: &str, kind: EventKind) -> EventView {
    EventView {
        v: EVENTS_VERSION,
        severity: kind.severity(),
        seq: 1,
        at: "2026-01-31T14:05:00Z".into(),
        unit: Some(unit.into()),
        run: None,
        text: String::new(),
        kind,
    }
}

fn after(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn each_change_is_one_line_where_nothing_can_be_redrawn() {
    let mut progress = Progress::default();
    let steps = [
        ("db", StepState::Pending, None),
        ("shop:web", StepState::Pending, Some("waiting for db")),
    ];
    progress.take_operation(&operation(&steps), after(0));
    progress.take_event(
        &event(
            "shop:web",
            EventKind::Waiting {
                reason: "waiting for db".into(),
            },
        ),
        after(1),
    );
    progress.take_event(&event("db", EventKind::Started { pid: 7 }), after(2));
    progress.take_event(&event("other", EventKind::Started { pid: 8 }), after(2));
    assert_eq!(
        progress.changes(),
        [
            "db        starting    2 ms  pid 7",
            "shop:web  waiting     1 ms  waiting for db"
        ]
    );
    assert!(progress.changes().is_empty());
    progress.take_event(&event("db", EventKind::Ready), after(1500));
    assert_eq!(progress.changes(), ["db        running    1.5 s  pid 7"]);
    assert_eq!(
        progress.pending(),
        "db (running, pid 7), shop:web (waiting for db)"
    );
}

#[test]
fn a_frame_fits_and_shows_first_what_is_left_to_do() {
    let mut progress = Progress::default();
    let names: Vec<String> = (0..10).map(|n| format!("unit-{n}")).collect();
    let steps: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| match n {
            0..6 => (name.as_str(), StepState::Done, None),
            6 => (
                name.as_str(),
                StepState::Failed,
                Some("cannot execute /nope: no such file or directory"),
            ),
            _ => (name.as_str(), StepState::Pending, None),
        })
        .collect();
    progress.take_operation(&operation(&steps), after(10));
    for name in &names[..6] {
        progress.take_event(&event(name, EventKind::Started { pid: 7 }), after(5));
    }
    let frame = progress.frame(after(2500), 40, 5, Palette::plain());
    assert_eq!(
        frame,
        [
            "unit-6  failed     10 ms  cannot execut…",
            "unit-7  …          2.5 s",
            "unit-8  …          2.5 s",
            "unit-9  …          2.5 s",
            "… 7 of 10 units done",
        ]
    );
    for columns in 1..80 {
        for line in progress
            .frame(after(2500), columns, 5, Palette::plain())
            .iter()
            .take(4)
        {
            assert!(width(line) <= columns, "{columns}: {line:?}");
        }
    }
}

#[test]
fn a_unit_that_came_up_and_ended_is_found() {
    let exited = || EventKind::Exited {
        status: ExitStatus::Code(1),
        reason: "exit 1 after 0.1 s".into(),
        trace_ids: Vec::new(),
        output_may_be_lost: false,
    };
    let mut progress = Progress::default();
    let names = ["dies", "restarted", "ready late"].map(|name| name.replace(' ', "-"));
    let steps = names
        .each_ref()
        .map(|name| (name.as_str(), StepState::Pending, None));
    progress.take_operation(&operation(&steps), after(0));
    // A restart: the old run's end is no death.
    let stopping = EventKind::Stopping {
        reason: "restart".into(),
    };
    progress.take_event(&event("restarted", stopping), after(1));
    progress.take_event(&event("restarted", exited()), after(2));
    for name in &names {
        progress.take_event(&event(name, EventKind::Started { pid: 1 }), after(3));
    }
    assert!(progress.deaths().is_empty());
    // Not the first try but the second one was ready.
    progress.take_event(&event("ready-late", exited()), after(4));
    progress.take_event(
        &event("ready-late", EventKind::Started { pid: 2 }),
        after(5),
    );
    progress.take_event(&event("ready-late", EventKind::Ready), after(6));
    progress.take_event(&event("dies", exited()), after(100));
    let death = Death {
        unit: "dies".into(),
        reason: "exit 1 after 0.1 s".into(),
    };
    assert_eq!(progress.deaths(), [death]);
}

#[test]
fn a_unit_without_a_check_runs_when_its_step_is_done() {
    let mut progress = Progress::default();
    progress.take_operation(&operation(&[("a", StepState::Pending, None)]), after(0));
    progress.take_event(&event("a", EventKind::Started { pid: 7 }), after(3));
    progress.take_operation(&operation(&[("a", StepState::Done, None)]), after(3));
    assert_eq!(progress.changes(), ["a  running     3 ms  pid 7"]);
}

#[test]
fn a_unit_that_needed_nothing_is_not_drawn() {
    let mut progress = Progress::default();
    let steps = [
        ("a", StepState::Done, None),
        ("b", StepState::Pending, None),
    ];
    progress.take_operation(&operation(&steps), after(0));
    assert_eq!(
        progress.frame(after(0), 40, 5, Palette::plain()),
        ["b  …           0 ms"]
    );
    assert!(progress.changes().is_empty());
}

#[test]
fn a_rolling_restart_says_how_many_are_done_and_how_long_the_canaries_are_watched() {
    let rolling = |done, hold_ms, halted: Option<&str>| OperationView {
        rolling: Some(RollingView {
            units: 10,
            canaries: 1,
            done,
            hold_ms,
            halted: halted.map(Into::into),
        }),
        ..operation(&[("web@1", StepState::Pending, None)])
    };
    let mut progress = Progress::default();
    progress.take_operation(&rolling(0, Some(60_000), None), after(1000));
    assert_eq!(
        progress.frame(after(31_000), 80, 10, Palette::plain())[0],
        "0 of 10 restarted; the first 1 watched for another 30 s"
    );
    progress.take_operation(
        &rolling(3, None, Some("web@4: exit 1; rolled back")),
        after(0),
    );
    assert_eq!(
        progress.changes()[0],
        "3 of 10 restarted; halted: web@4: exit 1; rolled back"
    );
    assert!(progress.changes().is_empty(), "said once");
}
