//! `cargo xtask wine-run PROGRAM …`: what cargo starts each program for Windows through.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

use super::prefix::Prefix;

/// No test program takes as long, unless it is known to and [`MINUTES`] says so.
const AT_MOST: Duration = Duration::from_secs(600);

/// How many minutes a program may take.
pub const MINUTES: &str = "ABIDE_WINE_MINUTES";

fn at_most() -> Duration {
    let minutes = std::env::var(MINUTES).ok();
    let minutes = minutes.and_then(|text| text.parse::<u64>().ok());
    minutes.map_or(AT_MOST, |minutes| Duration::from_secs(minutes * 60))
}

/// What `timeout` of the coreutils says.
const TIMED_OUT: i32 = 124;

/// Test programs whose tests are run one after the other: by its own threads each writes to pipes that others of them
/// read. Wine 8 fails such a write now and then ("invalid handle"), the more often the more of them there are.
const ONE_BY_ONE: [&str; 1] = ["api-"];

/// What `wine-run` is told.
#[derive(Args)]
pub struct Run {
    program: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs a program in a prefix of its own, and ends with its exit code. Nothing of it is left behind: no
/// process, no folder.
///
/// # Errors
/// It could not be run, or did not end in time.
pub fn run(options: &Run) -> Result<(), String> {
    // Processes of Wine detach themselves: so they become children of this one, which can wait for them.
    set_child_subreaper(Pid::from_raw(1)).map_err(|error| error.to_string())?;
    let prefix = Prefix::new()?;
    let mut command = prefix.wine(&options.program);
    command.args(&options.arguments);
    let name = options.program.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    if ONE_BY_ONE.iter().any(|begin| name.starts_with(begin)) {
        command.env("RUST_TEST_THREADS", "1");
    }
    let at_most = at_most();
    let ended = bounded(&mut command, at_most);
    drop(prefix);
    let left = reap();
    let code = match ended? {
        Some(status) => status.code().unwrap_or(1),
        None => {
            eprintln!(
                "xtask: {} did not end in {} s",
                options.program.display(),
                at_most.as_secs()
            );
            TIMED_OUT
        }
    };
    if left > 0 {
        return Err(format!(
            "{left} processes outlived Wine's server and were killed"
        ));
    }
    match code {
        0 => Ok(()),
        code => std::process::exit(code),
    }
}

/// Runs a command for at most this time; then it is killed. `None`: it was.
pub fn bounded(command: &mut Command, at_most: Duration) -> Result<Option<ExitStatus>, String> {
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    let pid = Pid::from_child(&child);
    let (ended, seen) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || ended.send(child.wait()));
        match seen.recv_timeout(at_most) {
            Ok(status) => status.map(Some).map_err(|error| error.to_string()),
            Err(_) => {
                // It is not waited for yet, so the number is still its own.
                let _ = kill_process(pid, Signal::KILL);
                Ok(None)
            }
        }
    })
}

/// Waits for what has become ours; kills what is still there after a while. Returns how many that were.
fn reap() -> usize {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match wait(WaitOptions::NOHANG) {
            // None is left.
            Err(_) => return 0,
            Ok(Some(_)) => {}
            Ok(None) if Instant::now() < deadline => pause(),
            Ok(None) => return kill_children(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the end of any child has no other event than SIGCHLD, for a moment at the very end"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Processes whose parent this is, by `/proc`.
fn kill_children() -> usize {
    let me = std::process::id().to_string();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // "pid (name) state ppid …", where a name may hold anything.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        let pid = entry.file_name().to_string_lossy().parse().ok();
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && parent == Some(me.as_str())
        {
            killed += 1;
            let _ = kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
        }
    }
    killed
}
