//! `ready`: when a unit counts as up.

use std::time::Duration;

use abide_model::{NotifyAccess, ProbeKind, Ready};
use toml::de::DeValue;

use super::Reader;
use super::notify::whose;
use super::pattern;
use super::probe::{self, Here, Http};
use super::reader::Placed;
use crate::keys::Table;
use crate::values::{Int, Wrong};

const WAYS: [&str; 7] = ["tcp", "http", "exec", "file", "notify", "fd", "log"];

/// The highest descriptor that a program may say its readiness on; abide's own begin at 200.
pub(super) const LAST_FD: u32 = 199;

/// `ready` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    within: Duration,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Tcp(Placed<String>),
    Http(Http),
    Exec(Placed<Vec<String>>),
    File(Placed<String>),
    Notify(Option<NotifyAccess>),
    Fd(Placed<u32>),
    Log(Placed<String>),
}

/// Reads `ready`.
pub(super) fn ready(reader: &Reader<'_>) -> Option<Written> {
    let table = reader.top_table("ready", Table::Ready)?;
    let within: Duration = table.get_or("within", Duration::from_secs(30));
    if let Some(field) = table.field("within").filter(|_| within.is_zero()) {
        table.wrong(
            &field,
            Wrong::new("nothing is ready in no time").help("such as \"30s\""),
        );
    }
    let http = probe::http(&table);
    let fields: Vec<_> = WAYS
        .iter()
        .filter_map(|way| Some((*way, table.field(way)?)))
        .collect();
    let Some((way, _)) = fields.first() else {
        if let Some(whole) = reader.field("ready") {
            let wrong = Wrong::new("does not say how to find out")
                .help("name one of `tcp`, `http`, `exec`, `file`, `notify`, `fd` and `log`: `ready = { tcp = \"127.0.0.1:6379\" }`");
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
    let way = match *way {
        "tcp" => Way::Tcp(table.placed("tcp")?),
        "http" => Way::Http(http?),
        "exec" => Way::Exec(probe::exec(&table)?),
        "file" => Way::File(table.placed("file")?),
        "notify" => Way::Notify(notify(&table)?),
        "fd" => {
            let number = table.placed::<Int<3, { LAST_FD as i64 }>>("fd")?;
            Way::Fd(Placed {
                value: u32::try_from(number.value.0).unwrap_or(LAST_FD),
                path: number.path,
                span: number.span,
            })
        }
        _ => Way::Log(pattern::pattern(&table, "log")?),
    };
    Some(Written { within, way })
}

/// `notify = true` leaves open whose messages are taken.
fn notify(table: &Reader<'_>) -> Option<Option<NotifyAccess>> {
    let field = table.field("notify")?;
    match field.value.get_ref() {
        DeValue::Boolean(true) => {
            table.note(&field, "true".into());
            Some(None)
        }
        DeValue::Boolean(false) => {
            let wrong = Wrong::new("`false` is no way to find out")
                .help("take `ready` out: it is then ready as soon as it runs");
            table.wrong(&field, wrong);
            None
        }
        _ => whose(table, "notify").map(Some),
    }
}

impl Written {
    /// Whether it is told on the notify socket, and by whom if that is said.
    pub fn notify(&self) -> Option<Option<NotifyAccess>> {
        match self.way {
            Way::Notify(access) => Some(access),
            _ => None,
        }
    }

    /// The descriptor that it is told on.
    pub fn fd(&self) -> Option<&Placed<u32>> {
        match &self.way {
            Way::Fd(number) => Some(number),
            _ => None,
        }
    }

    /// The check of one instance; a mistake is reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> Option<Ready> {
        let probe = match &self.way {
            Way::Tcp(written) => ProbeKind::Tcp(probe::tcp(reader, written, here)?),
            Way::Http(http) => ProbeKind::Http(http.settle(reader, here)?),
            Way::Exec(written) => ProbeKind::Exec(probe::settle_exec(reader, written, here)?),
            Way::File(written) => {
                let path = (here.fill)(&written.value);
                if path.is_empty() {
                    let wrong = Wrong::new("it is empty").help("name a file");
                    reader.wrong_placed(written, wrong);
                    return None;
                }
                ProbeKind::File(here.directory.join(path))
            }
            Way::Notify(_) => ProbeKind::Notify,
            Way::Fd(number) => ProbeKind::Fd(number.value),
            Way::Log(written) => {
                let text = (here.fill)(&written.value);
                if here.first && !pattern::check(reader, written, &text) {
                    return None;
                }
                ProbeKind::Log(text)
            }
        };
        Some(Ready {
            within: self.within,
            probe,
        })
    }
}
