use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::StopReason;
use crate::starter::{Starter, starter};

/// How long systemd may take to answer: a stop waits for it, and has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(2);

/// systemd alone lets it know, by its list of jobs. What it does not answer is a request like any other.
pub(super) fn asked_by_manager(name: &str) -> StopReason {
    if starter() != Starter::Systemd {
        return StopReason::Requested;
    }
    let (unit, user) = own_unit().unwrap_or_else(|| (format!("{name}.service"), false));
    jobs(user).map_or(StopReason::Requested, |jobs| judge(&jobs, &unit))
}

/// The unit that this process is in, and whether it is one of a user's manager: the last but one or
/// last `.service` of its control group's path.
fn own_unit() -> Option<(String, bool)> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    unit_of(&groups)
}

fn unit_of(groups: &str) -> Option<(String, bool)> {
    let path = groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find(|path| path.contains(".service"))?;
    let unit = path.rsplit('/').find(|part| part.ends_with(".service"))?;
    let user = path.contains("/user@") && !unit.starts_with("user@");
    Some((unit.to_owned(), user))
}

/// `systemctl list-jobs`, within [`PATIENCE`]. Asked again when it was killed: a stop asks every process of the
/// control group to end, also one that began a moment after.
fn jobs(user: bool) -> Option<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match ask(user, left)? {
            (status, _) if status.signal().is_some() && !left.is_zero() => {}
            (_, answer) => return answer,
        }
    }
}

/// One question: how its process ended, and what it said in time.
fn ask(user: bool, within: Duration) -> Option<(ExitStatus, Option<String>)> {
    let mut command = Command::new(systemctl()?);
    command.args(["list-jobs", "--no-legend", "--no-pager", "--plain"]);
    if user {
        command.arg("--user");
    }
    let mut child = command
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::Builder::new().spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        // Nobody listens any more if it took too long.
        let _late = sender.send(read.map(|_| text));
    });
    let answer = match reader {
        Ok(_) => receiver.recv_timeout(within).ok(),
        Err(_) => None,
    };
    if answer.is_none() {
        // It may have ended meanwhile; it is reaped below either way.
        let _gone = child.kill();
    }
    let status = child.wait().ok()?;
    Some((status, answer.and_then(Result::ok)))
}

fn systemctl() -> Option<&'static Path> {
    ["/usr/bin/systemctl", "/bin/systemctl"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists())
}

/// Lines are `ID UNIT TYPE STATE`.
fn judge(jobs: &str, unit: &str) -> StopReason {
    let mut reason = StopReason::Requested;
    for line in jobs.lines() {
        let mut words = line.split_whitespace().skip(1);
        match (words.next(), words.next()) {
            (Some("shutdown.target" | "exit.target"), Some("start")) => {
                return StopReason::Shutdown;
            }
            (Some(of), Some("restart")) if of == unit => reason = StopReason::Restart,
            _ => {}
        }
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_jobs_tells_a_restart_from_a_shutdown_and_from_a_stop() {
        let restart = "1234 shop.service  restart running\n1235 other.service stop waiting\n";
        assert_eq!(judge(restart, "shop.service"), StopReason::Restart);
        assert_eq!(judge(restart, "other.service"), StopReason::Requested);
        let down = "77 shop.service stop running\n70 shutdown.target start waiting\n";
        assert_eq!(judge(down, "shop.service"), StopReason::Shutdown);
        assert_eq!(judge("", "shop.service"), StopReason::Requested);
    }

    #[test]
    fn the_control_group_names_the_unit_and_whose_manager_it_is() {
        assert_eq!(
            unit_of("0::/system.slice/shop.service\n"),
            Some(("shop.service".into(), false))
        );
        assert_eq!(
            unit_of("0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n"),
            Some(("shop.service".into(), true))
        );
        assert_eq!(
            unit_of("1:name=systemd:/system.slice/shop.service/inner\n0::/\n"),
            Some(("shop.service".into(), false))
        );
        assert_eq!(unit_of("0::/init.scope\n"), None);
    }
}
