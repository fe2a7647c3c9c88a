//! One unit: its layers read, its instances told apart.

use std::ops::Range;
use std::path::{Path, PathBuf};

use abide_model::{
    Command, EnvironmentSpec, Launch, Policy, Ready, Source, Spec, StdinSpec, UnitName,
};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::command::{command, find_program};
use super::environment::environment;
use super::{Layer, LayerKind, Reader, limits, ready, restart, stop};
use crate::context::Context;
use crate::digest::launch_digest;
use crate::document::{Origin, Resolved, Setting};
use crate::keys::Table;
use crate::source::quoted;
use crate::values::{Int, Mode, Value, Wrong, show_text};

/// A name under `requires`, `wants` or `after`, not yet looked up.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub kind: Kind,
    pub text: String,
    pub span: Range<usize>,
}

/// Which of the three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Requires,
    Wants,
    After,
}

impl Kind {
    pub fn key(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::Wants => "wants",
            Self::After => "after",
        }
    }
}

/// A unit whose dependencies are not yet looked up.
pub(crate) struct Draft {
    /// Full name without an instance.
    pub name: UnitName,
    /// The name in its header.
    pub span: Range<usize>,
    pub dependencies: Vec<Dependency>,
    /// One, or one per instance.
    pub units: Vec<Resolved>,
    pub inherited: Vec<String>,
}

/// Checks the values of `[defaults]` that no unit may ever use.
pub(crate) fn defaults<'c>(context: &'c Context<'c>, table: &'c DeTable<'c>) {
    let reader = Reader::new(
        context,
        Table::Unit,
        with_overlay(LayerKind::Defaults, table),
    );
    Template::read(&reader);
    account(&reader);
}

/// Reads `[service.NAME]`.
pub(crate) fn unit<'c>(
    context: &'c Context<'c>,
    group: Option<&str>,
    (key, value): (
        &'c Spanned<std::borrow::Cow<'c, str>>,
        &'c Spanned<DeValue<'c>>,
    ),
    defaults: Option<&'c DeTable<'c>>,
) -> Option<Draft> {
    let name = name(context, group, key);
    let DeValue::Table(table) = value.get_ref() else {
        context.report(
            context
                .source
                .error(
                    value.span(),
                    format!("unit {} is not a table", quoted(key.get_ref())),
                )
                .help(format!(
                    "write it as a table of its own: [service.{}]",
                    key.get_ref()
                )),
        );
        return None;
    };
    let mut layers =
        defaults.map_or_else(Vec::new, |table| with_overlay(LayerKind::Defaults, table));
    layers.extend(with_overlay(LayerKind::Unit, table));
    let reader = Reader::new(context, Table::Unit, layers);
    let template = Template::read(&reader);
    let (user, unix_group) = account(&reader);
    if reader.field("command").is_none() {
        context.report(
            context
                .source
                .error(
                    key.span(),
                    format!("unit {} has no command", quoted(key.get_ref())),
                )
                .label("nothing to run")
                .help("add `command = \"PROGRAM ARGUMENT…\"`"),
        );
    }
    let name = name?;
    let numbers = instances(&reader, &name);
    let line = context.source.line(key.span().start);
    let source = Source {
        file: context.source.path.clone(),
        line,
    };
    let units = numbers
        .into_iter()
        .filter_map(|number| template.instance(&reader, &name, number, &user, &unix_group, &source))
        .collect();
    Some(Draft {
        name,
        span: key.span(),
        dependencies: template.dependencies,
        units,
        inherited: template.inherited,
    })
}

/// A table, and over it what its `linux` table says.
fn with_overlay<'c>(kind: LayerKind, table: &'c DeTable<'c>) -> Vec<Layer<'c>> {
    let mut layers = vec![Layer { kind, table }];
    let overlay = if cfg!(windows) { "windows" } else { "linux" };
    if let Some(DeValue::Table(table)) = table.get(overlay).map(Spanned::get_ref) {
        layers.push(Layer { kind, table });
    }
    layers
}

fn name(
    context: &Context<'_>,
    group: Option<&str>,
    key: &Spanned<std::borrow::Cow<'_, str>>,
) -> Option<UnitName> {
    let text = key.get_ref();
    let wrong = if text.contains('@') {
        Wrong::new("`@` stands before an instance's number")
            .help("write `instances = N` in the unit")
    } else if text.contains(':') {
        Wrong::new("`:` stands between group and name")
            .help("write `group = \"GROUP\"` at the top of the file")
    } else {
        match UnitName::from_parts(group, text, None) {
            Ok(name) => return Some(name),
            Err(why) => Wrong::new(why.to_string()),
        }
    };
    let mut report = context.source.error(
        key.span(),
        format!(
            "{} cannot be the name of a unit: {}",
            quoted(text),
            wrong.message
        ),
    );
    report.help = wrong.help;
    context.report(report);
    None
}

/// The numbers of the instances; `None` for a unit that has no instances.
fn instances(reader: &Reader<'_>, name: &UnitName) -> Vec<Option<u32>> {
    let written = reader.get_or::<Int<1, 10_000>>("instances", Int(1)).0;
    let count = match reader.context.caller.scale.get(name.as_str()) {
        Some(scaled) => {
            reader.note_as("instances".into(), scaled.to_string(), Origin::Scale);
            *scaled
        }
        None => u32::try_from(written).unwrap_or(1),
    };
    if count <= 1 {
        vec![None]
    } else {
        (1..=count).map(Some).collect()
    }
}

fn account(reader: &Reader<'_>) -> (Option<String>, Option<String>) {
    let accounts = &reader.context.caller.accounts;
    let one = |key: &str, exists: &dyn Fn(&str) -> bool, example: &str| {
        let field = reader.field(key)?;
        let name = match field.value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            other => match String::read(other) {
                Ok(name) => name,
                Err(wrong) => {
                    reader.wrong(&field, wrong);
                    return None;
                }
            },
        };
        reader.note(&field, show_text(&name));
        if name.parse::<u32>().is_ok() {
            return Some(name);
        }
        if name.is_empty() || !exists(&name) {
            let wrong = Wrong::new(format!(
                "there is no {key} {} on this machine",
                quoted(&name)
            ))
            .label("unknown")
            .help(format!("create it (`{example}`), or name another"));
            reader.wrong(&field, wrong);
            return None;
        }
        Some(name)
    };
    (
        one(
            "user",
            &|name| accounts.has_user(name),
            "useradd --system NAME",
        ),
        one(
            "group",
            &|name| accounts.has_group(name),
            "groupadd --system NAME",
        ),
    )
}

/// All of a unit but what depends on the instance.
struct Template {
    command: Option<(Command, Vec<Range<usize>>)>,
    directory: Option<String>,
    environment: EnvironmentSpec,
    inherited: Vec<String>,
    description: Option<String>,
    policy: Policy,
    launch: Launch,
    log: abide_model::LogSpec,
    dependencies: Vec<Dependency>,
    numbered: bool,
}

impl Template {
    /// Reads in the order of the reference, which is the order of `abide show`.
    fn read(reader: &Reader<'_>) -> Self {
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
        let oom_score = reader
            .get::<Int<-1000, 1000>>("oom_score")
            .map(|n| narrow(n.0));
        stdin(reader);
        let policy = Policy {
            unit_type,
            enabled,
            restart,
            success_exit: restart::success_exit(reader),
            backoff: restart::backoff(reader),
            give_up: restart::give_up(reader),
            stop: stop::stop(reader),
            reload: stop::reload(reader),
            ready: ready::ready(reader),
            heartbeat: ready::heartbeat(reader),
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
            group: None,
            umask,
            priority,
            oom_score,
            stdin: StdinSpec::Null,
            limits: limits::limits(reader),
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
            dependencies,
            numbered: reader.field("instances").is_some(),
        }
    }

    /// One unit of it. Mistakes are reported; what is returned is complete but for those.
    fn instance(
        &self,
        reader: &Reader<'_>,
        base: &UnitName,
        number: Option<u32>,
        user: &Option<String>,
        group: &Option<String>,
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
        let path = environment
            .get("PATH")
            .unwrap_or(EnvironmentSpec::DEFAULT_PATH)
            .to_owned();
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
        let mut policy = self.policy.clone();
        if let (Some(ready), Some(directory)) = (&self.policy.ready, &directory) {
            policy.ready = settle_ready(reader, ready, directory, &path, &fill);
        }
        let launch = Launch {
            command: command?,
            directory: directory?,
            environment,
            user: user.clone(),
            group: group.clone(),
            ..self.launch.clone()
        };
        policy.launch_digest = launch_digest(&launch, &policy, &self.log);
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
    settings
}

fn settle_ready(
    reader: &Reader<'_>,
    ready: &Ready,
    directory: &Path,
    path: &str,
    fill: &dyn Fn(&str) -> String,
) -> Option<Ready> {
    let probe = ready::settle(&ready.probe, directory, fill).and_then(|probe| {
        if let abide_model::ProbeKind::Exec(argv) = &probe
            && let Some(program) = argv.first()
        {
            find_program(program, directory, path)?;
        }
        Ok(probe)
    });
    match probe {
        Ok(probe) => Some(Ready {
            within: ready.within,
            probe,
        }),
        Err(wrong) => {
            ready::wrong(reader, wrong);
            None
        }
    }
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

fn stdin(reader: &Reader<'_>) {
    let text = reader.get_or("stdin", String::from("null"));
    let Some(field) = reader.field("stdin") else {
        return;
    };
    let wrong = match text.as_str() {
        "null" => return,
        "pipe" => Wrong::new("\"pipe\" is not in this version of abide")
            .help("write \"null\", or take it out"),
        other => Wrong::new(format!("{} is not a kind of input", quoted(other)))
            .help("write \"null\", or take it out"),
    };
    reader.wrong(&field, wrong);
}

/// The folder it runs in, if it is there.
fn directory(reader: &Reader<'_>, written: Option<String>) -> Option<PathBuf> {
    let folder = reader.context.source.folder();
    let Some(field) = reader.field("directory") else {
        return Some(folder.to_owned());
    };
    let written = written?;
    let wrong = |why: Wrong| {
        reader.wrong(&field, why);
        None
    };
    if written.is_empty() {
        return wrong(Wrong::new("it is empty").help("write \".\" for this file's folder"));
    }
    if written == "~" || written.starts_with("~/") {
        return wrong(Wrong::new("`~` stands for nothing here").help("write the whole path"));
    }
    let path = normal(&folder.join(&written));
    match std::fs::metadata(&path) {
        Ok(data) if data.is_dir() => Some(path),
        Ok(_) => wrong(
            Wrong::new(format!("{} is not a directory", quoted(&written))).label("not a directory"),
        ),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => wrong(
            Wrong::new(format!("the directory {} does not exist", quoted(&written)))
                .label("no such directory")
                .help(format!(
                    "create {}, or name another; it is relative to this file",
                    path.display()
                )),
        ),
        // The unit's user may see what we cannot.
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => Some(path),
        Err(why) => wrong(Wrong::new(format!(
            "cannot look at {}: {why}",
            quoted(&written)
        ))),
    }
}

/// Without `.` parts; `..` stays, because the part before it may be a symbolic link.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

fn dependencies(reader: &Reader<'_>, kind: Kind) -> Vec<Dependency> {
    let Some((field, names)) = reader.texts(kind.key(), false) else {
        if reader.field(kind.key()).is_none() {
            reader.built_in(kind.key(), "[]".into());
        }
        return Vec::new();
    };
    let mut taken = Vec::new();
    for name in names {
        let (span, text) = (name.span(), name.into_inner());
        match UnitName::new(&text) {
            Ok(_) => taken.push(Dependency { kind, text, span }),
            Err(why) => {
                reader.wrong_at(
                    &field,
                    span,
                    Wrong::new(format!("{} is not a unit's name: {why}", quoted(&text))),
                );
            }
        }
    }
    reader.note(
        &field,
        crate::values::show_texts(taken.iter().map(|dependency| dependency.text.as_str())),
    );
    taken
}
