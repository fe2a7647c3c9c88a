//! Commands of the peers: started, waited for within a time, never for ever.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A command that is quiet: no standard input, no output.
#[must_use]
pub fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// How a command is named in a message.
/// By its name, since what is said lands in a page, and not where it lies on this machine.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut text = name.to_string_lossy().into_owned();
    for arg in command.get_args().take(6) {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// Held while something is started. Whoever keeps it ends all starting.
static STARTING: Mutex<()> = Mutex::new(());

/// From now on nothing is started: who tries waits for ever.
pub fn no_more() {
    std::mem::forget(STARTING.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Starts it.
///
/// # Errors
/// It cannot be started.
pub fn start(command: &mut Command) -> Result<Child, String> {
    let _held = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    command
        .spawn()
        .map_err(|error| format!("cannot run `{}`: {error}", shown(command)))
}

/// Runs it to its end; whether it ended with 0.
///
/// # Errors
/// It cannot be started, or has not ended within this time: it is killed then.
pub fn within(command: &mut Command, time: Duration) -> Result<bool, String> {
    let mut child = start(command)?;
    if !ended(&child, time)? {
        // It may have ended just now.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!(
            "`{}` has not ended within {} s",
            shown(command),
            time.as_secs()
        ));
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for `{}`: {error}", shown(command)))?;
    Ok(status.success())
}

/// Waits for the end of a child, by event.
fn ended(child: &Child, time: Duration) -> Result<bool, String> {
    let failed = |error: rustix::io::Errno| format!("cannot watch process {}: {error}", child.id());
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(false) };
    let watch = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    let time = Timespec::try_from(time).map_err(|error| error.to_string())?;
    let mut fds = [PollFd::new(&watch, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&time)).map_err(failed)? > 0)
}

/// Runs it to its end, for set-up: says what it does, and shows its errors.
///
/// # Errors
/// It fails.
pub fn set_up(command: &mut Command) -> Result<(), String> {
    let text = shown(command);
    println!("$ {text}");
    // Said before, so that a long silence has a name.
    let _ = std::io::stdout().flush();
    let status = start(command.stdin(Stdio::null()).stdout(Stdio::null()))?
        .wait()
        .map_err(|error| format!("cannot wait for `{text}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{text}` ended with {status}"))
    }
}

/// What it prints.
///
/// # Errors
/// It cannot be run, or fails.
pub fn output(command: &mut Command) -> Result<String, String> {
    let text = shown(command);
    let output = start(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?
    .wait_with_output()
    .map_err(|error| format!("cannot wait for `{text}`: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`{text}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
