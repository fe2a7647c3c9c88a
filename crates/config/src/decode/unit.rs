//! One unit: its layers read, its instances told apart.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use abide_model::{ListenAddress, Source, UnitName};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::account::account;
use super::template::Template;
use super::{Layer, LayerKind, Reader};
use crate::context::Context;
use crate::document::{Origin, Resolved};
use crate::keys::Table;
use crate::source::quoted;
use crate::values::{Int, Wrong, show_texts};

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
    /// Where it listens, and where that is written.
    pub sockets: BTreeMap<ListenAddress, Range<usize>>,
}

/// Checks the values of `[defaults]` that no unit may ever use.
pub(crate) fn defaults<'c>(context: &'c Context<'c>, table: &'c DeTable<'c>) {
    let reader = Reader::new(
        context,
        Table::Unit,
        with_overlay(context, LayerKind::Defaults, table),
    );
    Template::read(&reader);
    account(&reader);
}

/// Reads `[service.NAME]`.
pub(crate) fn unit<'c>(
    context: &'c Context<'c>,
    group: Option<&str>,
    (key, value): (&'c Spanned<Cow<'c, str>>, &'c Spanned<DeValue<'c>>),
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
    let mut layers = defaults.map_or_else(Vec::new, |table| {
        with_overlay(context, LayerKind::Defaults, table)
    });
    layers.extend(with_overlay(context, LayerKind::Unit, table));
    let reader = Reader::new(context, Table::Unit, layers);
    let template = Template::read(&reader);
    let account = account(&reader);
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
    let mut units: Vec<Resolved> = Vec::new();
    let count = numbers.len();
    for number in numbers {
        let unit = template.instance(&reader, &name, number, &account, &source);
        if number == Some(1)
            && let Some(unit) = &unit
            && too_large(&reader, unit, count)
        {
            break;
        }
        units.extend(unit);
    }
    let places = template.socket_places();
    let mut sockets = BTreeMap::new();
    for unit in &units {
        let listen = unit
            .spec
            .launch
            .socket
            .iter()
            .flat_map(|socket| &socket.listen);
        // Instances share what is the same.
        for (listen, span) in listen.zip(&places) {
            sockets
                .entry(listen.address.clone())
                .or_insert_with(|| span.clone());
        }
    }
    Some(Draft {
        sockets,
        name,
        span: key.span(),
        dependencies: template.dependencies,
        units,
        inherited: template.inherited,
    })
}

/// More than this is no configuration but an attempt to fill the memory, in bytes.
const LARGEST: usize = 256 << 20;

/// Reports that so many copies of this unit would be too much to keep.
fn too_large(reader: &Reader<'_>, unit: &Resolved, count: usize) -> bool {
    // As it is stored and sent; what cannot be written is not large.
    let size = serde_json::to_vec(unit).map_or(0, |text| text.len());
    let total = size.saturating_mul(count);
    if total <= LARGEST {
        return false;
    }
    if let Some(field) = reader.field("instances") {
        let wrong = Wrong::new(format!(
            "{count} copies of a unit of {} KiB are {} MiB",
            size >> 10,
            total >> 20
        ))
        .label("more than 256 MiB")
        .help("make its command, its variables or its hooks shorter, or have fewer instances");
        reader.wrong(&field, wrong);
    }
    true
}

/// A table, and over it what its `linux` table says.
fn with_overlay<'c>(
    context: &Context<'_>,
    kind: LayerKind,
    table: &'c DeTable<'c>,
) -> Vec<Layer<'c>> {
    let mut layers = vec![Layer { kind, table }];
    let here = if cfg!(windows) { "windows" } else { "linux" };
    for system in ["linux", "windows"] {
        let Some(value) = table.get(system) else {
            continue;
        };
        match value.get_ref() {
            DeValue::Table(table) if system == here => layers.push(Layer { kind, table }),
            DeValue::Table(_) => {}
            other => {
                let wrong = Wrong::kind(other, "a table");
                let report = context
                    .source
                    .error(value.span(), format!("`{system}`: {}", wrong.message));
                context.report(report.help(format!("such as `{system} = {{ command = \"…\" }}`")));
            }
        }
    }
    layers
}

fn name(
    context: &Context<'_>,
    group: Option<&str>,
    key: &Spanned<Cow<'_, str>>,
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

pub(super) fn dependencies(reader: &Reader<'_>, kind: Kind) -> Vec<Dependency> {
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
        show_texts(taken.iter().map(|dependency| dependency.text.as_str())),
    );
    taken
}
