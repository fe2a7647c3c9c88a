//! Reading configuration files for the driver and the API. Reads disks and may block: never on the
//! driver's thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use abide_config::{Caller, Diagnostics, Document};
use abide_model::UnitName;

use crate::board::SourceInfo;
use crate::handle::ConfigSource;

/// Every unit that is known, and the file it comes from.
pub type Known = Vec<(UnitName, PathBuf)>;

/// Reads remembered sources again, each by the argument it was found by, with the variables and the
/// numbers of instances that are remembered with it. A file that has gone from its directory is a
/// source without units.
///
/// # Errors
/// The mistakes of all files; nothing must be applied then.
pub fn reread(sources: &[SourceInfo], known: &Known) -> Result<Vec<ConfigSource>, Diagnostics> {
    let mut arguments: Vec<PathBuf> = Vec::new();
    let (mut environment, mut scale) = (BTreeMap::new(), BTreeMap::new());
    for source in sources {
        if !arguments.contains(&source.argument) {
            arguments.push(source.argument.clone());
        }
        environment.extend(source.environment.clone());
        scale.extend(source.scale.clone());
    }
    let files: BTreeSet<_> = sources.iter().map(|s| &s.file).collect();
    let caller = Caller {
        environment,
        scale,
        known: known
            .iter()
            .filter(|(_, file)| !files.contains(file))
            .map(|(name, _)| name.clone())
            .collect(),
        ..Caller::default()
    };
    let mut read = read(&arguments, &caller)?;
    for gone in sources.iter().filter(|s| s.argument != s.file) {
        if !read.iter().any(|r| r.file == gone.file) {
            read.push(ConfigSource {
                file: gone.file.clone(),
                argument: gone.argument.clone(),
                specs: Vec::new(),
                environment: BTreeMap::new(),
                listen: Vec::new(),
                scale: BTreeMap::new(),
            });
        }
    }
    Ok(read)
}

/// Reads files and directories.
///
/// # Errors
/// The mistakes of all files; nothing must be applied then.
pub fn read(arguments: &[PathBuf], caller: &Caller) -> Result<Vec<ConfigSource>, Diagnostics> {
    let loaded = abide_config::load(arguments, caller);
    if loaded.diagnostics.has_errors() {
        return Err(loaded.diagnostics);
    }
    Ok(loaded
        .documents
        .into_iter()
        .map(|document| source(document, caller))
        .collect())
}

fn source(document: Document, caller: &Caller) -> ConfigSource {
    let environment = document
        .inherited
        .iter()
        .filter_map(|name| Some((name.clone(), caller.environment.get(name)?.clone())))
        .collect();
    let specs: Vec<_> = document.units.into_iter().map(|unit| unit.spec).collect();
    let base = |name: &UnitName| {
        name.as_str()
            .split('@')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let bases: BTreeSet<String> = specs.iter().map(|s| base(&s.name)).collect();
    let scale = caller
        .scale
        .iter()
        .filter(|(name, _)| bases.contains(*name));
    ConfigSource {
        file: document.file,
        argument: document.argument,
        environment,
        listen: document.daemon.listen,
        scale: scale.map(|(name, n)| (name.clone(), *n)).collect(),
        specs,
    }
}
