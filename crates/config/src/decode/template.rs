//! All of a unit but what depends on its instance, and one unit of it.

use std::ops::Range;
use std::path::PathBuf;

use abide_model::{
    Command, CpuSet, EnvironmentSpec, HookKind, Hooks, Launch, LogSpec, Policy, Source, Spec,
    StdinSpec, StopPlan, UnitName,
};
use toml::de::DeValue;

use super::account::Account;
use super::command::{command, find_program};
use super::directory::directory;
use super::environment::environment;
use super::notify::Notify;
use super::probe::Here;
use super::unit::{Dependency, Kind, dependencies};
use super::{
    Reader, health, heartbeat, hook, limits, notify, ready, reload, restart, socket, stop,
};
use crate::digest::launch_digest;
use crate::document::{Origin, Resolved, Setting};
use crate::keys::{self, Table};
use crate::programs::search_path;
use crate::values::{Int, Mode, Value as _, Wrong, show_text};

/// All of a unit but what depends on the instance.
pub(super) struct Template {
    command: Option<(Command, Vec<Range<usize>>)>,
    directory: Option<String>,
    environment: EnvironmentSpec,
    pub inherited: Vec<String>,
    description: Option<String>,
    policy: Policy,
    launch: Launch,
    log: LogSpec,
    stop: stop::Written,
    reload: Option<reload::Written>,
    hooks: Vec<(HookKind, hook::Written)>,
    ready: Option<ready::Written>,
    notify: Notify,
    health: Option<health::Written>,
    heartbeat: Option<heartbeat::Written>,
    socket: Option<socket::Written>,
    pub dependencies: Vec<Dependency>,
    numbered: bool,
}

impl Template {
    /// Reads in the order of the reference, which is the order of `abide show`.
    pub fn read(reader: &Reader<'_>) -> Self {
        let description = description(reader);
        let command = command(reader);
        let (unit_type, restart) = restart::kind(reader);
        let enabled = reader.get_or("enabled", true);
        let directory = reader.get::<String>("directory");
        if directory.is_none() && reader.field("directory").is_none() {
            reader.built_in(
                "directory",
                reader
                    .context
                    .source
                    .folder()
                    .to_string_lossy()
                    .into_owned()
                    .show(),
            );
        }
        let environment = environment(reader);
        let umask = reader.get_or("umask", Mode(0o022)).0;
        let narrow = |n: i64| i32::try_from(n).unwrap_or_default();
        let priority = reader.get::<Int<-20, 19>>("priority").map(|n| narrow(n.0));
        let cpu_affinity = reader.get::<CpuSet>("cpu_affinity");
        let oom_score = reader
            .get::<Int<-1000, 1000>>("oom_score")
            .map(|n| narrow(n.0));
        let stdin = reader.get_or("stdin", StdinSpec::Null);
        let reload = reload::reload(reader);
        let hooks = hooks(reader);
        let ready = ready::ready(reader);
        let heartbeat = heartbeat::heartbeat(reader);
        let notify = notify::notify(
            reader,
            ready.as_ref().and_then(ready::Written::notify),
            reload.as_ref().is_some_and(|reload| reload.confirm),
            heartbeat.is_some(),
        );
        let health = health::health(reader, reader.field("ready").is_some());
        let socket = socket::socket(reader, unit_type, stdin);
        clash(reader, ready.as_ref(), socket.as_ref(), notify.fd_store);
        let stop = stop::stop(reader, stdin);
        let policy = Policy {
            unit_type,
            enabled,
            restart,
            success_exit: restart::success_exit(reader),
            backoff: restart::backoff(reader),
            give_up: restart::give_up(reader),
            stop: StopPlan::default(),
            reload: None,
            ready: None,
            heartbeat: None,
            health: None,
            hooks: Hooks::default(),
            socket: socket.as_ref().map(socket::Written::gate),
            requires: Vec::new(),
            wants: Vec::new(),
            after: Vec::new(),
            launch_digest: 0,
        };
        let launch = Launch {
            command: Command::Argv(Vec::new()),
            directory: PathBuf::new(),
            environment: EnvironmentSpec::default(),
            user: None,
            password_file: None,
            group: None,
            umask,
            priority,
            cpu_affinity,
            oom_score,
            stdin,
            limits: limits::limits(reader),
            notify: notify.access,
            fd_store: notify.fd_store,
            socket: None,
        };
        let dependencies = [Kind::Requires, Kind::Wants, Kind::After]
            .into_iter()
            .flat_map(|kind| dependencies(reader, kind))
            .collect();
        Self {
            command,
            directory,
            environment: environment.spec,
            inherited: environment.inherited,
            description,
            policy,
            launch,
            log: limits::log(reader),
            stop,
            reload,
            hooks,
            ready,
            notify,
            health,
            heartbeat,
            socket,
            dependencies,
            numbered: reader.field("instances").is_some(),
        }
    }

    /// One unit of it. Mistakes are reported; what is returned is complete but for those.
    pub fn instance(
        &self,
        reader: &Reader<'_>,
        base: &UnitName,
        number: Option<u32>,
        account: &Account,
        source: &Source,
    ) -> Option<Resolved> {
        let text = number.unwrap_or(1).to_string();
        // Without `instances` the word means nothing: `abide run` passes arguments on as they are.
        let numbered = number.is_some() || self.numbered;
        let fill = |value: &str| {
            if numbered {
                value.replace("{instance}", &text)
            } else {
                value.to_owned()
            }
        };
        let name = match number {
            None => base.clone(),
            // Base name and number are valid, so only the length can be wrong.
            Some(_) => match UnitName::new(&format!("{base}@{text}")) {
                Ok(name) => name,
                Err(why) => {
                    if let Some(field) = reader.field("instances") {
                        reader.wrong(&field, Wrong::new(why.to_string()));
                    }
                    return None;
                }
            },
        };
        let mut environment = self.environment.clone();
        for (_, value) in &mut environment.variables {
            *value = fill(value);
        }
        if numbered {
            environment
                .variables
                .retain(|(name, _)| name != "ABIDE_INSTANCE");
            environment
                .variables
                .push(("ABIDE_INSTANCE".into(), text.clone()));
        }
        let directory = directory(reader, self.directory.as_deref().map(fill));
        if !numbered {
            warn_of_instance(reader);
        }
        let path = search_path(&environment).to_owned();
        let command = self.command.as_ref().map(|(command, spans)| {
            let command = match command {
                Command::Shell(line) => Command::Shell(fill(line)),
                Command::Argv(argv) => Command::Argv(argv.iter().map(|word| fill(word)).collect()),
            };
            if let (Command::Argv(argv), Some(span), Some(directory)) =
                (&command, spans.first(), &directory)
                && let Some(program) = argv.first()
                && let Err(wrong) = find_program(program, directory, &path)
                && let Some(field) = reader.field("command")
            {
                reader.wrong_at(&field, span.clone(), wrong);
            }
            command
        });
        let directory = directory?;
        let here = Here {
            directory: &directory,
            path: &path,
            fill: &fill,
            first: number.is_none_or(|number| number == 1),
        };
        let policy = self.policy(reader, &here);
        let socket = self
            .socket
            .as_ref()
            .map(|socket| socket.settle(reader, &here, base.base()));
        let launch = Launch {
            command: command?,
            directory: directory.clone(),
            environment,
            user: account.user.clone(),
            password_file: account.password_file.clone(),
            group: account.group.clone(),
            socket: socket.unwrap_or_default(),
            ..self.launch.clone()
        };
        let policy = Policy {
            launch_digest: launch_digest(&launch, &policy, &self.log, self.notify.asked_for),
            ..policy
        };
        let spec = Spec {
            name,
            description: self.description.clone(),
            policy,
            launch,
            log: self.log.clone(),
            source: source.clone(),
        };
        Some(Resolved {
            spec,
            settings: settings(reader, numbered.then_some(text.as_str())),
        })
    }

    /// What the core reads, for one instance.
    fn policy(&self, reader: &Reader<'_>, here: &Here<'_>) -> Policy {
        let mut policy = self.policy.clone();
        let mut hooks: Vec<_> = self
            .hooks
            .iter()
            .map(|(kind, hook)| (*kind, hook.settle(reader, here)))
            .collect();
        if let Some(health) = &self.health {
            let (check, commands) = health.settle(reader, here);
            policy.health = Some(check);
            hooks.extend(
                commands
                    .into_iter()
                    .map(|hook| (HookKind::OnUnhealthy, hook)),
            );
        }
        policy.hooks = Hooks(hooks);
        policy.stop = self.stop.settle(reader, here);
        policy.reload = self
            .reload
            .as_ref()
            .map(|reload| reload.settle(reader, here));
        policy.ready = self
            .ready
            .as_ref()
            .and_then(|ready| ready.settle(reader, here));
        policy.heartbeat = self
            .heartbeat
            .as_ref()
            .map(|beat| beat.settle(reader, here));
        policy
    }

    /// Where each of its sockets is written.
    pub fn socket_places(&self) -> Vec<Range<usize>> {
        self.socket
            .iter()
            .flat_map(|socket| socket.places().cloned())
            .collect()
    }
}

/// Reads the keys of the hooks.
fn hooks(reader: &Reader<'_>) -> Vec<(HookKind, hook::Written)> {
    HookKind::ALL
        .into_iter()
        .filter(|kind| *kind != HookKind::OnUnhealthy) // stands in `health`
        .flat_map(|kind| {
            let hooks = hook::hooks(reader, kind.as_str());
            hooks.into_iter().map(move |hook| (kind, hook))
        })
        .collect()
}

/// Reports a descriptor of `ready` that another one already has.
fn clash(
    reader: &Reader<'_>,
    ready: Option<&ready::Written>,
    socket: Option<&socket::Written>,
    stored: u32,
) {
    let Some(number) = ready.and_then(ready::Written::fd) else {
        return;
    };
    let sockets = socket.map_or(0, socket::Written::descriptors);
    let free = 3 + sockets + stored;
    if number.value >= free {
        return;
    }
    let whose = match number.value < 3 + sockets {
        true => "the program finds its sockets",
        false => "the program finds what it left with abide",
    };
    let wrong = Wrong::new(format!("on descriptor {} {whose}", number.value))
        .label("taken")
        .help(format!("the first one that is free is {free}"));
    reader.wrong_placed(number, wrong);
}

/// Warns of an `{instance}` that nothing replaces.
fn warn_of_instance(reader: &Reader<'_>) {
    let Some(field) = reader.field("command") else {
        return;
    };
    let mentions = |value: &DeValue<'_>| {
        value
            .as_str()
            .is_some_and(|text| text.contains("{instance}"))
    };
    let found = match field.value.get_ref() {
        DeValue::Array(items) => items.iter().any(|item| mentions(item.get_ref())),
        value => mentions(value),
    };
    if found {
        reader.context.report(
            reader
                .context
                .source
                .warning(field.value.span(), "`{instance}` is passed on as it stands")
                .help("add `instances = N` to have it replaced"),
        );
    }
}

/// What was noted, with the last note of a key alone, and the instance's own variable.
fn settings(reader: &Reader<'_>, instance: Option<&str>) -> Vec<Setting> {
    if !reader.context.caller.origins {
        return Vec::new();
    }
    let mut settings: Vec<Setting> = Vec::new();
    for setting in reader.settings() {
        match settings.iter_mut().find(|other| other.key == setting.key) {
            Some(other) => *other = setting,
            None => settings.push(setting),
        }
    }
    if let Some(text) = instance {
        let value = show_text(text);
        settings.push(Setting {
            key: "environment.ABIDE_INSTANCE".into(),
            value,
            origin: Origin::BuiltIn,
        });
    }
    settings.sort_by_cached_key(rank);
    settings
}

/// The place of a setting's key in the reference.
fn rank(setting: &Setting) -> usize {
    let key = setting.key.split('.').next().unwrap_or_default();
    keys::of(Table::Unit)
        .position(|row| row.name == key)
        .unwrap_or(usize::MAX)
}

fn description(reader: &Reader<'_>) -> Option<String> {
    let text = reader.get::<String>("description")?;
    if let Some(field) = reader
        .field("description")
        .filter(|_| text.contains(|c: char| c.is_control()))
    {
        reader.wrong(
            &field,
            Wrong::new("a description is one line")
                .help("take line breaks and control characters out"),
        );
        return None;
    }
    Some(text)
}
