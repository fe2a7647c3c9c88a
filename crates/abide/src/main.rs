//! The binary: the CLI, the daemon in the foreground, and the keeper.
//!
//! ```text
//!  argv ──► keeper or daemon? ──yes──► entered at once: no argument parsing, no runtime
//!               │ no
//!               ▼
//!            args ──► command::* ──► client ──HTTP over the home's socket──► daemon
//!                         │
//!                         └──► render (pure) ──► term ──► stdout
//! ```
//!
//! Architecture invariant: the commands learn everything from the control API, so whatever the CLI can do,
//! a program can do. The exceptions need no daemon: `check` parses files, and `logs` reads the
//! home's segments when nobody serves them.

mod args;
mod client;
mod command;
mod daemon;
mod failure;
mod home;
mod installed;
mod managed;
#[cfg(unix)]
mod readable;
mod render;
mod term;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if let Some(code) = daemon::enter() {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, on standard output and with code 0.
            let code = if error.use_stderr() {
                failure::Code::Usage
            } else {
                failure::Code::Done
            };
            // A closed standard output is nothing to complain about.
            let _ = error.print();
            return ExitCode::from(code as u8);
        }
    };
    let color = cli.common.color;
    let mut out = term::Output::new(color);
    let code = match command::dispatch(cli, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    }) {
        Ok(code) => code,
        Err(failure) => {
            // What was said so far comes before the error; a reader that went away hears neither.
            let _ = out.flush();
            let _ = std::io::stderr().write_all(failure.render(out.error_palette).as_bytes());
            failure.code
        }
    };
    // Not by returning: unwritten output of a reader that went away must not be tried again.
    ExitCode::from(code as u8)
}
