//! From arguments to documents: files found, read, parsed, decoded, and linked.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::caller::Caller;
use crate::context::Context;
use crate::decode::{self, Draft};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{DaemonSettings, Document, Loaded};
use crate::keys::{Table, check_table};
use crate::link::{self, Linkable};
use crate::read::{self, Limit};
use crate::source::{SourceText, quoted};
use crate::syntax::{self, top};
use crate::values::{Value as _, Wrong};
use crate::version;

/// One file, decoded but not linked.
pub(crate) struct Part {
    pub source: SourceText,
    argument: PathBuf,
    daemon: DaemonSettings,
    once: Once,
    group: Option<String>,
    drafts: Vec<Draft>,
    found: Diagnostics,
    /// Every table of it could be read.
    whole: bool,
}

/// The places of what only one file may have.
#[derive(Default)]
struct Once {
    report: Option<Range<usize>>,
    monitor: Option<Range<usize>>,
    system_log: Option<Range<usize>>,
}

/// See [`crate::load`].
pub(crate) fn load(files: &[PathBuf], caller: &Caller) -> Loaded {
    let mut loaded = Loaded::default();
    let mut parts: Vec<Part> = Vec::new();
    let mut whole = true;
    let (found, missing) = find(files, caller);
    for diagnostic in missing {
        whole = false;
        loaded.diagnostics.push(diagnostic);
    }
    for (argument, file) in found {
        match read::text(&file, Limit::CONFIGURATION) {
            Ok(text) => parts.push(decode(SourceText::new(&file, text), argument, caller)),
            Err(why) => {
                whole = false;
                loaded.diagnostics.push(unreadable(&file, &why));
            }
        }
    }
    for part in &mut parts {
        loaded.diagnostics.extend(std::mem::take(&mut part.found));
    }
    link_all(&mut parts, caller, whole, &mut loaded.diagnostics);
    in_one_file(
        &parts,
        "`system_log` of [daemon]",
        |once| &once.system_log,
        &mut loaded.diagnostics,
    );
    in_one_file(
        &parts,
        "[report]",
        |once| &once.report,
        &mut loaded.diagnostics,
    );
    in_one_file(
        &parts,
        "[monitor]",
        |once| &once.monitor,
        &mut loaded.diagnostics,
    );
    loaded.diagnostics.sort();
    for part in parts {
        for address in &part.daemon.listen {
            if !loaded.daemon.listen.contains(address) {
                loaded.daemon.listen.push(*address);
            }
        }
        let DaemonSettings {
            report,
            monitor,
            system_log,
            ..
        } = &part.daemon;
        loaded.daemon.report = loaded.daemon.report.or_else(|| report.clone());
        loaded.daemon.monitor = loaded.daemon.monitor.or_else(|| monitor.clone());
        loaded.daemon.system_log = loaded.daemon.system_log.or_else(|| system_log.clone());
        let path = part.source.path.clone();
        let warnings = loaded.diagnostics.warnings();
        let mut document = document(part);
        document.warnings.items = warnings
            .items
            .into_iter()
            .filter(|item| item.file == path)
            .collect();
        loaded.documents.push(document);
    }
    loaded
}

/// Reports a table that is in more than one file: nobody could tell which one holds.
fn in_one_file(
    parts: &[Part],
    name: &str,
    place: fn(&Once) -> &Option<Range<usize>>,
    diagnostics: &mut Diagnostics,
) {
    let mut places = parts
        .iter()
        .filter_map(|part| Some((part, place(&part.once).clone()?)));
    let Some((first, span)) = places.next() else {
        return;
    };
    for (part, other) in places {
        let report = part
            .source
            .error(other, format!("{name} is in two files"))
            .label("the second one")
            .help("take one of them out: abide has one of it, whatever the number of files");
        let note = first.source.note(&span, "the first one is here");
        diagnostics.push(report.note(note));
    }
}

/// See [`crate::parse`].
pub(crate) fn parse(text: &str, path: &Path, caller: &Caller) -> Result<Document, Diagnostics> {
    let mut parts = vec![decode(
        SourceText::new(path, text.to_owned()),
        path.to_owned(),
        caller,
    )];
    let mut diagnostics = Diagnostics::default();
    for part in &mut parts {
        diagnostics.extend(std::mem::take(&mut part.found));
    }
    link_all(&mut parts, caller, true, &mut diagnostics);
    diagnostics.sort();
    match parts.pop() {
        Some(part) if !diagnostics.has_errors() => Ok(Document {
            warnings: diagnostics,
            ..document(part)
        }),
        _ => Err(diagnostics),
    }
}

/// See [`crate::inherits`].
pub(crate) fn inherits(files: &[PathBuf], caller: &Caller) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, file) in find(files, caller).0 {
        let Ok(text) = read::text(&file, Limit::CONFIGURATION) else {
            continue;
        };
        // Most files name none, and need not be parsed for it. With a backslash a key may be written otherwise.
        if !text.contains("inherit") && !text.contains('\\') {
            continue;
        }
        let source = SourceText::new(&file, text);
        let sound = syntax::sound(&source);
        let tree = sound.tree();
        let table = |name| tree.get(name).and_then(|value| value.get_ref().as_table());
        let units = table("service")
            .into_iter()
            .flatten()
            .filter_map(|(_, unit)| unit.get_ref().as_table());
        for unit in table("defaults").into_iter().chain(units) {
            names.extend(decode::wanted(unit));
        }
    }
    names
}

/// The files that the arguments mean, each once, with the argument; and the arguments that mean none.
fn find(arguments: &[PathBuf], caller: &Caller) -> (Vec<(PathBuf, PathBuf)>, Vec<Diagnostic>) {
    let (mut found, mut missing): (Vec<(PathBuf, PathBuf)>, Vec<Diagnostic>) =
        (Vec::new(), Vec::new());
    for argument in arguments {
        let path = crate::source_name(argument, &caller.directory);
        if !path.is_dir() {
            if !found.iter().any(|(_, file)| *file == path) {
                found.push((path.clone(), path));
            }
            continue;
        }
        match folder(&path) {
            Ok(files) if files.is_empty() => missing.push(
                Diagnostic::about_file(&path, "this directory holds no configuration".into())
                    .help("a configuration is called abide.toml, or NAME.toml"),
            ),
            Ok(files) => {
                for file in files {
                    if !found.iter().any(|(_, other)| *other == file) {
                        found.push((path.clone(), file));
                    }
                }
            }
            Err(why) => missing.push(Diagnostic::about_file(
                &path,
                format!("this directory cannot be read: {why}"),
            )),
        }
    }
    (found, missing)
}

/// The configurations of a folder: `abide.toml`, then the others by name.
fn folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if file.extension().is_some_and(|ext| ext == "toml")
            && !name.starts_with('.')
            && !file.is_dir()
        {
            files.push((name != "abide.toml", name, file));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, _, file)| file).collect())
}

fn unreadable(file: &Path, why: &read::Failure) -> Diagnostic {
    let report = Diagnostic::about_file(file, format!("this file cannot be read: {why}"));
    match why {
        read::Failure::Missing => {
            report.help("look at the path; `abide check` without a file takes ./abide.toml")
        }
        read::Failure::TooLarge(..) => {
            report.help("give the right file, or split it and give its folder")
        }
        read::Failure::Binary(_) => report.help("a configuration is TOML, in UTF-8"),
        _ => report,
    }
}

fn decode(source: SourceText, argument: PathBuf, caller: &Caller) -> Part {
    let mut part = Part {
        argument,
        daemon: DaemonSettings::default(),
        once: Once::default(),
        group: None,
        drafts: Vec::new(),
        found: Diagnostics::default(),
        whole: true,
        source,
    };
    let context = Context::new(&part.source, caller);
    let sound = syntax::sound(&part.source);
    let tree = sound.tree();
    if is_for_us(&context, &tree) {
        part.whole = sound.mistakes.is_empty();
        for mistake in &sound.mistakes {
            context.report(mistake.clone());
        }
        let units = !sound.defaults_lost;
        part.whole &= file(
            &context,
            &tree,
            units,
            (&mut part.daemon, &mut part.once),
            &mut part.group,
            &mut part.drafts,
        );
    } else {
        part.whole = false;
    }
    part.found = context.into_found();
    part
}

/// Whether this version can read the file at all; says so if not, and then nothing else is said.
fn is_for_us(context: &Context<'_>, tree: &DeTable<'_>) -> bool {
    let Some((_, value)) = top(tree, "abide") else {
        return true;
    };
    let wrong = match String::read(value.get_ref()) {
        Err(wrong) => wrong.help("such as `abide = \">=0.1\"`"),
        Ok(requirement) => match version::met(&requirement, version::OURS) {
            Ok(true) => return true,
            Err(wrong) => wrong,
            Ok(false) => {
                context.report(
                    context
                        .source
                        .error(
                            value.span(),
                            format!(
                                "this file needs abide {requirement}, and this is abide {}",
                                version::OURS
                            ),
                        )
                        .help("install that version; nothing else in this file was looked at"),
                );
                return false;
            }
        },
    };
    let mut report = context
        .source
        .error(value.span(), format!("`abide`: {}", wrong.message))
        .label(wrong.label);
    report.help = wrong.help;
    context.report(report);
    true
}

/// Decodes every sound table, the units only if `units`; whether all of its units could be named.
fn file(
    context: &Context<'_>,
    tree: &DeTable<'_>,
    units: bool,
    (settings, once): (&mut DaemonSettings, &mut Once),
    group: &mut Option<String>,
    drafts: &mut Vec<Draft>,
) -> bool {
    check_table(context, tree, Table::File);
    *group = read_group(context, tree);
    let defaults = table(context, tree, "defaults");
    if let Some(defaults) = defaults {
        decode::defaults(context, defaults);
    }
    if let Some(daemon) = table(context, tree, "daemon") {
        *settings = decode::daemon(context, daemon);
        let key = daemon.get_key_value("system_log");
        once.system_log = key.map(|(key, _)| key.span());
    }
    let header = |name| top(tree, name).map(|(span, _)| span);
    once.report = header("report");
    once.monitor = header("monitor");
    if let (Some(span), Some(found)) = (header("report"), table(context, tree, "report")) {
        settings.report = decode::report(context, span, found);
    }
    if let (Some(span), Some(found)) = (header("monitor"), table(context, tree, "monitor")) {
        settings.monitor = decode::monitor(context, span, found);
    }
    if !units {
        return false;
    }
    let Some(services) = table(context, tree, "service") else {
        return true;
    };
    let mut units: Vec<_> = services.iter().collect();
    units.sort_by_key(|(key, _)| key.span().start);
    let mut whole = true;
    for (key, value) in units {
        match decode::unit(context, group.as_deref(), (key, value), defaults) {
            Some(draft) => drafts.push(draft),
            None => whole = false,
        }
    }
    whole
}

fn table<'t>(context: &Context<'_>, tree: &'t DeTable<'t>, name: &str) -> Option<&'t DeTable<'t>> {
    let (_, value) = top(tree, name)?;
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        other => {
            let wrong = Wrong::kind(other, "a table");
            let header = if name == "service" {
                "[service.NAME]".to_owned()
            } else {
                format!("[{name}]")
            };
            let report = context
                .source
                .error(value.span(), format!("`{name}`: {}", wrong.message));
            context.report(report.help(format!("write it as a table of its own: {header}")));
            None
        }
    }
}

fn read_group(context: &Context<'_>, tree: &DeTable<'_>) -> Option<String> {
    let (_, value) = top(tree, "group")?;
    let (message, help) = match String::read(value.get_ref()) {
        Err(wrong) => (wrong.message, wrong.help),
        Ok(name) => match abide_model::UnitName::from_parts(Some(&name), "x", None) {
            Ok(full) if full.group() == Some(&name) => return Some(name),
            Ok(_) => (
                format!("{} is not the name of a group", quoted(&name)),
                None,
            ),
            Err(why) => (
                format!("{} is not the name of a group: {why}", quoted(&name)),
                None,
            ),
        },
    };
    let mut report = context
        .source
        .error(value.span(), format!("`group`: {message}"));
    report.help = help;
    context.report(report);
    None
}

fn link_all(parts: &mut [Part], caller: &Caller, all_read: bool, diagnostics: &mut Diagnostics) {
    // With a table missing, a name that is not there may stand in it: nothing can be said then.
    let complete = all_read && parts.iter().all(|part| part.whole);
    let mut linkable: Vec<Linkable<'_>> = parts
        .iter_mut()
        .map(|part| Linkable {
            source: &part.source,
            group: part.group.as_deref(),
            drafts: &mut part.drafts,
        })
        .collect();
    link::link(&mut linkable, &caller.known, complete, diagnostics);
}

fn document(part: Part) -> Document {
    let mut inherited: Vec<String> = part
        .drafts
        .iter()
        .flat_map(|draft| draft.inherited.clone())
        .collect();
    inherited.sort();
    inherited.dedup();
    Document {
        file: part.source.path,
        argument: part.argument,
        daemon: part.daemon,
        units: part
            .drafts
            .into_iter()
            .flat_map(|draft| draft.units)
            .collect(),
        inherited,
        warnings: Diagnostics::default(),
    }
}
