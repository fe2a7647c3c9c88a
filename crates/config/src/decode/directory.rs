//! The working directory.

use std::path::{Path, PathBuf};

use super::Reader;
use crate::source::quoted;
use crate::values::Wrong;

/// The folder it runs in, if it is there.
pub(super) fn directory(reader: &Reader<'_>, written: Option<String>) -> Option<PathBuf> {
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
