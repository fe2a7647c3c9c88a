//! `ready` and `heartbeat`.

use std::path::Path;
use std::time::Duration;

use abide_model::{Heartbeat, HttpProbe, ProbeKind, Ready};

use super::Reader;
use super::address::{host_port, url};
use super::command::argv;
use crate::keys::Table;
use crate::source::quoted;
use crate::values::{Int, Value, Wrong, show_text, show_texts};

const WAYS: [&str; 4] = ["tcp", "http", "exec", "file"];

/// Reads `ready`. Paths are still as written; [`settle`] makes them absolute.
pub(super) fn ready(reader: &Reader<'_>) -> Option<Ready> {
    let table = reader.top_table("ready", Table::Ready)?;
    let within: Duration = table.get_or("within", Duration::from_secs(30));
    if let Some(field) = table.field("within").filter(|_| within.is_zero()) {
        table.wrong(
            &field,
            Wrong::new("nothing is ready in no time").help("such as \"30s\""),
        );
    }
    let fields: Vec<_> = WAYS
        .iter()
        .filter_map(|way| Some((*way, table.field(way)?)))
        .collect();
    let Some((way, field)) = fields.first() else {
        // A way of a later version was named before; one report is enough.
        if !["notify", "fd", "log"]
            .iter()
            .any(|way| table.field(way).is_some())
            && let Some(whole) = reader.field("ready")
        {
            let wrong = Wrong::new("does not say how to find out")
                .help("name one of `tcp`, `http`, `exec` and `file`: `ready = { tcp = \"127.0.0.1:6379\" }`");
            reader.wrong(&whole, wrong);
        }
        return None;
    };
    if let Some((second, place)) = fields.get(1) {
        let wrong = Wrong::new(format!("`{way}` and `{second}` are two ways to find out"))
            .help("name one; a script for `exec` can ask several things");
        table.wrong(place, wrong);
        return None;
    }
    let probe = if *way == "exec" {
        let (command, _) = argv(&table, field, true)?;
        table.note(field, show_texts(command.iter().map(String::as_str)));
        ProbeKind::Exec(command)
    } else {
        let text = match String::read(field.value.get_ref()) {
            Ok(text) => text,
            Err(wrong) => {
                table.wrong(field, wrong);
                return None;
            }
        };
        table.note(field, show_text(&text));
        match *way {
            "tcp" => ProbeKind::Tcp(text),
            "http" => ProbeKind::Http(HttpProbe::get(text)),
            _ => ProbeKind::File(text.into()),
        }
    };
    Some(Ready { within, probe })
}

/// Fills in the instance, makes paths absolute and checks what can be checked.
pub(super) fn settle(
    probe: &ProbeKind,
    directory: &Path,
    fill: &dyn Fn(&str) -> String,
) -> Result<ProbeKind, Wrong> {
    Ok(match probe {
        ProbeKind::Tcp(text) => {
            let text = fill(text);
            host_port(&text).ok_or_else(|| {
                Wrong::new(format!("{} is not HOST:PORT", quoted(&text)))
                    .help("write it such as \"127.0.0.1:6379\" or \"[::1]:6379\"")
            })?;
            ProbeKind::Tcp(text)
        }
        ProbeKind::Http(probe) => {
            let text = fill(&probe.url);
            url(&text)?;
            ProbeKind::Http(HttpProbe {
                url: text,
                ..probe.clone()
            })
        }
        ProbeKind::Notify | ProbeKind::Fd(_) | ProbeKind::Log(_) => probe.clone(),
        ProbeKind::Exec(argv) => ProbeKind::Exec(argv.iter().map(|text| fill(text)).collect()),
        ProbeKind::File(path) => {
            let path = fill(&path.to_string_lossy());
            if path.is_empty() {
                return Err(Wrong::new("it is empty").help("name a file"));
            }
            ProbeKind::File(directory.join(path))
        }
    })
}

/// Reports what [`settle`] found, at the value it is about.
pub(super) fn wrong(reader: &Reader<'_>, wrong: Wrong) {
    if let Some(table) = reader.top_table("ready", Table::Ready)
        && let Some(field) = WAYS.iter().find_map(|way| table.field(way))
    {
        table.wrong(&field, wrong);
    }
}

/// Reads `heartbeat`.
pub(super) fn heartbeat(reader: &Reader<'_>) -> Option<Heartbeat> {
    let table = reader.tables("heartbeat", Table::Heartbeat)?;
    let misses = table.get_or::<Int<1, 1000>>("misses", Int(3)).0;
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
    Some(Heartbeat {
        every,
        misses: u32::try_from(misses).unwrap_or(u32::MAX),
        file: None,
    })
}
