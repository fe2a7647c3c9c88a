//! What there is to read of a service of Windows.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use abide_platform::{event_log, private};

use crate::doctor::scm::{Found, ScmFacts};
use crate::manager::Examined;

/// Reads all that is judged. `examined`: what the manager told.
pub(in crate::doctor) fn service(examined: Examined) -> ScmFacts {
    let registration = examined.registration;
    let program = examined
        .program
        .as_deref()
        .map(|program| PathBuf::from(expanded(program)));
    let meant = without_quotes(&registration.image_path);
    let executed = meant.clone().or_else(|| program.clone());
    let texts = registration.event_messages.as_ref().map(|file| {
        let file = PathBuf::from(expanded(file));
        event_log::text(&file, 1, ["", ""]).is_ok()
    });
    ScmFacts {
        found: program.as_deref().map_or(Found::Nothing, found),
        changers: executed.as_deref().map(changers).unwrap_or_default(),
        account: examined.account,
        missing: examined.missing,
        ours: examined.ours,
        registration,
        program,
        meant,
        texts,
    }
}

/// The path up to `.exe`, if it has blanks and no quotes.
fn without_quotes(line: &str) -> Option<PathBuf> {
    let line = line.trim_start();
    if line.starts_with('"') {
        return None;
    }
    let end = line.to_ascii_lowercase().find(".exe")? + ".exe".len();
    let path = line.get(..end)?;
    path.contains(' ').then(|| PathBuf::from(expanded(path)))
}

/// Names of variables replaced, as Windows does in `ImagePath` and `EventMessageFile`.
fn expanded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(name) = parts.next() {
        match (std::env::var(name), parts.next()) {
            (Ok(value), Some(rest)) => {
                out.push_str(&value);
                out.push_str(rest);
            }
            (_, rest) => {
                out.push('%');
                out.push_str(name);
                if let Some(rest) = rest {
                    out.push('%');
                    out.push_str(rest);
                }
            }
        }
    }
    out
}

fn found(path: &Path) -> Found {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Found::Hidden,
        Err(_) => Found::Nothing,
        Ok(meta) if meta.is_dir() => Found::Folder,
        Ok(_) => {
            let mut head = [0; 2];
            match File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Found::Hidden,
                Ok(()) if &head == b"MZ" => Found::Program,
                _ => Found::Other,
            }
        }
    }
}

/// Of the program, its folder and those above it. What cannot be looked at is not judged.
fn changers(program: &Path) -> Vec<(PathBuf, Vec<String>)> {
    program
        .ancestors()
        .enumerate()
        .filter_map(|(above, path)| {
            // To replace what is in a folder further up takes more than to put something into it.
            let who = private::who_may_change(path, above > 1).ok()?;
            (!who.is_empty()).then(|| (path.to_owned(), who))
        })
        .collect()
}
