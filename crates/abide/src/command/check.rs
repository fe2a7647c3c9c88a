//! `abide check`: are these files valid? Needs no daemon.

use std::io::Write as _;

use abide_config::Diagnostics;
use serde::Serialize;

use super::{Answer, files, write_json};
use crate::args::CheckArgs;
use crate::failure::{Code, Failure};
use crate::render::words::count;
use crate::term::Output;

/// `check --json`.
#[derive(Serialize)]
struct Report<'a> {
    valid: bool,
    files: Vec<&'a std::path::Path>,
    units: usize,
    diagnostics: &'a Diagnostics,
}

pub(super) fn run(args: &CheckArgs, out: &mut Output) -> Answer {
    let named = files::required(&args.files, "check")?;
    let mut caller = files::caller()?;
    caller.environment = files::inherited(&named, &caller);
    let loaded = abide_config::load(&named, &caller);
    let units = loaded.specs().count();
    let valid = !loaded.diagnostics.has_errors();
    if args.json {
        let files = loaded
            .documents
            .iter()
            .map(|document| document.file.as_path())
            .collect();
        write_json(
            out,
            &Report {
                valid,
                files,
                units,
                diagnostics: &loaded.diagnostics,
            },
        )?;
        return if valid {
            Ok(Code::Done)
        } else {
            Err(Failure::silent(Code::Usage))
        };
    }
    files::report(&loaded, out.error_palette)?;
    writeln!(
        out,
        "{}, {}: ok",
        count(loaded.documents.len(), "file"),
        count(units, "unit")
    )?;
    Ok(Code::Done)
}
