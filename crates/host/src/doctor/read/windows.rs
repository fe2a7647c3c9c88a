//! What there is to read on Windows.

mod account;
mod files;
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use abide_platform::{event_log, executable, listen, machine as platform};

use crate::Error;
use crate::doctor::definition::Command;
use crate::doctor::facts::{Facts, Questions};
use crate::doctor::ports::Listener;
use crate::doctor::scm::ScmFacts;
use crate::doctor::scm::execution::{Execution, Need, Program, What};
use crate::doctor::service::Unit;
use crate::manager::{Examined, Registration};
use crate::service::{Access, ServiceSid};

pub use machine::machine;

/// Reads all that is judged of a service. `examined`: what the manager told; `unit`: what it hosts.
pub(in crate::doctor) fn service(examined: Examined, unit: Option<&Unit>) -> ScmFacts {
    let (account, token) = account::of_service(&examined);
    let registration = examined.registration;
    let program = examined.program.map(|program| files::expanded(&program));
    let first = program.as_deref().map(PathBuf::from);
    let meant = first.as_deref().and_then(|first| {
        Some((
            files::without_quotes(&registration.image_path, first)?,
            first.into(),
        ))
    });
    let mut execution = Execution {
        account: registration.account.clone(),
        token,
        restricted: registration.sid == ServiceSid::Restricted,
        administrator: account::administrator(),
        ..Execution::default()
    };
    // Of a path without quotes the whole is looked at, for who may write to it.
    let executed = meant
        .as_ref()
        .map(|(meant, _): &(PathBuf, PathBuf)| meant.display().to_string());
    if let Some(named) = executed.or(program) {
        execution.programs.push(image(named));
    }
    for right in &registration.rights {
        execution.needs.push(Need {
            what: match right.access {
                Access::Read => What::GivenToRead,
                Access::Change => What::GivenToChange,
            },
            thing: files::thing(&right.path),
        });
    }
    if let Some(unit) = unit {
        add(&mut execution, unit, true);
    }
    execution.names = names(&execution);
    let texts = registration.event_messages.as_ref().map(|file| {
        let file = PathBuf::from(files::expanded(file));
        event_log::text(&file, 1, ["", ""]).is_ok()
    });
    ScmFacts {
        registration,
        ours: examined.ours,
        leaving: examined.leaving,
        meant,
        account,
        missing: examined.missing,
        disabled: examined.disabled,
        execution,
        texts,
    }
}

/// A unit of a home, which runs as whoever runs its daemon: who asks, as far as is known.
pub(in crate::doctor) fn unit(unit: &Unit) -> Option<Execution> {
    let (account, token) = account::own();
    let mut execution = Execution {
        account,
        token,
        ..Execution::default()
    };
    add(&mut execution, unit, false);
    execution.names = names(&execution);
    Some(execution)
}

/// The program of ImagePath. One that is there but for its ending is found with it, as Windows does.
fn image(named: String) -> Program {
    let path = Path::new(&named);
    let with_ending = path
        .extension()
        .is_none()
        .then(|| path.with_extension("exe"));
    let path = match with_ending {
        Some(file) if file.exists() => file,
        _ => path.to_owned(),
    };
    Program {
        by: "ImagePath".to_owned(),
        of_a_session: platform::is_remote_drive(&path),
        thing: Some(files::thing(&path)),
        named,
        is_service: true,
    }
}

/// What a unit says. `is_service`: it runs where only services do.
fn add(execution: &mut Execution, unit: &Unit, is_service: bool) {
    for command in &unit.commands {
        execution.programs.extend(program(command, is_service));
        let directory = command.directory.as_ref().map(|path| Need {
            what: What::Directory,
            thing: files::thing(path),
        });
        execution.needs.extend(directory);
    }
    execution.needs.extend(unit.files.iter().map(|file| Need {
        what: What::Definition,
        thing: files::thing(file),
    }));
}

/// `None`: what it leads to is not known.
fn program(command: &Command, is_service: bool) -> Option<Program> {
    let named = command.words.first()?;
    let found = files::resolved(named, command);
    if found.is_none() && command.path.is_empty() {
        // Its account's PATH may have more than that of the machine.
        return None;
    }
    Some(Program {
        by: command.by.clone(),
        of_a_session: is_service && found.as_deref().is_some_and(platform::is_remote_drive),
        thing: found.map(|path| files::thing(&path)),
        named: named.clone(),
        is_service: false,
    })
}

/// Names of all who are named in access lists.
fn names(execution: &Execution) -> BTreeMap<String, String> {
    let programs = execution.programs.iter().filter_map(|it| it.thing.as_ref());
    let things = programs.chain(execution.needs.iter().map(|need| &need.thing));
    let lists = things
        .flat_map(|thing| &thing.way)
        .filter_map(|node| node.security.as_ref());
    let sids: BTreeSet<&String> = lists
        .flat_map(|list| {
            let entries = list.entries.iter().flatten().map(|entry| &entry.sid);
            entries.chain(&list.owner)
        })
        .collect();
    let named = sids.into_iter().filter_map(|sid| {
        let name = abide_platform::account::name_of(sid).ok()??;
        // As Windows shows them.
        let plain = ["BUILTIN\\", "NT AUTHORITY\\"]
            .iter()
            .find_map(|place| name.strip_prefix(place));
        Some((sid.clone(), plain.unwrap_or(&name).to_owned()))
    });
    named.collect()
}

/// Who listens on TCP on this machine.
pub(in crate::doctor) fn listeners() -> Result<Vec<Listener>, Error> {
    let found = listen::listeners()
        .map_err(|e| Error::Invalid(format!("see who listens on this machine: {e}")))?;
    let who = |pid| {
        let file = executable::of_process(pid)?;
        let name = file.file_name()?.to_string_lossy().into_owned();
        Some(format!("{name} ({pid})"))
    };
    Ok(found
        .into_iter()
        .map(|(address, pid)| Listener {
            address,
            who: who(pid),
        })
        .collect())
}

/// Refuses: managers that go by files are not here.
pub(in crate::doctor) fn facts(_: &Questions) -> Result<Facts, Error> {
    Err(Error::Invalid(
        "examine the files of a service: only Linux has services that are files".to_owned(),
    ))
}

/// Its service's own identifier, where it has one.
fn service_sid(registration: &Registration) -> Option<String> {
    if registration.sid == ServiceSid::None {
        return None;
    }
    let name = format!(r"NT SERVICE\{}", registration.name);
    abide_platform::account::sid_of(&name).ok()?
}
