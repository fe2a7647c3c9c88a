//! The home's segments, read without a daemon.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use abide_log::{Format, Query, Reader, Record, Source, Text};
use abide_model::{LogEncoding, UnitName, Wall};
use abide_platform::{naming, text};
use globset::Glob;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Wanted;
use crate::args::LogFormat;
use crate::command::{Answer, Context};
use crate::failure::{Code, Failure};
use crate::render::line::{Lines, LogLine};

pub(super) fn run(context: &mut Context<'_>, wanted: &Wanted<'_>) -> Answer {
    let home = context.client.home();
    let directory = home.directory.display().to_string();
    let mut sources = sources(&home.logs(), wanted.patterns)?;
    if sources.is_empty() {
        return Err(context.client.failure(crate::client::Error::NoDaemon));
    }
    context.out.aside(format_args!(
        "note: no daemon runs in {directory}; these are the stored lines"
    ));
    let (encodings, untold) = encodings(&home.directory);
    if let Some(why) = untold {
        context.out.aside(format_args!(
            "note: what the output is written in is not known: cannot {why}; it is shown as it is"
        ));
    }
    for source in &mut sources {
        let encoding = encodings.get(&source.unit).copied().unwrap_or_default();
        source.text = Text::new(encoding, text::read);
    }
    let names = sources.len() != 1;
    let mut lines = Lines::new(
        context.out.palette,
        context.out.terminal,
        TimeZone::system(),
        names,
    );
    let width = sources
        .iter()
        .map(|source| crate::term::width(source.unit.as_str()))
        .max();
    lines.width = width.unwrap_or(0).min(24);
    let cannot = |error: abide_log::ReadError| Failure::new(format!("cannot {error}"));
    let mut reader = Reader::open(sources, query(wanted)?).map_err(cannot)?;
    let mut shown = Vec::new();
    loop {
        match reader.next_line() {
            Ok(Some(record)) => {
                shown.clear();
                show(&record, wanted.format, &mut lines, &mut shown);
                context.out.write_all(&shown)?;
            }
            Ok(None) => break,
            // A damaged segment is skipped; the others can still be read.
            Err(error @ abide_log::ReadError::Damaged { .. }) => {
                context.out.aside(format_args!("warning: cannot {error}"))
            }
            Err(error) => return Err(cannot(error)),
        }
    }
    if wanted.follow {
        return Err(
            Failure::new("no daemon runs, so nothing more will come".to_owned())
                .help(format!("`{}` starts one", context.client.home().hint("up")))
                .code(Code::NoDaemon),
        );
    }
    Ok(Code::Done)
}

fn query(wanted: &Wanted<'_>) -> Result<Query, Failure> {
    let wall = |at: Timestamp| Wall(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX));
    let grep = wanted.grep.map(regex::bytes::Regex::new).transpose();
    Ok(Query {
        since: wanted.since.map(wall),
        until: wanted.until.map(wall),
        last: wanted.last,
        grep: grep.map_err(|error| Failure::usage(format!("cannot use --grep: {error}")))?,
        follow: false,
    })
}

/// What units write in, as the state of the home says, and why it could not be read.
fn encodings(home: &Path) -> (BTreeMap<UnitName, LogEncoding>, Option<String>) {
    let state = abide_daemon::home::Home::new(home.to_owned()).state();
    match abide_daemon::store::look(&state) {
        Ok((image, _)) => {
            let specs = image.specs.into_values();
            let said = specs.map(|spec| (spec.name, spec.log.encoding));
            (said.collect(), None)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Default::default(),
        Err(error) => {
            let why = format!("read {}: {error}", state.display());
            (BTreeMap::new(), Some(why))
        }
    }
}

/// The units that have a log and that the patterns name.
fn sources(logs: &Path, patterns: &[String]) -> Result<Vec<Source>, Failure> {
    let Ok(entries) = std::fs::read_dir(logs) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<UnitName> = entries
        .filter_map(|entry| naming::unit_of(entry.ok()?.file_name().to_str()?))
        .collect();
    names.sort();
    let mut chosen: Vec<UnitName> = Vec::new();
    for pattern in patterns {
        let glob = Glob::new(pattern)
            .map_err(|error| Failure::usage(format!("{pattern:?} is not a pattern: {error}")))?
            .compile_matcher();
        let matches = |name: &&UnitName| {
            pattern == "all"
                || name.as_str() == pattern
                || name.as_str().split('@').next() == Some(pattern)
                || glob.is_match(name.as_str())
        };
        let before = chosen.len();
        chosen.extend(names.iter().filter(matches).cloned());
        if chosen.len() == before && !names.is_empty() {
            return Err(Failure::new(format!(
                "no unit with a log matches {pattern:?}"
            )));
        }
    }
    chosen.sort();
    chosen.dedup();
    let chosen = if patterns.is_empty() { names } else { chosen };
    Ok(chosen
        .into_iter()
        .map(|unit| Source {
            dir: logs.join(&*naming::of_unit(&unit)),
            unit,
            text: Text::default(),
        })
        .collect())
}

fn show(record: &Record, format: Option<LogFormat>, lines: &mut Lines, out: &mut Vec<u8>) {
    let Record { unit, line } = record;
    match format {
        Some(LogFormat::Raw) => abide_log::render(Format::Raw, unit, line, out),
        Some(LogFormat::Cri) => abide_log::render(Format::Cri, unit, line, out),
        Some(LogFormat::Json) => abide_log::render(Format::Json, unit, line, out),
        None => {
            let at = Timestamp::from_nanosecond(i128::from(line.time.0)).unwrap_or_default();
            let shown = LogLine {
                time: at.to_string(),
                unit: unit.to_string(),
                stream: line.stream.title().to_owned(),
                text: String::from_utf8_lossy(line.shown()).into_owned(),
                bytes: None,
                encoding: None,
                partial: false,
            };
            out.extend_from_slice(lines.log(&shown, Timestamp::now()).as_bytes());
            out.push(b'\n');
        }
    }
}
