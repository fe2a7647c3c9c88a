//! `heartbeat`: beats that a program owes.

use std::time::Duration;

use abide_model::Heartbeat;

use super::Reader;
use super::probe::Here;
use super::reader::Placed;
use crate::keys::Table;
use crate::values::{Int, Wrong};

/// `heartbeat` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    every: Duration,
    misses: u32,
    file: Option<Placed<String>>,
}

/// Reads `heartbeat`.
pub(super) fn heartbeat(reader: &Reader<'_>) -> Option<Written> {
    let table = reader.tables("heartbeat", Table::Heartbeat)?;
    let misses = table.get_or::<Int<1, 1000>>("misses", Int(3)).0;
    let file = table.placed::<String>("file");
    if table.field("every").is_none()
        && let Some(field) = reader.field("heartbeat")
    {
        reader.wrong(
            &field,
            Wrong::new("without `every`").help("such as `heartbeat = { every = \"5s\" }`"),
        );
    }
    let every: Duration = table.get("every")?;
    if let Some(field) = table
        .field("every")
        .filter(|_| every < Duration::from_millis(10))
    {
        table.wrong(
            &field,
            Wrong::new("more often than every 10ms").help("such as \"5s\""),
        );
    }
    Some(Written {
        every,
        misses: u32::try_from(misses).unwrap_or(u32::MAX),
        file,
    })
}

impl Written {
    /// The beats that one instance owes; a mistake is reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> Heartbeat {
        let file = self.file.as_ref().map(|written| {
            let path = (here.fill)(&written.value);
            if path.is_empty() {
                let wrong = Wrong::new("it is empty").help("name the file that is touched");
                reader.wrong_placed(written, wrong);
            }
            here.directory.join(path)
        });
        Heartbeat {
            every: self.every,
            misses: self.misses,
            file,
        }
    }
}
