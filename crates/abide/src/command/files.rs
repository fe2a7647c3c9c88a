//! Configuration files, as they are named on a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_config::{Caller, Loaded};

use super::Context;
use crate::failure::{Code, Failure};
use crate::term::Palette;

/// The file that is taken when none is named.
pub(super) const DEFAULT: &str = "abide.toml";

/// The names under which these files are remembered.
///
/// # Errors
/// The working directory is gone.
pub(super) fn absolute(files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let directory = caller()?.directory;
    Ok(files
        .iter()
        .map(|file| abide_config::source_name(file, &directory))
        .collect())
}

/// The files that were named, else `./abide.toml` if it is there, else none.
///
/// # Errors
/// As for [`absolute`].
pub(super) fn named_or_default(files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if files.is_empty() && Path::new(DEFAULT).exists() {
        return absolute(&[PathBuf::from(DEFAULT)]);
    }
    absolute(files)
}

/// Like [`named_or_default`], for commands that need a file.
///
/// # Errors
/// There is none.
pub(super) fn required(files: &[PathBuf], command: &str) -> Result<Vec<PathBuf>, Failure> {
    let files = named_or_default(files)?;
    if files.is_empty() {
        return Err(
            Failure::usage(format!("no file was named, and there is no {DEFAULT} here"))
                .help(format!("name one: `abide {command} FILE`")),
        );
    }
    Ok(files)
}

/// Who types: where they are, and nothing of their environment yet.
///
/// # Errors
/// The working directory is gone.
pub(super) fn caller() -> Result<Caller, Failure> {
    let directory = std::env::current_dir()
        .map_err(|e| Failure::new(format!("cannot tell the working directory: {e}")))?;
    Ok(Caller {
        directory,
        ..abide_daemon::handle::caller()
    })
}

/// The variables of our environment that these files' `inherit` names.
pub(super) fn inherited(files: &[PathBuf], caller: &Caller) -> BTreeMap<String, String> {
    let wanted = abide_config::inherits(files, caller);
    wanted
        .into_iter()
        .filter_map(|name| std::env::var(&name).ok().map(|value| (name, value)))
        .collect()
}

/// Reads the files here, so that a mistake is shown with its place before the daemon is bothered.
///
/// # Errors
/// Every mistake, as it is to be shown. Warnings are shown at once.
pub(super) async fn check_first(
    context: &mut Context<'_>,
    files: &[PathBuf],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut caller = caller()?;
    caller.environment = inherited(files, &caller);
    caller.known = known_elsewhere(context, files).await;
    caller.origins = false;
    let loaded = abide_config::load(files, &caller);
    report(&loaded, context.out.error_palette)?;
    Ok(caller.environment)
}

/// Units that the daemon has from other files: a dependency may name them.
async fn known_elsewhere(
    context: &Context<'_>,
    files: &[PathBuf],
) -> BTreeSet<abide_model::UnitName> {
    // Without a daemon there are none that we know of; the daemon checks again.
    let units = context.client.units(&[]).await.unwrap_or_default();
    units
        .into_iter()
        .filter(|unit| {
            let ours = |source: &Path| files.iter().any(|file| source.starts_with(file));
            !unit
                .source
                .as_ref()
                .is_some_and(|source| ours(&source.file))
        })
        .filter_map(|unit| unit.name.parse().ok())
        .collect()
}

/// Shows warnings; mistakes are the error.
///
/// # Errors
/// Every mistake, as it is to be shown.
pub(super) fn report(loaded: &Loaded, palette: Palette) -> Result<(), Failure> {
    let diagnostics = &loaded.diagnostics;
    if diagnostics.is_empty() {
        return Ok(());
    }
    let text = diagnostics.render(palette.is_on());
    if diagnostics.has_errors() {
        return Err(Failure::rendered(text, Code::Usage));
    }
    std::io::stderr().write_all(text.as_bytes())?;
    Ok(())
}
