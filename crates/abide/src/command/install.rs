//! `abide install`: a program, a unit of a file, or abide itself becomes a service of the operating system.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_config::{RunOptions, render_run};
use abide_host::plan::File;
use abide_host::{
    Access, Change, Holder, Kind, Manager, NotifyFrom, Plan, Ready, Restart, Right, Scope, Service,
    ServiceSid, Start, StopTo,
};
use abide_model::UnitName;
use abide_model::api::UpRequest;
use serde_json::json;

use super::follow::{Following, follow};
use super::{Answer, Context, files, host, program, run, service, write_json};
use crate::args::{InstallArgs, ManagerArgs, Patience, ReadyArgs};
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::installed;
use abide_daemon::installed::{HostedUnit, Note, Shelf};

/// How long the manager waits for abide where a unit needs no longer: abide asks for more while it works.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Beyond what a unit may take to be ready.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// All that an installation is.
struct Order {
    service: Service,
    note: Note,
    /// The unit, where the command line gave it: to be written beside the note.
    unit: Option<String>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &InstallArgs) -> Answer {
    one_thing(args)?;
    let manager = manager(&args.at, args.dry_run)?;
    let mut order = order(context.client.home(), args, &manager)?;
    let shelf = installed::shelf(manager.scope())?;
    if manager.kind() == Kind::Scm {
        of_windows(&mut order, args, &shelf)?;
    } else if args.program.account.is_some() && args.command.is_empty() {
        return Err(Failure::usage(
            "cannot say here which account it runs as: that stands in the unit's file, as `user`"
                .to_owned(),
        ));
    }
    let mut plan = manager.plan_install(&order.service).map_err(refused)?;
    add_notes(&mut plan, &order, &shelf)?;
    if !order.service.scm.rights.is_empty() {
        // It must be there for rights to it to be given.
        plan.directories.push(order.note.home.clone());
    }
    let home = &order.note.home;
    let give_home =
        manager.kind() == Kind::Scm && args.scm.check_home(&order.service, home, &shelf)?;
    if give_home {
        plan.notes.push(format!(
            "{} is yours, and is given to the administrators: LocalSystem keeps in none that one user could change",
            home.display()
        ));
    }
    if args.dry_run {
        manager.check(&order.service).map_err(refused)?;
        return show_plan(context, args, &manager, &order, &plan);
    }
    if give_home {
        manager.check(&order.service).map_err(refused)?;
        args.scm.give_home(home)?;
    }
    let done = manager.carry_out(&order.service, &plan).map_err(refused)?;
    let name = &order.service.name;
    if !args.json {
        tell(context, &manager, name, &done.change)?;
        for note in &done.notes {
            writeln!(context.out, "note: {note}")?;
        }
        context.out.flush()?;
    }
    give_up(context, &order.note).await?;
    if args.now {
        let noted = abide_daemon::installed::find(name)
            .ok_or_else(|| Failure::new(format!("cannot find {name}, which was just installed")))?;
        service::start(&noted, TIMEOUT).await?;
    }
    if args.json {
        let answer = json!({
            "name": name,
            "manager": manager.kind().as_str(),
            "user": manager.scope() == Scope::User,
            "change": match &done.change {
                Change::New => "new",
                Change::None => "unchanged",
                Change::Changed(_) => "changed",
            },
            "started": args.now,
            "notes": done.notes,
        });
        write_json(context.out, &answer)?;
    } else if args.now {
        writeln!(context.out, "{name} is up")?;
    } else {
        writeln!(context.out, "`abide start {name}` starts it")?;
    }
    Ok(Code::Done)
}

/// What the Service Control Manager is told besides. There the service itself has the account.
fn of_windows(order: &mut Order, args: &InstallArgs, shelf: &Shelf) -> Result<(), Failure> {
    let account = args.program.account.as_deref();
    let mut settings = args.scm.settings(account)?;
    settings.rights = rights(order, shelf, account, settings.sid)?;
    let service = &mut order.service;
    service.user = account.map(str::to_owned);
    // abide is its own message file.
    settings.event_messages = Some(text(&service.program)?);
    service.scm = settings;
    // It knows no signals.
    service.reload_signal = None;
    Ok(())
}

/// What must be given, so that abide can keep as an account that is not the machine's: its home; what was noted of the
/// service; and the file of the unit. And its home to the identifier of a restricted service, which reads as its account.
fn rights(
    order: &Order,
    shelf: &Shelf,
    account: Option<&str>,
    sid: ServiceSid,
) -> Result<Vec<Right>, Failure> {
    let home = &order.note.home;
    let account = account.filter(|account| abide_host::needs_rights(account));
    let identifier = format!(r"NT SERVICE\{}", order.service.name);
    let restricted = sid == ServiceSid::Restricted;
    let Some(holder) = account.or(restricted.then_some(&identifier)) else {
        return Ok(Vec::new());
    };
    let right = |holder, path: &Path, access| Right {
        holder,
        path: path.to_owned(),
        access,
    };
    // Names of Windows's files are the same in capitals.
    let folded = |path: &Path| PathBuf::from(path.to_string_lossy().to_lowercase());
    let holds = |path: &Path| folded(path).starts_with(folded(home));
    if holds(&shelf.notes) || holds(&shelf.homes) {
        return Err(Failure::usage(format!(
            "cannot give {} to {holder}: the machine's services are noted in it, which {holder} could then change",
            home.display()
        ))
        .help("give this abide a home of its own with --home DIR"));
    }
    let mut rights = Vec::new();
    if let Some(account) = account {
        let notes = shelf.notes.join(&order.service.name);
        rights.push(right(Holder::Account, home, Access::Change));
        rights.push(right(Holder::Account, &notes, Access::Read));
        let file = order.note.unit.as_ref().map(|unit| &unit.file);
        if let Some(file) = file.filter(|file| !file.starts_with(&notes)) {
            rights.push(right(Holder::Account, file, Access::Read));
        }
        if account.eq_ignore_ascii_case(&identifier) {
            return Ok(rights);
        }
    }
    if restricted {
        rights.push(right(Holder::Identifier, home, Access::Change));
    }
    Ok(rights)
}

/// The daemon of this home reads its files again if it has the unit, and then has it no more: it would run twice.
async fn give_up(context: &mut Context<'_>, note: &Note) -> Result<(), Failure> {
    let Some(unit) = &note.unit else {
        return Ok(());
    };
    // Without a daemon there is nobody to give it up.
    let Ok(daemon) = context.client.daemon().await else {
        return Ok(());
    };
    if !daemon.sources.contains(&unit.file) {
        return Ok(());
    }
    let request = UpRequest::default();
    let operation = context.client.up(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    let how = Following {
        patience: &Patience::default(),
        after: daemon.last_event,
        quiet: true,
        infancy: false,
        vanishes: false,
    };
    follow(context, operation, &how).await?;
    Ok(())
}

/// The manager that is meant.
fn manager(at: &ManagerArgs, dry_run: bool) -> Result<Manager, Failure> {
    let scope = if at.user { Scope::User } else { Scope::System };
    let manager = match at.manager {
        // What it would write can be shown anywhere.
        Some(kind) if dry_run => Manager::below(kind, scope, Path::new("/")),
        Some(kind) => Manager::of(kind, scope),
        None => Manager::detect(scope),
    };
    manager.map_err(refused)
}

/// What is said of a service manager's refusal.
pub(super) fn refused(error: abide_host::Error) -> Failure {
    use abide_host::Error;
    let code = match &error {
        Error::Invalid(_) | Error::Foreign { .. } => Code::Usage,
        _ => Code::Failed,
    };
    let mut failure = Failure::new(format!("cannot {error}")).code(code);
    failure.split_help();
    failure
}

/// A unit or a program, not both.
fn one_thing(args: &InstallArgs) -> Result<(), Failure> {
    let (Some(target), [_, ..]) = (&args.target, &args.command[..]) else {
        return Ok(());
    };
    let failure = Failure::usage(format!(
        "cannot install {target:?} and the program after -- at once"
    ));
    Err(failure.help(if args.at.user {
        // As `abide run --user NAME` has it.
        format!(
            "--user makes it a service of your own, and takes no name; --account {target} is whom the program runs as"
        )
    } else {
        "give FILE:UNIT for a unit of a file, or --name NAME -- PROGRAM for a program".to_owned()
    }))
}

fn order(home: &Home, args: &InstallArgs, manager: &Manager) -> Result<Order, Failure> {
    let abide = std::env::current_exe()
        .map_err(|e| Failure::new(format!("cannot tell where this program lies: {e}")))?;
    if !args.command.is_empty() {
        return of_program(&abide, args, manager);
    }
    match &args.target {
        Some(target) => of_unit(&abide, target, args, manager),
        None => of_daemon(&abide, home, args, manager),
    }
}

/// A service that is abide with these arguments.
fn abide_as(
    abide: &Path,
    name: String,
    arguments: Vec<String>,
    args: &InstallArgs,
    manager: &Manager,
) -> Service {
    let mut service = Service::new(name, abide);
    service.arguments = arguments;
    service.display_name.clone_from(&args.display_name);
    service.description.clone_from(&args.description);
    service.start = Start::from(args.start);
    service.dependencies.clone_from(&args.depends_on);
    // The daemon speaks for the keeper, which takes root. A user's own programs have no right that abide has not.
    let from = match manager.scope() {
        Scope::System => NotifyFrom::Main,
        Scope::User => NotifyFrom::All,
    };
    service.ready = Ready::Notify { from };
    service.watchdog = args.watchdog;
    service.start_timeout = Some(TIMEOUT);
    service.stop_timeout = Some(TIMEOUT);
    service.stop_to = StopTo::Main;
    // An exit code is abide's word that it is over; anything else is an accident.
    service.restart = Restart::OnAbnormal;
    service.delegate = true;
    // abide passes it on.
    service.reload_signal = Some("HUP".to_owned());
    service
}

fn of_daemon(
    abide: &Path,
    home: &Home,
    args: &InstallArgs,
    manager: &Manager,
) -> Result<Order, Failure> {
    let name = args.name.clone().unwrap_or_else(|| "abide".to_owned());
    let directory = text(&home.directory)?;
    let mut arguments = ["--home", &directory, "daemon"].map(str::to_owned).to_vec();
    arguments.extend(managed(manager));
    arguments.extend(args.scm.controls()?);
    let mut service = abide_as(abide, name, arguments, args, manager);
    service
        .display_name
        .get_or_insert_with(|| "abide".to_owned());
    service
        .description
        .get_or_insert_with(|| "keeps programs running".to_owned());
    Ok(Order {
        service,
        note: Note {
            manager: manager.kind().to_string(),
            home: home.directory.clone(),
            unit: None,
        },
        unit: None,
    })
}

/// Whether it was said how to find out that the program is ready.
fn waits(ready: &ReadyArgs) -> bool {
    ready.ready_tcp.is_some()
        || ready.ready_http.is_some()
        || ready.ready_file.is_some()
        || ready.ready_exec.is_some()
        || ready.ready_log.is_some()
        || ready.ready_notify
}

fn of_unit(
    abide: &Path,
    target: &str,
    args: &InstallArgs,
    manager: &Manager,
) -> Result<Order, Failure> {
    if waits(&args.program.ready) {
        return Err(Failure::usage(
            "cannot say here how the unit is ready: that stands in its file".to_owned(),
        ));
    }
    let unit = host::find(target)?;
    let spec = host::spec(&unit.file, unit.name.as_str(), files::caller()?)?;
    if let Some(required) = spec.policy.requires.first() {
        return Err(Failure::usage(format!(
            "cannot host {} alone: it requires {required}, which would not be there",
            unit.name
        ))
        .help("`abide install` makes abide itself a service, and `abide up FILE` gives it all units of the file"));
    }
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| host::service_name(&unit.name));
    let needs = spec.policy.ready.as_ref().map(|ready| ready.within);
    let mut order = hosted(abide, name, unit, needs, args, manager)?;
    if order.service.description.is_none() {
        order.service.description.clone_from(&spec.description);
    }
    // What the file takes from whoever brings it up, the manager gives from now on.
    let file = order
        .note
        .unit
        .iter()
        .map(|unit| unit.file.clone())
        .collect::<Vec<_>>();
    order.service.environment = files::inherited(&file, &files::caller()?);
    Ok(order)
}

fn of_program(abide: &Path, args: &InstallArgs, manager: &Manager) -> Result<Order, Failure> {
    let name = args.name.clone().unwrap_or_default();
    let unit: UnitName = name
        .parse()
        .map_err(|error| Failure::usage(format!("cannot use the name {name:?}: {error}")))?;
    let command = run::words(&args.command)?;
    let directory = run::directory(args.program.dir.as_deref())?;
    let environment = run::environment(&args.program.env);
    program::find(&command[0], &directory, &environment)?;
    let mut options = RunOptions::new(unit.clone(), command, directory.clone());
    options.description.clone_from(&args.description);
    options.environment = environment;
    if manager.kind() != Kind::Scm {
        options.user.clone_from(&args.program.account);
    }
    options.restart = args.program.restart.map(run::restart);
    options.ready = run::ready(&args.program.ready, &directory)?;
    options.heartbeat = args.program.heartbeat;
    run::check(&options)?;
    let file = installed::shelf(manager.scope())?
        .notes
        .join(&name)
        .join("unit.toml");
    let unit = HostedUnit { file, name: unit };
    let mut order = hosted(abide, name, unit, None, args, manager)?;
    let written_by = "Written by `abide install`; `abide uninstall` takes it away.";
    order.unit = Some(render_run(&options, written_by));
    Ok(order)
}

/// Init scripts start nothing again: there abide goes on by itself when its keeper is killed.
fn managed(manager: &Manager) -> Option<String> {
    (manager.kind() != Kind::SysV).then(|| "--managed".to_owned())
}

/// A service that hosts one unit in a home of its own.
fn hosted(
    abide: &Path,
    name: String,
    unit: HostedUnit,
    ready_within: Option<Duration>,
    args: &InstallArgs,
    manager: &Manager,
) -> Result<Order, Failure> {
    let home = installed::shelf(manager.scope())?.homes.join(&name);
    let target = format!("{}:{}", text(&unit.file)?, unit.name);
    let mut arguments = vec!["--home".to_owned(), text(&home)?, "host".to_owned()];
    arguments.extend(managed(manager));
    arguments.extend(args.scm.controls()?);
    arguments.push(target);
    let mut service = abide_as(abide, name, arguments, args, manager);
    service.start_timeout = ready_within
        .map(|time| time.saturating_add(MARGIN))
        .max(Some(TIMEOUT));
    Ok(Order {
        service,
        note: Note {
            manager: manager.kind().to_string(),
            home,
            unit: Some(unit),
        },
        unit: None,
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!(
            "cannot use {}: its name is not UTF-8",
            path.display()
        ))
    })
}

/// Note and unit become files of the plan: they are shown, written and taken back with the others.
fn add_notes(plan: &mut Plan, order: &Order, shelf: &Shelf) -> Result<(), Failure> {
    let directory = shelf.notes.join(&order.service.name);
    let mut note = serde_json::to_string_pretty(&order.note)
        .map_err(|e| Failure::new(format!("cannot note the service: {e}")))?;
    note.push('\n');
    let file = |name: &str, text: String, mode| File {
        path: directory.join(name),
        text,
        mode,
    };
    plan.files.push(file("service.json", note, 0o644));
    if let Some(unit) = &order.unit {
        // There may be passwords among the variables.
        plan.files.push(file("unit.toml", unit.clone(), 0o600));
    }
    Ok(())
}

fn show_plan(
    context: &mut Context<'_>,
    args: &InstallArgs,
    manager: &Manager,
    order: &Order,
    plan: &Plan,
) -> Answer {
    if !args.json {
        write!(context.out, "{plan}")?;
        return Ok(Code::Done);
    }
    let path = |path: &PathBuf| path.display().to_string();
    let answer = json!({
        "name": order.service.name,
        "manager": manager.kind().as_str(),
        "user": manager.scope() == Scope::User,
        "registration": plan.registration.as_ref().map(ToString::to_string),
        "directories": plan.directories.iter().map(path).collect::<Vec<_>>(),
        "files": plan.files.iter().map(|file| json!({
            "path": path(&file.path),
            "mode": format!("{:04o}", file.mode),
            "text": file.text,
        })).collect::<Vec<_>>(),
        "links": plan.links.iter().map(|link| json!({
            "path": path(&link.path),
            "target": path(&link.target),
        })).collect::<Vec<_>>(),
        "removed": plan.removed.iter().chain(&plan.afterwards).map(path).collect::<Vec<_>>(),
        "calls": plan.calls.iter().map(|call| &call.words).collect::<Vec<_>>(),
        "notes": plan.notes,
    });
    write_json(context.out, &answer)?;
    Ok(Code::Done)
}

fn tell(
    context: &mut Context<'_>,
    manager: &Manager,
    name: &str,
    change: &Change,
) -> Result<(), Failure> {
    let of = match (manager.kind(), manager.scope()) {
        (kind, Scope::System) => kind.to_string(),
        (kind, Scope::User) => format!("{kind} of this user"),
    };
    match change {
        Change::New => writeln!(context.out, "{name} is a service of {of} now")?,
        Change::None => writeln!(context.out, "{name} is a service of {of}, and just so")?,
        Change::Changed(changes) => {
            writeln!(context.out, "{name}, a service of {of}, was changed:")?;
            for (path, how) in changes {
                writeln!(context.out, "{}", path.display())?;
                for line in how.lines() {
                    writeln!(context.out, "    {line}")?;
                }
            }
            writeln!(context.out, "`abide restart {name}` has it run so")?;
        }
    }
    if manager.kind() == Kind::Systemd && manager.scope() == Scope::User && *change == Change::New {
        writeln!(
            context.out,
            "note: it runs while you are logged in; `loginctl enable-linger` has it run from boot on"
        )?;
    }
    Ok(())
}
