//! What the documentation says of each kind beyond its doc comment: when it is raised, and what follows.

use abide_model::{
    EventKind, ExitStatus, HookKind, PowerEvent, SessionEvent, Signal, StopReport, StopStepReport,
};

pub(super) struct Entry {
    pub(super) example: EventKind,
    pub(super) unit: Option<&'static str>,
    pub(super) run: bool,
    pub(super) raised: &'static str,
    pub(super) follows: &'static str,
}

fn run(example: EventKind, raised: &'static str, follows: &'static str) -> Entry {
    Entry {
        example,
        unit: Some("shop:web"),
        run: true,
        raised,
        follows,
    }
}

fn unit(example: EventKind, raised: &'static str, follows: &'static str) -> Entry {
    Entry {
        run: false,
        ..run(example, raised, follows)
    }
}

fn home(example: EventKind, raised: &'static str, follows: &'static str) -> Entry {
    Entry {
        unit: None,
        ..unit(example, raised, follows)
    }
}

fn signal(name: &str) -> Signal {
    name.parse().expect("a signal")
}

/// One entry for each kind, in the order of the enum.
pub(super) fn catalogue() -> Vec<Entry> {
    let text = |text: &str| text.to_owned();
    let segv = ExitStatus::Signal {
        signal: signal("SIGSEGV"),
        core: false,
    };
    vec![
        unit(
            EventKind::Added,
            "Raised by `up`, `run`, `scale` and a reload of the configuration.",
            "If it is enabled, it is started: `waiting` or `started` follows.",
        ),
        unit(
            EventKind::Changed,
            "Raised by the same.",
            "If the change asks for a new run, `stopping` and `started` follow.",
        ),
        unit(
            EventKind::Removed,
            "Raised when nothing of it is left, after `stopped`.",
            "Its logs and events stay readable until they are too old.",
        ),
        run(
            EventKind::Started { pid: 4242 },
            "Raised when the program was executed.",
            "`ready` follows, or `exited`, or `stopping` if it is not ready in time.",
        ),
        run(
            EventKind::Ready,
            "Raised when the check of `ready` is good; at once where there is none.",
            "`after_start` is run, dependents may start, health checks begin.",
        ),
        run(
            EventKind::Exited {
                status: segv,
                reason: text("killed by SIGSEGV after 3 min"),
                trace_ids: vec![text("4bf92f3577b34da6a3ce929d0e0e4736")],
                output_may_be_lost: false,
            },
            "Raised when its main process is gone, wanted or not; also when it could not be executed or \
             `before_start` failed. `trace_ids` is there only if there are some, `output_may_be_lost` only \
             if it is true.",
            "`after_stop` is run, and `on_failure` where nobody asked for the end; then `restart_scheduled`, \
             `stopped` or `failed`, or nothing where the unit ended as it should.",
        ),
        run(
            EventKind::RestartScheduled {
                delay_ms: 1600,
                attempt: 4,
            },
            "Raised when the restart policy wants it back.",
            "`started` follows after the delay.",
        ),
        run(
            EventKind::CrashLooping,
            "Raised once, when several runs in a row ended before they were stable (`reset_after`).",
            "Restarts go on, with backoff. `stable` follows when it is over.",
        ),
        run(
            EventKind::Stable,
            "Raised when a unit that kept crashing has lived for `reset_after`.",
            "Its backoff begins anew.",
        ),
        run(
            EventKind::Failed {
                reason: text("20 restarts within 10 min"),
            },
            "Raised when `give_up` is met, or nothing is to restart what failed.",
            "`on_give_up` is run. Nothing is started until a person asks for it (`start`, `reset`).",
        ),
        run(
            EventKind::Stopping {
                reason: text("stopped by hand"),
            },
            "Raised when a run is to end: by a person, a dependency, a changed configuration, or because it \
             is not ready in time, unhealthy or silent.",
            "`exited` follows, after `killed` if it takes too long.",
        ),
        run(
            EventKind::Stopped,
            "Raised when every process of the run is gone and the unit is to stay down.",
            "Nothing follows by itself.",
        ),
        run(
            EventKind::Killed {
                reason: text("not gone after 10 s"),
            },
            "Raised when `stop.within` is over.",
            "Every process of the run is killed; `exited` follows.",
        ),
        unit(
            EventKind::Waiting {
                reason: text("for shop:db"),
            },
            "Raised when it wants to start and cannot yet: a dependency is not up, or nobody has connected.",
            "`started` follows when what it waits for is there.",
        ),
        run(
            EventKind::HeartbeatMissed { missed: 2 },
            "Raised for each interval of `heartbeat.every` without a beat, from the second in a row on (a sender is \
             easily late once), or from the first if `misses` is 1; never while it is stopping.",
            "At `misses` in a row its health is unhealthy; `stopping` follows, and a restart.",
        ),
        run(
            EventKind::Healthy,
            "Raised by a good round of `health`.",
            "Nothing else.",
        ),
        run(
            EventKind::Unhealthy {
                reason: text("GET http://127.0.0.1:8000/: no answer within 2 s"),
            },
            "Raised when `misses` rounds of `health` in a row were bad.",
            "What `on_unhealthy` says: a restart (`stopping`), a command (`hook_done`, `hook_failed`), or \
             nothing.",
        ),
        run(
            EventKind::HookDone {
                hook: HookKind::BeforeStart,
            },
            "Raised when all commands of one hook ended well.",
            "What waited for it goes on.",
        ),
        run(
            EventKind::HookFailed {
                hook: HookKind::BeforeStart,
                reason: text("`./migrate`: exit 1"),
            },
            "Raised when a command of a hook ended badly, was not over in its time, or could not be run.",
            "After `before_start` the start has failed: `exited` follows. What waited for another hook goes \
             on all the same.",
        ),
        run(
            EventKind::UnitReloading,
            "Raised by `abide reload`, and by a program that says RELOADING=1.",
            "`unit_reloaded` or `unit_reload_failed` follows.",
        ),
        run(
            EventKind::UnitReloaded,
            "Raised when the command of `reload` ended well, the program said READY=1, or, where it says \
             nothing, the signal was sent.",
            "Nothing else.",
        ),
        run(
            EventKind::UnitReloadFailed {
                reason: text("it did not say READY=1 within 30 s"),
            },
            "Raised when that failed or was not over in time.",
            "The run goes on as it was.",
        ),
        run(
            EventKind::SelfStopping,
            "Raised by STOPPING=1.",
            "`exited` follows; until then missed checks and beats restart nothing.",
        ),
        run(
            EventKind::MainChanged { pid: 4250 },
            "Raised by MAINPID=, once it is sure that the process belongs to the run.",
            "The run ends when this process ends.",
        ),
        unit(
            EventKind::Connection,
            "Raised for a unit with `start = \"connection\"` that is not running.",
            "`started` follows; the connection waits in the backlog meanwhile.",
        ),
        run(
            EventKind::ProcessStopped {
                signal: text("SIGSTOP"),
            },
            "Raised when the kernel says so.",
            "Nothing by itself; checks and beats will fail. `process_continued` or `exited` follows some day.",
        ),
        run(
            EventKind::ProcessContinued,
            "Raised by SIGCONT.",
            "Nothing else.",
        ),
        unit(
            EventKind::NotifyRefused {
                reason: text("process 4300 is not the main process"),
            },
            "Raised when the sender is not a process that may speak for the unit, or a message is malformed. Each one is \
             counted in `refused` of the status.",
            "Nothing else changes.",
        ),
        run(
            EventKind::OutOfMemory {
                killed: 1,
                limit: Some(536_870_912),
            },
            "Raised when the control group's count of such kills grew, as far as that can be known.",
            "If it was the main process, `exited` follows and names the cause.",
        ),
        unit(
            EventKind::RollingHalted {
                reason: text(
                    "shop:web@1 was not ready within 30 s; everything is back to what it was",
                ),
            },
            "Raised when a unit of a rolling restart or a rolling `up` did not do well.",
            "A new configuration is taken back: `changed`, `stopping` and `started` of what had it \
             already. A plain restart leaves the rest alone.",
        ),
        home(
            EventKind::RemoteSilent {
                service: text("backup"),
                host: Some(text("db2")),
                missed: 3,
            },
            "Raised by `[monitor]` when a service that reported here has not for `misses` intervals.",
            "The hook of `[monitor]` is run, and `status` shows it as unhealthy.",
        ),
        home(
            EventKind::RemoteBack {
                service: text("backup"),
                host: Some(text("db2")),
            },
            "Raised with its next beat.",
            "Nothing else.",
        ),
        run(
            EventKind::Adopted { pid: 4242 },
            "Raised for each run that outlived the daemon.",
            "It goes on as if nothing had been.",
        ),
        unit(
            EventKind::LogLost {
                bytes: 65_536,
                reason: text("no space left on device"),
            },
            "Raised when a disk is full, hangs or is gone, and the unit's pipes are full.",
            "The program goes on. `log_resumed` follows when the disk is back.",
        ),
        unit(
            EventKind::LogResumed { bytes: 131_072 },
            "Raised when the disk takes it again.",
            "Nothing else.",
        ),
        unit(
            EventKind::LimitUnsupported {
                limit: text("memory"),
                reason: text("no control group can be made here"),
            },
            "Raised at the start of a run, once for each limit.",
            "The unit runs without it; `limits_unsupported` in the status says the same.",
        ),
        home(
            EventKind::DaemonStarted {
                version: text("0.1.0"),
                pid: 4100,
            },
            "Raised when it begins where none died: in a new home, or after `abide down`.",
            "Units that are enabled, and were not stopped by hand, start.",
        ),
        home(
            EventKind::DaemonRecovered {
                pid: 4180,
                adopted: 3,
                died: abide_model::Died::Daemon,
                died_at: Some(text("2026-01-31T14:05:01.021Z")),
                died_by: Some(ExitStatus::Signal {
                    signal: Signal::KILL,
                    core: false,
                }),
                last_seen_at: None,
                deaths: 1,
                ended: 0,
                ended_unknown: 0,
                output_may_be_lost: 0,
            },
            "Raised by its successor, first of all. `died` says what died: `daemon` (the keeper brought it back, \
             and says when and how it ended: `died_at`, `died_by`), `keeper` (its daemon started a new one), \
             `both` (somebody started abide again) or `machine`; of the last three nobody saw the moment, and \
             `last_seen_at` is when the daemon last wrote something down.",
            "`adopted` for each run that lives, `exited` for each that ended meanwhile.",
        ),
        home(
            EventKind::DaemonStopping,
            "Raised by `abide down`, or a signal to the daemon.",
            "`stopping` and `stopped` of every unit.",
        ),
        home(
            EventKind::Upgraded {
                from: text("0.1.0 (1a2b3c4)"),
                to: text("0.2.0 (5d6e7f8)"),
                executable: text("/usr/local/bin/abide"),
                kept: 200,
                took_ms: 80,
            },
            "Raised by the new daemon when it serves, after `abide upgrade`.",
            "`adopted` for each run, all of which went on; `keeper_renewed` if the keeper changes, too.",
        ),
        home(
            EventKind::UpgradeFailed {
                from: text("0.1.0 (1a2b3c4)"),
                to: text("0.2.0 (5d6e7f8)"),
                executable: text("/usr/local/bin/abide"),
                reason: text("the new daemon ended with code 3 before it was ready"),
            },
            "Raised when the keeper had started the new executable and it did not come up. A file that is refused \
             beforehand is told to whoever asked, and is no event.",
            "Nothing: the daemon goes on, or the one before is back, and every run with it.",
        ),
        home(
            EventKind::KeeperRenewed { version: 2 },
            "Raised when the keeper, too, has executed the new file: the same process, with the same children.",
            "Nothing.",
        ),
        home(
            EventKind::Reloaded {
                file: text("/etc/abide/shop.toml"),
            },
            "Raised by SIGHUP and `POST /v1/reload`, once for each file.",
            "`added`, `changed` and `removed` of the units concerned.",
        ),
        home(
            EventKind::ReloadFailed {
                file: text("/etc/abide/shop.toml"),
                reason: text("3 mistakes; `abide check` shows them"),
            },
            "Raised by the same.",
            "Nothing changes.",
        ),
        unit(
            EventKind::Warning {
                text: text("its clock is 90 s behind"),
            },
            "Raised for what has no kind of its own: a clock that drifts, a monitor that does not answer, an \
             address that is taken, events that could not be written. `text` says what.",
            "Nothing else.",
        ),
        home(
            EventKind::SystemLogAway {
                to: text("tcp://logs.example:514"),
                reason: text("Connection refused (os error 111)"),
            },
            "Raised when a system log has not been there for some seconds while something was to be sent.",
            "It is tried again, at most 10 s apart; `system_log_back` when it is there.",
        ),
        home(
            EventKind::SystemLogBack {
                to: text("tcp://logs.example:514"),
            },
            "Raised when something could be sent again after `system_log_away`.",
            "What waited is sent.",
        ),
        unit(
            EventKind::SystemLogLost {
                to: text("tcp://logs.example:514"),
                bytes: 104_857_600,
                messages: 0,
                reason: text("segments were deleted before they were sent"),
            },
            "Raised when retention has deleted what had not been sent yet, or a receiver says that something did not arrive; at \
             most once a minute for each system log.",
            "Sending goes on with what is there.",
        ),
        run(
            EventKind::StopReport {
                report: StopReport {
                    run_id: 3,
                    why: text("stopped by hand"),
                    ended_by: Some(text("SIGTERM")),
                    took_ms: Some(5230),
                    within_ms: 10_000,
                    exited_after_ms: Some(5210),
                    steps: vec![
                        StopStepReport {
                            step: text("SIGINT"),
                            ..StopStepReport::default()
                        },
                        StopStepReport {
                            step: text("SIGTERM"),
                            after_ms: 5000,
                            ..StopStepReport::default()
                        },
                    ],
                },
            },
            "Raised when nothing is left of a run that abide ended, for whatever reason: which step of its stop ended it, \
             which ones did not or reached nobody, and how long it took. The same as `last_stop` in `status`.",
            "What `stopping` was about: `stopped`, or a restart.",
        ),
        home(
            EventKind::SessionChanged {
                change: SessionEvent::Logon,
                session: 2,
            },
            "Raised when the Service Control Manager of Windows tells it to an abide that is its service; `at` is when it was \
             told. It is of the unit, where abide hosts a single one. One that comes while no daemon is there waits for the \
             next, the last 64 of them.",
            "Nothing by itself.",
        ),
        home(
            EventKind::PowerChanged {
                change: PowerEvent::Suspend,
            },
            "Raised likewise. What is told right before the machine sleeps may be written only when it has woken up.",
            "After `suspend`, `resume`; and `resume_by_person`, if somebody is there.",
        ),
        home(
            EventKind::Unknown,
            "Shown for events on the disk of a home that a newer version served before.",
            "Its fields are in the file.",
        ),
    ]
}
