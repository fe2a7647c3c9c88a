//! `start stop restart reload enable disable status control` of services that `abide install` has made.
//!
//! A name means the unit of this home that has it, else the service. Where there are both, it is not guessed:
//! `--service` says that the service is meant.

use std::io::Write as _;
use std::time::{Duration, Instant};

use abide_host::{Kind, Manager, Scope, State, Status};
use abide_model::api::Verb;
use abide_model::{ActualState, DesiredState, EventKind, SourceStatus, UnitStatus};
use globset::Glob;
use serde_json::json;

use super::install::refused;
use super::{Answer, Context, doctor, write_json};
use crate::args::{ChangeArgs, ControlArgs};
use crate::client::{Client, Error, Which};
use crate::failure::{Code, Failure};
use crate::installed;
use abide_daemon::installed::{Installed, all, find};

/// How long a service may take where nothing is said: a little more than managers give one by themselves.
const PATIENCE: Duration = Duration::from_secs(100);

/// Between two looks at a service whose manager does not say when it is ready.
const LOOK: Duration = Duration::from_millis(50);

/// What can be done to a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Start,
    Stop,
    Restart,
    Enable,
    Disable,
    Reload,
    Control(u8),
}

impl Act {
    fn of(verb: Verb) -> Option<Self> {
        Some(match verb {
            Verb::Start => Self::Start,
            Verb::Stop => Self::Stop,
            Verb::Restart => Self::Restart,
            Verb::Enable => Self::Enable,
            Verb::Disable => Self::Disable,
            Verb::Reload => Self::Reload,
            Verb::Reset | Verb::Remove | Verb::Signal => return None,
        })
    }

    fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Restart => "restarted",
            Self::Enable => "enabled",
            Self::Disable => "disabled",
            Self::Reload => "reloaded",
            Self::Control(_) => "controlled",
        }
    }
}

/// If services are meant: does it, and answers.
pub(super) async fn change(
    context: &mut Context<'_>,
    verb: Verb,
    args: &ChangeArgs,
) -> Result<Option<Code>, Failure> {
    let Some(act) = Act::of(verb) else {
        if args.service {
            return Err(Failure::usage(format!(
                "cannot {} a service of the operating system",
                verb.as_str()
            ))
            .help("start, stop, restart, reload, enable and disable can be done to one, and `abide control` sends it a code"));
        }
        return Ok(None);
    };
    let Some(services) = meant(context, &args.patterns, args.service).await? else {
        return Ok(None);
    };
    if args.patience.no_wait && matches!(act, Act::Start | Act::Stop | Act::Restart | Act::Reload) {
        return Err(Failure::usage(
            "cannot leave a service of the operating system unwatched: leave out --no-wait"
                .to_owned(),
        ));
    }
    let within = args.patience.timeout.unwrap_or(PATIENCE);
    carry_out(context, act, &services, within, args.json).await?;
    Ok(Some(Code::Done))
}

/// `abide control CODE SERVICE…`.
pub(super) async fn control(context: &mut Context<'_>, args: &ControlArgs) -> Answer {
    let services = meant(context, &args.services, true)
        .await?
        .unwrap_or_default();
    let act = Act::Control(args.code);
    carry_out(context, act, &services, PATIENCE, args.json).await?;
    Ok(Code::Done)
}

async fn carry_out(
    context: &mut Context<'_>,
    act: Act,
    services: &[Target],
    within: Duration,
    json: bool,
) -> Result<(), Failure> {
    for service in services {
        service.act(act, within).await?;
    }
    let names: Vec<&str> = services.iter().map(Target::name).collect();
    let all = names.join(", ");
    match act {
        _ if json => write_json(
            context.out,
            &json!({ "services": names, "done": act.done() }),
        )?,
        Act::Control(code) => writeln!(context.out, "sent the control {code} to {all}")?,
        _ => writeln!(context.out, "{} {all}", act.done())?,
    }
    Ok(())
}

/// A service: one of ours, or with `--service` whichever the machine has.
enum Target {
    Ours(Box<Installed>),
    Other(Manager, String),
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Self::Ours(service) => &service.name,
            Self::Other(_, name) => name,
        }
    }

    /// What it has said of why it could not begin.
    fn why_not(&self) -> Option<String> {
        match self {
            Self::Ours(service) => installed::why_not(service),
            Self::Other(..) => None,
        }
    }

    async fn act(&self, act: Act, within: Duration) -> Result<(), Failure> {
        let owned;
        let manager = match self {
            Self::Ours(service) => {
                owned = installed::manager(service).map_err(refused)?;
                &owned
            }
            Self::Other(manager, _) => manager,
        };
        let name = self.name();
        let begun = Instant::now();
        if let (Self::Ours(service), Act::Start | Act::Restart) = (self, act) {
            installed::forget_why_not(service);
        }
        let before = match (self, act) {
            (Self::Ours(service), Act::Reload) => Reload::of(service).await,
            _ => None,
        };
        match act {
            Act::Start => manager.start(name, within),
            Act::Stop => manager.stop(name, within),
            Act::Restart => manager.restart(name, within),
            Act::Enable => manager.enable(name),
            Act::Disable => manager.disable(name),
            Act::Reload => manager.reload(name, within),
            Act::Control(code) => manager.control(name, code),
        }
        .map_err(|error| match act {
            Act::Start | Act::Restart => match self.why_not() {
                Some(why) => with_its_words(refused(error), &why),
                None => doctor::explained(error, manager, name),
            },
            Act::Stop | Act::Enable | Act::Disable | Act::Reload | Act::Control(_) => {
                refused(error)
            }
        })?;
        if let Some(reload) = before {
            reload.done(within.saturating_sub(begun.elapsed())).await?;
        }
        match self {
            Self::Ours(service) if matches!(act, Act::Start | Act::Restart) => {
                let left = within.saturating_sub(begun.elapsed());
                let up = ready(service, manager, left).await;
                up.map_err(|failure| match self.why_not() {
                    Some(why) => with_its_words(failure, &why),
                    None => doctor::looked_at(failure, manager, name),
                })
            }
            _ => Ok(()),
        }
    }
}

/// What an abide says of the files that its manager has it read again.
struct Reload {
    client: Client,
    /// The last event before.
    after: u64,
}

impl Reload {
    /// `None`: nothing can be heard of it, or there are no files.
    async fn of(service: &Installed) -> Option<Self> {
        let client = Client::new(installed::home(service));
        let daemon = client.daemon().await.ok()?;
        (!daemon.sources.is_empty()).then_some(Self {
            client,
            after: daemon.last_event,
        })
    }

    /// Waits until it says that they are read.
    async fn done(self, within: Duration) -> Result<(), Failure> {
        let kinds = ["reloaded", "reload_failed"].map(str::to_owned);
        let which = Which {
            patterns: &[],
            kinds: &kinds,
        };
        let failed = |error| self.client.failure(error);
        let said = async {
            let events = self.client.events_after(self.after, which).await;
            events.map_err(failed)?.next().await.map_err(failed)
        };
        match tokio::time::timeout(within, said).await {
            Ok(said) => match said? {
                Some(event) if matches!(event.kind, EventKind::ReloadFailed { .. }) => {
                    Err(Failure::new(event.text))
                }
                _ => Ok(()),
            },
            Err(_) => Err(Failure::new(
                "cannot wait for its files to be read any longer".to_owned(),
            )
            .help(self.client.home().hint("events"))),
        }
    }
}

/// A failure to start, with what the service itself has said of it.
fn with_its_words(mut failure: Failure, why: &str) -> Failure {
    for line in why.lines() {
        if let Some(help) = line.strip_prefix("help: ") {
            failure.help = Some(help.to_owned());
        } else {
            failure.message.push_str("\nit says: ");
            let words = line.strip_prefix("error: ").unwrap_or(line);
            failure.message.push_str(words);
        }
    }
    failure
}

/// The services that are meant; `None`: units are.
async fn meant(
    context: &Context<'_>,
    names: &[String],
    only_services: bool,
) -> Result<Option<Vec<Target>>, Failure> {
    let mut found = Vec::new();
    for name in names {
        match find(name) {
            Some(service) => found.push(Target::Ours(Box::new(service))),
            None if only_services => {
                let manager = Manager::detect(Scope::System).map_err(refused)?;
                found.push(Target::Other(manager, name.clone()));
            }
            None => {}
        }
    }
    if only_services {
        return Ok(Some(found));
    }
    if found.is_empty() {
        return Ok(None);
    }
    for service in &found {
        let name = service.name();
        if context.client.unit(name).await.is_ok() {
            return Err(Failure::usage(format!(
                "cannot tell what {name} means: it is a unit of {} and a service of the operating system",
                context.client.home().directory.display()
            ))
            .help("`--service` says that the service is meant; the unit has another name after `abide run --name`"));
        }
    }
    if found.len() < names.len() {
        return Err(Failure::usage(
            "cannot act on units and on services of the operating system at once".to_owned(),
        )
        .help(format!(
            "services are {}",
            found
                .iter()
                .map(Target::name)
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    Ok(Some(found))
}

/// Starts one of ours, and waits until it is ready.
pub(super) async fn start(service: &Installed, within: Duration) -> Result<(), Failure> {
    let target = Target::Ours(Box::new(service.clone()));
    target.act(Act::Start, within).await
}

/// Waits for the unit that it hosts, where its manager does not: only systemd hears when a service is ready.
async fn ready(service: &Installed, manager: &Manager, within: Duration) -> Result<(), Failure> {
    if service.note.unit.is_none() || manager.kind() == Kind::Systemd {
        return Ok(());
    }
    let deadline = Instant::now() + within;
    let client = Client::new(installed::home(service));
    loop {
        let units = client.units_in_brief(&[]).await.unwrap_or_default();
        if !units.is_empty() && units.iter().all(crate::render::status::is_up) {
            return Ok(());
        }
        let status = manager.status(&service.name).map_err(refused)?;
        if matches!(status.state, State::Failed | State::Stopped) {
            // A task may have been done meanwhile.
            if status.state == State::Stopped && status.exit.is_none() {
                return Ok(());
            }
            return Err(Failure::new(format!(
                "cannot start {}: it ended{}",
                service.name,
                status
                    .exit
                    .map(|exit| format!(" with {exit}"))
                    .unwrap_or_default()
            ))
            .help(installed::home(service).hint("logs")));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "cannot wait for {} any longer: it is not ready",
                service.name
            ))
            .help(installed::home(service).hint("status")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The installed services that the patterns mean, as elements of `status`; all without patterns.
pub(super) async fn statuses(patterns: &[String]) -> Vec<UnitStatus> {
    let globs: Vec<_> = patterns
        .iter()
        .filter_map(|pattern| Some(Glob::new(pattern).ok()?.compile_matcher()))
        .collect();
    let is_meant = |name: &str| {
        patterns.is_empty()
            || patterns.iter().any(|pattern| pattern == "all")
            || globs.iter().any(|glob| glob.is_match(name))
    };
    let mut statuses = Vec::new();
    for service in all().into_iter().filter(|service| is_meant(&service.name)) {
        statuses.push(status(&service).await);
    }
    statuses
}

/// What the manager says, and of a hosted unit what its own abide does.
async fn status(service: &Installed) -> UnitStatus {
    let said = installed::manager(service).and_then(|manager| manager.status(&service.name));
    let mut element = element(service, &said);
    if service.note.unit.is_some()
        && let Some(unit) = hosted(service).await
    {
        element = UnitStatus {
            name: element.name,
            group: None,
            enabled: element.enabled,
            mode: element.mode,
            reason: unit.reason.clone().or(element.reason),
            ..unit
        };
    }
    element
}

/// The unit as the home that is there for it alone shows it.
async fn hosted(service: &Installed) -> Option<UnitStatus> {
    match Client::new(installed::home(service)).units(&[]).await {
        Ok(units) => units.into_iter().next(),
        // It does not run, or is not ours to ask; the manager has said what it knows.
        Err(Error::NoDaemon | Error::Forbidden(_)) => None,
        Err(_) => None,
    }
}

fn element(service: &Installed, said: &Result<Status, abide_host::Error>) -> UnitStatus {
    let (state, ready, desired) = match said.as_ref().map(|status| status.state) {
        Ok(State::Running) => (ActualState::Running, true, DesiredState::Up),
        Ok(State::Starting) => (ActualState::Starting, false, DesiredState::Up),
        Ok(State::Stopping) => (ActualState::Stopping, false, DesiredState::Down),
        Ok(State::Stopped) => (ActualState::Stopped, false, DesiredState::Down),
        Ok(State::Failed | State::NotInstalled) | Err(_) => {
            (ActualState::Failed, false, DesiredState::Up)
        }
    };
    let manager = &service.note.manager;
    let down = matches!(state, ActualState::Failed | ActualState::Stopped);
    let words = if down {
        installed::why_not(service)
    } else {
        None
    };
    let reason = match said {
        Err(error) => Some(format!("{manager} does not say how it is: {error}")),
        Ok(status) if status.state == State::NotInstalled => Some(format!(
            "{manager} does not know it any more; `abide uninstall {}` forgets it",
            service.name
        )),
        Ok(status) => Some(match &status.detail {
            Some(detail) => format!("{manager}: {}, {detail}", status.state),
            None => format!("{manager}: {}", status.state),
        }),
    };
    let reason = match (reason, words) {
        (Some(reason), Some(words)) => {
            let first = words.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            Some(format!("{reason}; it could not begin: {first}"))
        }
        (reason, _) => reason,
    };
    let status = said.as_ref().ok();
    UnitStatus {
        enabled: status.is_some_and(|status| status.enabled),
        ready,
        pid: status.and_then(|status| status.pid),
        reason,
        source: service.note.unit.as_ref().map(|unit| SourceStatus {
            file: unit.file.clone(),
            line: 0,
        }),
        ..UnitStatus::bare(service.name.clone(), "service", desired, state)
    }
}
