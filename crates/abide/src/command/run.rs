//! `abide run`: guard one command.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_config::{RunOptions, render_run};
use abide_model::api::{Plan, PlanAction, RunRequest};
use abide_model::{HttpProbe, ProbeKind, Restart, UnitName};

use super::deaths::report_deaths;
use super::follow::{Following, failures, follow};
use super::{Answer, Context, attach, launch, program, write_json};
use crate::args::{ReadyArgs, RestartWhen, RunArgs};
use crate::failure::{Code, Failure};
use crate::render;

/// The first line of the file that a command is remembered by.
const WRITTEN_BY: &str = "Written by `abide run`; `abide remove` takes it away.";

pub(super) async fn run(context: &mut Context<'_>, args: &RunArgs) -> Answer {
    let command = words(&args.command)?;
    let directory = directory(args.dir.as_deref())?;
    let asked = args.name.as_deref().map(parse_name).transpose()?;
    program::find(&command[0], &directory, &environment(&args.env))?;
    check(&options(
        args,
        parse_name("unit")?,
        command.clone(),
        directory.clone(),
    )?)?;
    let launched = launch::ensure(context).await?;
    if launched && !args.json {
        writeln!(
            context.out,
            "abide started in {}",
            context.client.home().directory.display()
        )?;
        context.out.flush()?;
    }
    let daemon = context
        .client
        .daemon()
        .await
        .map_err(|error| context.client.failure(error))?;

    let name = match asked {
        Some(name) => name,
        // Whoever replaces means the unit that the same command made before.
        None if args.replace => parse_name(&base_name(&command[0]))?,
        None => free_name(context, &command[0]).await?,
    };
    let options = options(args, name.clone(), command, directory)?;
    let request = RunRequest {
        name: name.to_string(),
        config: render_run(&options, WRITTEN_BY),
        replace: args.replace,
        environment: std::collections::BTreeMap::new(),
        dry_run: false,
    };
    if args.replace {
        let plan = context.client.plan_run(&request).await;
        let plan = plan.map_err(|error| context.client.failure(error))?;
        show_difference(context, &plan, args.json)?;
    }
    let operation = context.client.run(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    if args.patience.no_wait {
        if args.json {
            write_json(context.out, &operation)?;
        } else {
            writeln!(context.out, "starting {name} (not waited for)")?;
        }
        return Ok(Code::Done);
    }
    let how = Following {
        patience: &args.patience,
        after: daemon.last_event,
        quiet: args.json,
        infancy: !args.attach,
        vanishes: false,
    };
    let outcome = follow(context, operation, &how).await?;
    if args.json {
        write_json(context.out, &outcome.operation)?;
    }
    if let Some(failure) = failures(&context.client, &outcome.operation) {
        return Err(failure);
    }
    if args.attach {
        return attach::run(context, name.as_str()).await;
    }
    report_deaths(context, &outcome.deaths).await?;
    if !args.json {
        let home = context.client.home();
        let (logs, stop) = (
            home.hint(&format!("logs -f {name}")),
            home.hint(&format!("stop {name}")),
        );
        writeln!(
            context.out,
            "{name} is up and guarded: `{logs}` follows it, `{stop}` stops it"
        )?;
    }
    Ok(Code::Done)
}

/// The unit that was asked for.
fn options(
    args: &RunArgs,
    name: UnitName,
    command: Vec<String>,
    directory: PathBuf,
) -> Result<RunOptions, Failure> {
    let mut options = RunOptions::new(name, command, directory);
    options.restart = Some(restart(args.restart));
    options.user.clone_from(&args.user);
    let file = args.password_file.as_ref().map(std::path::absolute);
    options.password_file = file
        .transpose()
        .map_err(|e| Failure::new(format!("cannot tell the working directory: {e}")))?;
    options.environment = environment(&args.env);
    options.ready = ready(&args.ready, &options.directory)?;
    options.heartbeat = args.heartbeat;
    Ok(options)
}

pub(super) fn restart(when: RestartWhen) -> Restart {
    match when {
        RestartWhen::Always => Restart::Always,
        RestartWhen::OnFailure => Restart::OnFailure,
        RestartWhen::Never => Restart::Never,
    }
}

/// Finds mistakes before anything is started. They are told without the place in a file that nobody wrote.
pub(super) fn check(options: &RunOptions) -> Result<(), Failure> {
    let file = std::path::Path::new("/command-line");
    let Err(mistakes) = abide_config::parse(
        &render_run(options, WRITTEN_BY),
        file,
        &super::files::caller()?,
    ) else {
        return Ok(());
    };
    let Some(first) = mistakes.items.first() else {
        return Ok(());
    };
    let mut failure = Failure::usage(first.message.clone());
    failure.help.clone_from(&first.help);
    if failure.help.is_none() && !first.label.is_empty() {
        failure.help = Some(first.label.clone());
    }
    Err(failure)
}

/// The command as text.
pub(super) fn words(command: &[OsString]) -> Result<Vec<String>, Failure> {
    command
        .iter()
        .map(|word| {
            word.clone().into_string().map_err(|word| {
                Failure::usage(format!(
                    "cannot guard a command with {word:?} in it: it is not UTF-8"
                ))
                .help("put it into a script and guard that")
            })
        })
        .collect()
}

fn parse_name(text: &str) -> Result<UnitName, Failure> {
    let name: UnitName = text
        .parse()
        .map_err(|error| Failure::usage(format!("cannot use the name {text:?}: {error}")))?;
    if name.instance().is_some() {
        return Err(Failure::usage(format!(
            "cannot use the name {text:?}: instances are numbered by abide"
        ))
        .help("leave out the part after @; `abide scale` makes instances"));
    }
    Ok(name)
}

/// Where it runs: there, or here.
pub(super) fn directory(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()
        .map_err(|e| Failure::new(format!("cannot tell the working directory: {e}")))?;
    let directory = match named {
        Some(dir) => here.join(dir),
        None => here,
    };
    if directory.to_str().is_none() {
        return Err(Failure::usage(format!(
            "cannot run in {directory:?}: its name is not UTF-8"
        ))
        .help("name another directory with --dir"));
    }
    if !directory.is_dir() {
        return Err(Failure::usage(format!(
            "cannot run in {}: no such directory",
            directory.display()
        )));
    }
    Ok(directory)
}

/// How to find out that it is ready; `directory`: where it runs.
pub(super) fn ready(ready: &ReadyArgs, directory: &Path) -> Result<Option<ProbeKind>, Failure> {
    if let Some(address) = &ready.ready_tcp {
        return Ok(Some(ProbeKind::Tcp(address.clone())));
    }
    if let Some(url) = &ready.ready_http {
        return Ok(Some(ProbeKind::Http(HttpProbe::get(url.clone()))));
    }
    if let Some(path) = &ready.ready_file {
        let path = directory.join(path);
        return Ok(Some(ProbeKind::File(path)));
    }
    if let Some(pattern) = &ready.ready_log {
        return Ok(Some(ProbeKind::Log(pattern.clone())));
    }
    if ready.ready_notify {
        return Ok(Some(ProbeKind::Notify));
    }
    let Some(command) = &ready.ready_exec else {
        return Ok(None);
    };
    match abide_config::split_command(command) {
        Some(words) if !words.is_empty() => Ok(Some(ProbeKind::Exec(words))),
        _ => Err(Failure::usage(format!(
            "cannot use --ready-exec {command:?}: a quote is not closed, or it is empty"
        ))),
    }
}

/// The caller's PATH, and what `--env` sets.
pub(super) fn environment(set: &[(String, String)]) -> Vec<(String, String)> {
    let path = std::env::var("PATH")
        .ok()
        .map(|path| ("PATH".to_owned(), path));
    path.into_iter().chain(set.iter().cloned()).collect()
}

/// The program's base name, with a number if that is taken.
async fn free_name(context: &Context<'_>, program: &str) -> Result<UnitName, Failure> {
    let units = context
        .client
        .units(&[])
        .await
        .map_err(|error| context.client.failure(error))?;
    let base = base_name(program);
    let taken = |name: &str| {
        units
            .iter()
            .any(|unit| unit.name == name || unit.name.split('@').next() == Some(name))
    };
    let mut name = base.clone();
    let mut number = 2;
    while taken(&name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    parse_name(&name)
}

/// What a name may hold of a program's base name; "unit" if nothing.
fn base_name(program: &str) -> String {
    let name: String = program::base(program)
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.') {
                c
            } else {
                '-'
            }
        })
        .take(30)
        .collect();
    let name = name.trim_start_matches(['-', '+', '.']);
    if name.is_empty() || name == "all" {
        "unit".to_owned()
    } else {
        name.to_owned()
    }
}

fn show_difference(context: &mut Context<'_>, plan: &Plan, json: bool) -> Result<(), Failure> {
    let differs = plan
        .changes
        .iter()
        .any(|change| change.action != PlanAction::Unchanged);
    if !json && differs {
        let text = render::plan::plan(plan, context.out.palette);
        context.out.write_all(text.as_bytes())?;
        context.out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_after_its_program() {
        for (program, name) in [
            ("python3", "python3"),
            ("/usr/bin/redis-server", "redis-server"),
            ("./my server", "my-server"),
            ("./-x", "x"),
            ("/", "unit"),
            ("all", "unit"),
            ("bäcker", "bäcker"),
        ] {
            assert_eq!(base_name(program), name);
            assert!(name.parse::<UnitName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_command_that_asks_is_split_as_those_of_a_configuration_are() {
        let split = |line: &str| {
            let ready = ReadyArgs {
                ready_exec: Some(line.to_owned()),
                ..ReadyArgs::default()
            };
            super::ready(&ready, Path::new("."))
        };
        let words = |words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned());
            Some(ProbeKind::Exec(words.collect()))
        };
        assert_eq!(
            split("ask --now 'a b'").expect("it is one"),
            words(&["ask", "--now", "a b"])
        );
        assert_eq!(split("ask 'a").expect_err("not closed").code, Code::Usage);
    }

    #[test]
    fn a_name_that_cannot_be_is_wrong_usage() {
        for bad in ["a/b", "web@1", "", "a b", "../x"] {
            assert_eq!(parse_name(bad).expect_err(bad).code, Code::Usage);
        }
    }
}
