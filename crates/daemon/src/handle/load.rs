//! From files to sources. Reads files and blocks: never on the driver, never on the API's runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use abide_config::{Caller, DaemonSettings, Diagnostics, Document, Loaded};
use abide_model::UnitName;
use abide_platform::{logon, text};

use super::ConfigSource;
use crate::board::{Board, SourceInfo};
use crate::installed;

/// Reads configuration files and directories that somebody gave. Numbers of instances that were set
/// by hand are forgotten: the daemon shall agree with the files.
///
/// # Errors
/// Every mistake of every file.
pub fn load_files(
    board: &Board,
    files: &[PathBuf],
    environment: BTreeMap<String, String>,
) -> Result<Vec<ConfigSource>, Diagnostics> {
    let daemon = board.daemon();
    let caller = Caller {
        environment,
        known: known(board, &daemon.sources, files),
        origins: false,
        ..caller()
    };
    let mut sources = sources(board, abide_config::load(files, &caller), &caller)?;
    // A file that is no longer in a directory: its units go, as those of a file that lost them do.
    for old in daemon.sources {
        let of_these = old.argument != old.file && files.contains(&old.argument);
        if of_these && !sources.iter().any(|source| source.file == old.file) {
            sources.push(ConfigSource {
                file: old.file,
                argument: old.argument,
                specs: Vec::new(),
                environment: BTreeMap::new(),
                settings: DaemonSettings::default(),
                scale: BTreeMap::new(),
            });
        }
    }
    Ok(sources)
}

/// Reads again what is remembered, each file with the variables it was given with; those in
/// `environment` are newer.
///
/// # Errors
/// Every mistake of every file.
pub fn load_remembered(
    board: &Board,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<ConfigSource>, Diagnostics> {
    let remembered = board.daemon().sources;
    let mut together = caller();
    let mut agree = true;
    for source in &remembered {
        for (name, value) in &source.environment {
            let old = together.environment.insert(name.clone(), value.clone());
            agree &= old.is_none_or(|old| old == *value) || environment.contains_key(name);
        }
        together.scale.extend(source.scale.clone());
    }
    let newer = environment
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    together.environment.extend(newer.clone());
    let arguments = arguments(&remembered);
    if agree {
        together.known = known(board, &remembered, &arguments);
        return sources(board, abide_config::load(&arguments, &together), &together);
    }
    // One name, two values: each argument with its own.
    let mut all = Vec::new();
    for argument in arguments {
        let mut caller = Caller {
            scale: together.scale.clone(),
            known: known(board, &remembered, std::slice::from_ref(&argument)),
            ..caller()
        };
        for source in remembered
            .iter()
            .filter(|source| source.argument == argument)
        {
            caller.environment.extend(source.environment.clone());
        }
        caller.environment.extend(newer.clone());
        let loaded = abide_config::load(&[argument], &caller);
        all.extend(sources(board, loaded, &caller)?);
    }
    Ok(all)
}

/// Reads one remembered file again with other numbers of instances.
///
/// # Errors
/// Every mistake of the file.
pub fn load_scaled(
    board: &Board,
    source: &SourceInfo,
    scale: BTreeMap<String, u32>,
) -> Result<Option<ConfigSource>, Diagnostics> {
    let caller = Caller {
        environment: source.environment.clone(),
        scale,
        known: known(board, &[], std::slice::from_ref(&source.file)),
        ..caller()
    };
    let mut loaded = sources(
        board,
        abide_config::load(std::slice::from_ref(&source.file), &caller),
        &caller,
    )?;
    Ok(loaded.pop().map(|loaded| ConfigSource {
        argument: source.argument.clone(),
        ..loaded
    }))
}

/// Checks the text of a one-unit file that `abide run` made, as if it lay at `file`.
///
/// # Errors
/// Every mistake of the text.
pub fn load_text(
    board: &Board,
    text: &str,
    file: &Path,
    environment: BTreeMap<String, String>,
) -> Result<ConfigSource, Diagnostics> {
    let caller = Caller {
        environment,
        known: known(board, &[], &[file.to_owned()]),
        ..caller()
    };
    let mut document = abide_config::parse(text, file, &caller)?;
    document.argument = file.to_owned();
    Ok(source(document, &caller))
}

/// Brings along what this system knows.
#[must_use]
pub fn caller() -> Caller {
    let caller = Caller {
        unreadable: |encoding| text::can_read(encoding).err().map(|why| why.to_string()),
        ..Caller::default()
    };
    match logon::known() {
        None => caller,
        Some(accounts) => Caller { accounts, ..caller },
    }
}

fn sources(
    board: &Board,
    loaded: Loaded,
    caller: &Caller,
) -> Result<Vec<ConfigSource>, Diagnostics> {
    if loaded.diagnostics.has_errors() {
        return Err(loaded.diagnostics);
    }
    let hosted = board.daemon().hosted;
    let documents = loaded.documents.into_iter();
    let sources = documents.map(|document| {
        let mut source = source(document, caller);
        if let Some(hosted) = &hosted {
            source.specs.retain(|spec| base(&spec.name) == base(hosted));
            // Nothing of it comes along, so there is nothing to wait for; what it *requires* is refused.
            for spec in &mut source.specs {
                spec.policy.wants.clear();
                spec.policy.after.clear();
            }
            // What the file says of a daemon is meant for the one that has all of its units.
            source.settings = DaemonSettings::default();
        } else {
            leave_out_hosted(&mut source);
        }
        source
    });
    Ok(sources.collect())
}

/// Units that services of the operating system host are theirs. Who needs one waits for it no more: its manager
/// knows when it is to run.
fn leave_out_hosted(source: &mut ConfigSource) {
    for (hosted, service) in installed::hosted(&source.file) {
        let is_it = |name: &UnitName| base(name) == hosted.as_str();
        let before = source.specs.len();
        source.specs.retain(|spec| !is_it(&spec.name));
        if source.specs.len() == before {
            continue;
        }
        tracing::info!(unit = %hosted, service, "hosted by the operating system, and not kept here");
        for spec in &mut source.specs {
            let policy = &mut spec.policy;
            for names in [&mut policy.requires, &mut policy.wants, &mut policy.after] {
                names.retain(|name| !is_it(name));
            }
        }
    }
}

fn source(document: Document, caller: &Caller) -> ConfigSource {
    let specs: Vec<_> = document.units.into_iter().map(|unit| unit.spec).collect();
    let scale = caller.scale.iter().filter(|(name, _)| {
        specs
            .iter()
            .any(|spec: &abide_model::Spec| base(&spec.name) == name.as_str())
    });
    let scale = scale.map(|(name, n)| (name.clone(), *n)).collect();
    let inherited = document.inherited.iter().filter_map(|name| {
        let value = caller.environment.get(name)?;
        Some((name.clone(), value.clone()))
    });
    ConfigSource {
        environment: inherited.collect(),
        settings: document.daemon,
        scale,
        file: document.file,
        argument: document.argument,
        specs,
    }
}

/// Full name without the instance.
fn base(name: &UnitName) -> &str {
    name.as_str()
        .split_once('@')
        .map_or(name.as_str(), |(base, _)| base)
}

/// What the remembered files were found by, each once, in their order.
fn arguments(sources: &[SourceInfo]) -> Vec<PathBuf> {
    let mut arguments: Vec<PathBuf> = Vec::new();
    for source in sources {
        if !arguments.contains(&source.argument) {
            arguments.push(source.argument.clone());
        }
    }
    arguments
}

/// Units that come from other files than those that these arguments name.
fn known(board: &Board, sources: &[SourceInfo], files: &[PathBuf]) -> BTreeSet<UnitName> {
    let mut named: BTreeSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    let found = sources
        .iter()
        .filter(|source| files.contains(&source.argument));
    named.extend(found.map(|source| source.file.as_path()));
    let units = board.units();
    let others = units.iter().filter(|unit| {
        let file = &*unit.spec.file;
        !named.contains(file) && file.parent().is_none_or(|parent| !named.contains(parent))
    });
    others.map(|unit| unit.name.clone()).collect()
}
