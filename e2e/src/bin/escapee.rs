//! A program that does what it can to outlive its guard. `escapee idle|hop stay|leave TRACE`
//!
//! It ignores SIGTERM, forks twice with `setsid`, changes to `/`, closes every descriptor and
//! executes itself with an empty environment. `idle` then waits; `hop` forks and exits every 0.3 ms,
//! so that no pid is there long enough to be looked at, and adds a byte to TRACE with each hop.
//! The main process stays (`stay`), or exits at once (`leave`). All of it ends by itself after
//! ten minutes, should the guard fail.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

const LIFE: Duration = Duration::from_secs(600);

/// `true` in the child.
fn fork() -> bool {
    // SAFETY: this program has one thread, so the child may do whatever the parent may.
    unsafe { libc::fork() == 0 }
}

fn exit() -> ! {
    // SAFETY: `_exit` runs no handlers and returns never.
    unsafe { libc::_exit(0) }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["free", "idle", _] => idle(),
        ["free", "hop", trace] => hop(trace),
        [how, "stay", trace] => {
            ignore_term();
            if fork() {
                escape(how, trace);
            }
            idle();
        }
        [how, "leave", trace] => {
            ignore_term();
            if fork() {
                escape(how, trace);
            }
        }
        words => {
            eprintln!("unknown words {words:?}");
            std::process::exit(2);
        }
    }
}

fn ignore_term() {
    // SAFETY: SIG_IGN is a valid disposition for SIGTERM.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

fn escape(how: &str, trace: &str) -> ! {
    let _ = rustix::process::setsid();
    if !fork() {
        exit();
    }
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    let Ok(own) = std::env::current_exe() else {
        exit()
    };
    for descriptor in 0..1024 {
        // SAFETY: nothing of this process uses a descriptor after this; std reopens 0 to 2 after exec.
        unsafe { libc::close(descriptor) };
    }
    let _ = Command::new(own)
        .args(["free", how, trace])
        .env_clear()
        .exec();
    exit();
}

fn idle() -> ! {
    let begun = Instant::now();
    while begun.elapsed() < LIFE {
        std::thread::park_timeout(LIFE);
    }
    exit();
}

fn hop(trace: &str) -> ! {
    let begun = Instant::now();
    while begun.elapsed() < LIFE {
        if !fork() {
            exit();
        }
        let _ = rustix::process::setsid();
        let file = OpenOptions::new().create(true).append(true).open(trace);
        let _ = file.and_then(|mut file| file.write_all(b"."));
        // SAFETY: usleep takes any value below a million.
        unsafe { libc::usleep(200) };
    }
    exit();
}
