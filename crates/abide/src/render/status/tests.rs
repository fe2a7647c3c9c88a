use abide_model::{
    ActualState, DesiredState, Health, HeartbeatStatus, LastExitStatus, LimitUnsupported,
    LogStatus, UnitStatus,
};

use super::{View, is_well, table};
use crate::term::{Palette, width};

fn unit(name: &str, state: ActualState) -> UnitStatus {
    UnitStatus {
        state_since: Some("2026-01-31T14:00:00Z".into()),
        ready: state == ActualState::Running,
        run_id: Some(1),
        ..UnitStatus::bare(name.into(), "guard", DesiredState::Up, state)
    }
}

fn running(name: &str, pid: u32) -> UnitStatus {
    UnitStatus {
        pid: Some(pid),
        started_at: Some("2026-01-31T14:01:48Z".into()),
        cpu_percent: Some(1.25),
        memory_bytes: Some(19_818_086),
        os_state: Some("sleeping".into()),
        ..unit(name, ActualState::Running)
    }
}

fn exit(reason: &str, at: &str) -> Option<LastExitStatus> {
    Some(LastExitStatus {
        code: Some(1),
        signal: None,
        at: at.into(),
        reason: reason.into(),
        run_id: 1,
        output_may_be_lost: false,
    })
}

fn a_household() -> Vec<UnitStatus> {
    vec![
        UnitStatus {
            restarts: 1,
            last_exit: exit("killed by SIGSEGV", "2026-01-31T14:01:48Z"),
            health: Health::Healthy,
            heartbeat: Some(HeartbeatStatus::default()),
            ..running("shop:web", 4242)
        },
        UnitStatus {
            restarts: 3,
            crash_looping: true,
            last_exit: exit("exit 1 after 0.2 s", "2026-01-31T14:04:59Z"),
            reason: Some("exit 1 after 0.2 s; restart 4".into()),
            next_start: Some("2026-01-31T14:05:01.640Z".into()),
            ..unit("shop:worker", ActualState::Backoff)
        },
        UnitStatus {
            reason: Some("waiting for shop:db".into()),
            ..unit("api", ActualState::Waiting)
        },
        UnitStatus {
            desired: DesiredState::Down,
            reason: Some("stopped by hand".into()),
            enabled: false,
            ..unit("old", ActualState::Stopped)
        },
        UnitStatus {
            log: LogStatus {
                bytes_lost: 12_595,
                trouble: Some("no space left on device".into()),
            },
            limits_unsupported: vec![LimitUnsupported {
                limit: "memory".into(),
                reason: "no control group can be made".into(),
            }],
            ..running("漢字", 7)
        },
    ]
}

fn draw(units: &[UnitStatus], columns: Option<usize>) -> String {
    let now = "2026-01-31T14:05:00Z".parse().expect("a time");
    table(
        units,
        View {
            now,
            columns,
            palette: Palette::plain(),
        },
    )
}

#[test]
fn a_table_without_a_width_shows_everything() {
    assert_eq!(
        draw(&a_household(), None),
        "\
NAME         STATE    HEALTH   UPTIME  RESTARTS   CPU  MEM   PID
shop:web     running  healthy   3m12s         1  1.2%  19M  4242  killed by SIGSEGV, 3 min 12 s ago
shop:worker  backoff  -             -         3     -    -     -  crash-looping; exit 1 after 0.2 s; restart 4 in 1.6 s
api          waiting  -             -         0     -    -     -  waiting for shop:db
old          stopped  -             -         0     -    -     -  stopped by hand; disabled
漢字         running  -         3m12s         0  1.2%  19M     7  12K of log lost: no space left on device; no memory limit: no control group can be made
5 units: 2 running, 1 waiting, 1 backoff, 1 stopped  `abide why shop:worker` says more
"
    );
}

#[test]
fn a_narrow_terminal_gets_the_columns_that_matter() {
    assert_eq!(
        draw(&a_household(), Some(60)),
        "\
NAME         STATE    UPTIME  RESTARTS
shop:web     running   3m12s         1  killed by SIGSEGV,…
shop:worker  backoff       -         3  crash-looping; exit…
api          waiting       -         0  waiting for shop:db
old          stopped       -         0  stopped by hand; di…
漢字         running   3m12s         0  12K of log lost: no…
5 units: 2 running, 1 waiting, 1 backoff, 1 stopped  `abide why shop:worker` says more
"
    );
}

#[test]
fn what_is_wrong_now_comes_before_what_a_program_says() {
    let note = |unit: &UnitStatus| {
        let text = draw(std::slice::from_ref(unit), None);
        let row = text.lines().nth(1).unwrap_or_default().to_owned();
        row.split_once("  7  ").map(|(_, note)| note.to_owned())
    };
    let talks = UnitStatus {
        status_text: Some("12 requests/s".into()),
        ..running("a", 7)
    };
    assert_eq!(note(&talks).as_deref(), Some("12 requests/s"));
    let unwell = UnitStatus {
        health: Health::Unhealthy,
        health_check: Some(abide_model::HealthStatus {
            failures: 3,
            last_error: Some("no answer within 2 s".into()),
        }),
        ..talks
    };
    assert_eq!(note(&unwell).as_deref(), Some("no answer within 2 s"));
}

#[test]
fn no_row_is_wider_than_the_terminal() {
    for columns in 30..160 {
        let text = draw(&a_household(), Some(columns));
        let rows = text.lines().count() - 1;
        for line in text.lines().take(rows) {
            assert!(
                width(line) <= columns,
                "{columns}: {line:?} is {}",
                width(line)
            );
        }
    }
}

#[test]
fn what_a_program_says_cannot_drive_the_terminal() {
    let bad = UnitStatus {
        reason: Some("exit 1: \u{1b}[31mred\nnew line".into()),
        ..unit("x", ActualState::Failed)
    };
    assert!(draw(&[bad], None).contains("exit 1: \\u{1b}[31mred\\nnew line"));
}

#[test]
fn what_should_be_up_and_is_not_is_not_well() {
    assert!(is_well(&running("a", 1)));
    assert!(is_well(&unit("a", ActualState::Exited)));
    let down = UnitStatus {
        desired: DesiredState::Down,
        ..unit("a", ActualState::Stopped)
    };
    assert!(is_well(&down));
    for state in [
        ActualState::Stopped,
        ActualState::Waiting,
        ActualState::Starting,
        ActualState::Stopping,
        ActualState::Backoff,
        ActualState::Failed,
    ] {
        assert!(!is_well(&unit("a", state)), "{state}");
    }
    assert!(!is_well(&UnitStatus {
        crash_looping: true,
        ..running("a", 1)
    }));
}
