//! Two processes. The one in front has the terminal and does nothing but wait; the other works, in a process
//! group of its own, so that Ctrl-C ends only the first. The worker sees that by the end of its input, and
//! ends everything that it has started before it goes: by pid, and nothing else.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::{processes, tool};

/// Says to the worker that it is one.
const WORKER: &str = "ABIDE_BENCH_WORKER";

/// Whether this is the worker. If not, it has been run, and this is how it ended.
///
/// # Errors
/// It cannot be run.
pub fn is_worker() -> Result<Option<Result<(), String>>, String> {
    if std::env::var_os(WORKER).is_some() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| format!("cannot run the benchmark: {error}");
    let mut worker = Command::new(std::env::current_exe().map_err(failed)?)
        .args(std::env::args_os().skip(1))
        .env(WORKER, "1")
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // Its input stays open while it works.
    let input = worker.stdin.take();
    let status = worker.wait().map_err(failed)?;
    drop(input);
    Ok(Some(if status.success() {
        Ok(())
    } else {
        Err("the benchmark did not end well".to_owned())
    }))
}

/// Ends everything, and this process, when the one in front is gone.
pub fn end_with_front(scratch: [std::path::PathBuf; 2]) {
    std::thread::spawn(move || {
        let mut byte = [0];
        // Nothing is ever sent: an end or an error is the end.
        let _ = std::io::stdin().read(&mut byte);
        eprintln!("\ninterrupted: ending what was started");
        tool::no_more();
        if let Err(why) = processes::end_all() {
            eprintln!("{why}");
        }
        // What the kernel still holds open is gone with the next start of the machine.
        for folder in scratch {
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(130);
    });
}
