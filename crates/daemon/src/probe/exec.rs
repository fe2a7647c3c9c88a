//! A command whose exit code says whether a program is ready.

use std::process::Stdio;

use super::readiness::Question;

/// Whether the command ends with 0. It runs as the unit does: its variables, directory and user.
/// When a try is given up, the command is killed with its whole process group.
pub(super) async fn succeeds(argv: &[String], question: &Question) -> bool {
    let Some((program, arguments)) = argv.split_first() else {
        return false;
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(question.environment.iter().map(|(k, v)| (k, v)))
        .current_dir(&question.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if let Some((user, group)) = question.identity {
        command.uid(user).gid(group);
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let group = child.id().map(Group);
    let status = child.wait().await;
    // Reaped: its number may be somebody else's from here on.
    std::mem::forget(group);
    status.is_ok_and(|status| status.success())
}

/// Ends a process group when the try that made it is given up.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // An empty group is what is hoped for.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
