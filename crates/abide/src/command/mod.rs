//! One file for each command: ask the daemon, render the answer, choose the exit code.

mod attach;
mod change;
mod check;
mod deaths;
mod doctor;
mod down;
mod events;
mod files;
mod follow;
mod host;
mod hosted;
mod install;
mod launch;
mod logs;
mod manual;
mod plan;
mod processes;
mod program;
mod run;
mod service;
mod show;
mod status;
mod uninstall;
mod up;
mod upgrade;
mod wait;
mod why;

use std::future::Future;
use std::io::Write;
use std::path::Path;

use abide_model::api::Verb;
use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Cli, Command, LogsArgs, ManagedArgs, START_HERE, StatusArgs};
use crate::client::Client;
use crate::failure::{Code, Failure};
use crate::home::{Home, Surroundings};
use crate::managed::Manager;
use crate::term::{Output, Signals};

type Answer = Result<Code, Failure>;

/// What a command works with.
struct Context<'a> {
    out: &'a mut Output,
    client: Client,
}

/// Does it until Ctrl-C; `None`: that came. What is between two waits of it is done.
async fn until_left<T>(work: impl Future<Output = T>) -> Result<Option<T>, Failure> {
    let mut signals = Signals::listen()?;
    Ok(tokio::select! {
        done = work => Some(done),
        () = signals.leave() => None,
    })
}

/// How a command ends that was left by Ctrl-C: what it has to show by then is shown.
fn left(context: &mut Context<'_>) -> Result<Failure, Failure> {
    context.out.flush()?;
    Ok(Failure::silent(Code::Interrupted))
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
    match &command {
        Command::Check(args) => return check::run(args, out),
        Command::Completions(args) => return completions(args.shell, out),
        Command::Manual(args) => return manual::run(&args.folder),
        Command::Host(args) => {
            let named = cli.common.home.is_some() || std::env::var_os("ABIDE_HOME").is_some();
            let home = if named {
                Some(Home::resolve(&Surroundings::of_this_process(
                    cli.common.home,
                )?)?)
            } else {
                None
            };
            let directory = home.as_ref().map(|home| home.directory.clone());
            return keeping(&args.managed, directory.as_deref(), |manager| {
                host::run(home, args, manager)
            });
        }
        _ => {}
    }
    let home = Home::resolve(&Surroundings::of_this_process(cli.common.home)?)?;
    if let Command::Daemon(args) = &command {
        return keeping(&args.managed, Some(&home.directory), |manager| {
            launch::foreground(&home, args, manager)
        });
    }
    let mut context = Context {
        out,
        client: Client::new(home),
    };
    block_on(ask(&mut context, command))
}

/// The commands that become the keeper, which return only when they cannot: then whoever started this is told.
fn keeping(
    args: &ManagedArgs,
    home: Option<&Path>,
    keep: impl FnOnce(&Manager) -> Answer,
) -> Answer {
    let manager = Manager::meet(args)?;
    let answer = keep(&manager);
    if let Err(failure) = &answer {
        manager.failed(failure, home);
    }
    answer
}

/// The commands that speak to the daemon.
async fn ask(context: &mut Context<'_>, command: Command) -> Answer {
    match command {
        Command::Up(args) => up::run(context, &args).await,
        Command::Down(args) => down::run(context, &args).await,
        Command::Run(args) => run::run(context, &args).await,
        Command::Status(args) => status::run(context, &args).await,
        Command::Top(args) => {
            status::run(
                context,
                &StatusArgs {
                    watch: true,
                    ..args
                },
            )
            .await
        }
        Command::Start(args) => change::run(context, Verb::Start, &args).await,
        Command::Stop(args) => change::run(context, Verb::Stop, &args).await,
        Command::Restart(args) => {
            let rolling = args.rolling.request();
            change::restart(context, &args.change, rolling).await
        }
        Command::Reload(args) => change::run(context, Verb::Reload, &args).await,
        Command::Reset(args) => change::run(context, Verb::Reset, &args).await,
        Command::Remove(args) => change::run(context, Verb::Remove, &args).await,
        Command::Enable(args) => change::run(context, Verb::Enable, &args).await,
        Command::Disable(args) => change::run(context, Verb::Disable, &args).await,
        Command::Signal(mut args) => {
            hosted::turn_to_one(context, &mut args.patterns).await;
            change::signal(context, &args).await
        }
        Command::Control(args) => service::control(context, &args).await,
        Command::Scale(args) => change::scale(context, &args).await,
        Command::Wait(args) => wait::run(context, &args).await,
        Command::Show(mut args) => {
            hosted::turn_to(context, &mut args.unit).await;
            show::run(context, &args).await
        }
        Command::Why(mut args) => {
            hosted::turn_to(context, &mut args.unit).await;
            why::run(context, &args).await
        }
        Command::Logs(mut args) => {
            hosted::turn_to_one(context, &mut args.patterns).await;
            logs::run(context, &args).await
        }
        Command::Tail(mut args) => {
            hosted::turn_to_one(context, &mut args.patterns).await;
            logs::run(
                context,
                &LogsArgs {
                    follow: true,
                    ..args
                },
            )
            .await
        }
        Command::Events(mut args) => {
            hosted::turn_to_one(context, &mut args.patterns).await;
            events::run(context, &args).await
        }
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Upgrade(args) => upgrade::run(context, &args).await,
        Command::Install(args) => install::run(context, &args).await,
        Command::Uninstall(args) => uninstall::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args).await,
        Command::Check(_)
        | Command::Completions(_)
        | Command::Manual(_)
        | Command::Daemon(_)
        | Command::Host(_) => Err(Failure::new("this command needs no daemon".to_owned())),
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
