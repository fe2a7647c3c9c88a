//! A program whose output, and whose being there once, can be checked. `numbered NAME DIR MODE [EVERY_US]`
//!
//! It takes the lock `DIR/NAME.lock` (who finds it taken adds a line to `DIR/doubled`), adds its pid to
//! `DIR/NAME.runs` and thereby learns which run it is, and writes lines `NAME RUN NUMBER xxx.` that can
//! be told whole from torn. How many of them it has written stands at 8 × RUN in `DIR/NAME.written`.
//!
//! - `steady`: a line each EVERY_US.
//! - `stubborn`: the same, and SIGTERM is ignored.
//! - `forker`: the same, with a child that holds the lock too and ignores SIGTERM.
//! - `burst`: forty lines at once, each EVERY_US.
//! - `leaver EVERY_US CODE`: `steady` until the file `DIR/leave` is there, then a last line, and CODE; `kill`
//!   instead of a number: by a signal.
//! - `crash`: ends in one of several ways after some lines.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, dir, mode, rest @ ..] = args.as_slice() else {
        return Err(format!("unknown words {args:?}").into());
    };
    let dir = Path::new(dir);
    if mode == "stubborn" || mode == "child" {
        ignore_term();
    }
    if mode == "child" {
        pass(Duration::from_secs(86_400));
        return Ok(());
    }
    let every = Duration::from_micros(rest.first().map_or(Ok(0), |word| word.parse())?);
    let options = {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        options
    };
    let lock = options.open(dir.join(format!("{name}.lock")))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut doubled = OpenOptions::new()
            .append(true)
            .create(true)
            .open(dir.join("doubled"))?;
        writeln!(doubled, "{name} {}", std::process::id())?;
        pass(Duration::from_secs(86_400));
    }
    let mut runs = options.open(dir.join(format!("{name}.runs")))?;
    let mut known = String::new();
    runs.read_to_string(&mut known)?;
    let run = known.lines().count() as u64 + 1;
    runs.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    let written = options.open(dir.join(format!("{name}.written")))?;
    if mode == "forker" {
        fcntl_setfd(&lock, FdFlags::empty())?;
        Command::new(std::env::current_exe()?)
            .args([name.as_str(), "-", "child"])
            .stdin(Stdio::null())
            .spawn()?;
    }
    let mut out = Numbered {
        name,
        run,
        number: 0,
        written,
    };
    let pid = u64::from(std::process::id());
    if mode == "crash" {
        for _ in 0..3 + pid % 20 {
            out.line()?;
            pass(every);
        }
        match pid % 3 {
            0 => std::process::exit(i32::try_from(1 + pid % 100)?),
            1 => std::process::abort(),
            _ => {
                rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::KILL,
                )?;
            }
        }
    }
    let leaves = (mode == "leaver").then(|| dir.join("leave"));
    loop {
        if leaves.as_ref().is_some_and(|file| file.exists()) {
            out.line()?;
            let Some(code) = rest.get(1).and_then(|word| word.parse().ok()) else {
                std::process::abort();
            };
            std::process::exit(code);
        }
        for _ in 0..if mode == "burst" { 40 } else { 1 } {
            out.line()?;
        }
        pass(every);
    }
}

struct Numbered<'a> {
    name: &'a str,
    run: u64,
    number: u64,
    written: File,
}

impl Numbered<'_> {
    /// One write for a line, and then the word that it was written.
    fn line(&mut self) -> Outcome {
        self.number += 1;
        let (run, number) = (self.run, self.number);
        let fill = usize::try_from(number * 37 % 150)?;
        let line = format!("{} {run} {number} {:x<fill$}.\n", self.name, "");
        let wrote = rustix::io::write(std::io::stdout(), line.as_bytes())?;
        if wrote != line.len() {
            return Err("a line was not taken whole".into());
        }
        self.written.write_all_at(&number.to_ne_bytes(), run * 8)?;
        Ok(())
    }
}

/// Without a handler of its own: this program is to live until it is killed. A child of a
/// shell that ignores a signal ignores it too.
fn ignore_term() {
    let again = std::env::var_os("NUMBERED_IGNORES").is_some();
    if again {
        return;
    }
    use std::os::unix::process::CommandExt;
    let Ok(own) = std::env::current_exe() else {
        std::process::exit(2)
    };
    let error = Command::new("/bin/sh")
        .args(["-c", "trap '' TERM; exec \"$@\"", "sh"])
        .arg(own)
        .args(std::env::args().skip(1))
        .env("NUMBERED_IGNORES", "1")
        .exec();
    eprintln!("cannot ignore SIGTERM: {error}");
    std::process::exit(2);
}

#[expect(clippy::disallowed_methods, reason = "the pace is the program")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}
