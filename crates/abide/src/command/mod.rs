//! One file for each command: ask the daemon, render the answer, choose the exit code.

//mod change;
//mod check;
//mod down;
//mod events;
//mod follow;
//mod logs;
//mod plan;
//mod show;
mod status;
//mod up;
//mod wait;
//mod why;

use std::future::Future;
use std::io::Write;

use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Cli, Command, START_HERE};
use crate::client::Client;
use crate::failure::{Code, Failure};
use crate::home::{Home, Surroundings};
use crate::term::Output;

type Answer = Result<Code, Failure>;

/// What a command works with.
struct Context<'a> {
    out: &'a mut Output,
    client: Client,
}

/// Carries a command out.
///
/// # Errors
/// Why it ends without success.
pub fn dispatch(cli: Cli, out: &mut Output) -> Answer {
    let Some(command) = cli.command else {
        out.write_all(START_HERE.as_bytes())?;
        return Ok(Code::Done);
    };
    match command {
        Command::Completions(args) => return completions(args.shell, out),
        _ => {}
    }
    let home = Home::resolve(&Surroundings::of_this_process(cli.common.home)?)?;
    let mut context = Context {
        out,
        client: Client::new(home),
    };
    let context = &mut context;
    match command {
        Command::Check(_) | Command::Completions(_) => Ok(Code::Done), // done above
        Command::Status(args) => block_on(status::run(context, &args)),
        Command::Top(args) => block_on(status::watch(context, &args.patterns)),
        _ => Err(Failure::new("this command is not built yet".into())),
    }
}

/// Runs one command's requests. One thread: there is nothing to do at once.
fn block_on(work: impl Future<Output = Answer>) -> Answer {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|e| Failure::new(format!("cannot begin: {e}")))?
        .block_on(work)
}

fn completions(shell: clap_complete::Shell, out: &mut Output) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "abide", &mut script);
    out.write_all(&script)?;
    Ok(Code::Done)
}

/// One JSON document, for people's eyes too.
fn write_json(out: &mut Output, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
