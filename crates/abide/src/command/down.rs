//! `abide down`: stop one file's units, or everything and abide itself.

use std::io::Write as _;

use abide_model::api::{DaemonStatus, DownRequest};
use abide_platform::identity::Handle;

use super::change::finish;
use super::follow::{Following, failures, follow};
use super::{Answer, Context, files, processes, write_json};
use crate::args::DownArgs;
use crate::client::Error;
use crate::failure::{Code, Failure};
use crate::term::Signals;

pub(super) async fn run(context: &mut Context<'_>, args: &DownArgs) -> Answer {
    let daemon = match context.client.daemon().await {
        Ok(daemon) => daemon,
        Err(Error::NoDaemon) => {
            let home = context.client.home().directory.display();
            return Err(
                Failure::new(format!("no daemon runs in {home}: nothing to stop"))
                    .code(Code::NoDaemon),
            );
        }
        Err(error) => return Err(context.client.failure(error)),
    };
    let file = files::absolute(args.file.as_slice())?.pop();
    let request = DownRequest { file: file.clone() };
    // Before it is asked to go, so that its number cannot be somebody else's by then.
    let processes = Processes::of(&daemon);
    let operation = context.client.down(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    let how = Following {
        patience: &args.patience,
        after: daemon.last_event,
        quiet: args.json,
        infancy: false,
        vanishes: file.is_none(),
    };
    if file.is_some() || args.patience.no_wait {
        return finish(context, operation, &how, ("stopped", "stopping"), args.json).await;
    }

    let units = operation.steps.len();
    let last = follow(context, operation, &how).await?.operation;
    processes.gone().await?;
    if args.json {
        write_json(context.out, &last)?;
    }
    if let Some(failure) = failures(&context.client, &last) {
        return Err(failure);
    }
    if !args.json {
        let units = crate::render::words::count(units, "unit");
        writeln!(context.out, "{units} stopped; abide is down")?;
    }
    Ok(Code::Done)
}

/// The daemon's and the keeper's processes, held so that their end can be seen.
struct Processes(Vec<Handle>);

impl Processes {
    fn of(daemon: &DaemonStatus) -> Self {
        Self(
            [Some(daemon.pid), daemon.keeper_pid]
                .into_iter()
                .flatten()
                .filter_map(|pid| processes::open(pid, &daemon.home))
                .collect(),
        )
    }

    /// Waits until they have ended.
    async fn gone(self) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        for process in self.0 {
            tokio::select! {
                ended = processes::ended(&process) => ended?,
                () = signals.leave() => {
                    return Err(Failure::new("not waited for: abide goes down in the background".to_owned())
                        .code(Code::Interrupted));
                }
            }
        }
        Ok(())
    }
}
