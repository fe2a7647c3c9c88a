//! What `systemctl show` says, as a [`Status`].

use std::collections::HashMap;

use crate::manager::{Exit, State, Status};

/// The properties that are asked for.
pub(super) const PROPERTIES: &str = "LoadState,ActiveState,SubState,UnitFileState,MainPID,ExecMainCode,\
                                     ExecMainStatus,Result,StatusText,NRestarts";

/// Reads `KEY=VALUE` lines.
pub(super) fn status(text: &str) -> Status {
    let properties: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let get = |key: &str| properties.get(key).copied().unwrap_or_default();
    if matches!(get("LoadState"), "not-found" | "") {
        return Status::not_installed();
    }
    let result = get("Result");
    let (state, waits) = match (get("ActiveState"), get("SubState")) {
        ("active" | "reloading", _) => (State::Running, false),
        // It ended and will be started again; that it does not run is what matters.
        ("activating", "auto-restart") => (State::Starting, true),
        ("activating", _) => (State::Starting, false),
        ("deactivating", _) => (State::Stopping, false),
        ("failed", _) => (State::Failed, false),
        _ => (State::Stopped, false),
    };
    let number = |key: &str| get(key).parse::<i32>().ok();
    // wait(2): CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0: it has not run.
    let exit = match (number("ExecMainCode"), number("ExecMainStatus")) {
        (Some(1), Some(code)) => Some(Exit::Code(code)),
        (Some(2 | 3), Some(signal)) => Some(Exit::Signal(signal)),
        _ => None,
    };
    let mut detail = Vec::new();
    if !get("StatusText").is_empty() {
        detail.push(get("StatusText").to_owned());
    }
    if waits {
        detail.push("it ended, and is about to be started again".to_owned());
    }
    if !matches!(result, "" | "success") {
        detail.push(words(result).to_owned());
    }
    if let Some(restarts @ 1..) = number("NRestarts") {
        detail.push(format!("started again {restarts} times"));
    }
    Status {
        state,
        pid: get("MainPID").parse().ok().filter(|pid| *pid != 0),
        exit: exit.filter(|_| state != State::Running),
        enabled: matches!(get("UnitFileState"), "enabled" | "enabled-runtime"),
        detail: (!detail.is_empty()).then(|| detail.join("; ")),
    }
}

/// `Result=` in words (systemd.service(5), `$SERVICE_RESULT` of systemd.exec(5)).
fn words(result: &str) -> &str {
    match result {
        "exit-code" => "it ended with an error",
        "signal" => "it was killed by a signal",
        "core-dump" => "it crashed",
        "timeout" => "it was not ready, or did not end, in time",
        "watchdog" => "it did not report in in time",
        "start-limit-hit" => "it was started too often in too short a time",
        "resources" => "what it needs could not be had",
        "protocol" => "it ended before it had said that it is ready",
        "oom-kill" => "it was out of memory",
        "exec-condition" => "a condition of its start does not hold",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_read() {
        let running = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
                       MainPID=77\nExecMainCode=0\nExecMainStatus=0\nResult=success\nStatusText=2 units up\n";
        assert_eq!(
            status(running),
            Status {
                state: State::Running,
                pid: Some(77),
                exit: None,
                enabled: true,
                detail: Some("2 units up".into()),
            }
        );
        let failed = "LoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=disabled\n\
                      MainPID=0\nExecMainCode=1\nExecMainStatus=3\nResult=exit-code\nStatusText=\nNRestarts=2\n";
        assert_eq!(
            status(failed),
            Status {
                state: State::Failed,
                pid: None,
                exit: Some(Exit::Code(3)),
                enabled: false,
                detail: Some("it ended with an error; started again 2 times".into()),
            }
        );
        let killed = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\n\
                      ExecMainCode=2\nExecMainStatus=6\nResult=watchdog\n";
        let killed = status(killed);
        assert_eq!(
            (killed.state, killed.exit),
            (State::Starting, Some(Exit::Signal(6)))
        );
        assert_eq!(
            status("LoadState=not-found\nActiveState=inactive\n"),
            Status::not_installed()
        );
    }
}
