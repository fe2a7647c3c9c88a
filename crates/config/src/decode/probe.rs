//! Ways to look at a program, as `ready` and `health` share them: `tcp`, `http`, `exec`.

use std::path::Path;

use abide_model::HttpProbe;
use toml::Spanned;
use toml::de::DeValue;

use super::address::{host_port, url};
use super::command::{argv, find_program};
use super::pattern;
use super::reader::{Field, Placed, Reader};
use crate::source::quoted;
use crate::values::{Int, Value as _, Wrong, show_text, show_texts};

/// What depends on the instance that asks.
pub(super) struct Here<'a> {
    /// The unit's directory.
    pub directory: &'a Path,
    /// Its PATH.
    pub path: &'a str,
    /// Fills in the instance.
    pub fill: &'a dyn Fn(&str) -> String,
    /// The only instance, or the first one: what is the same for all of them is checked once.
    pub first: bool,
}

/// A GET as it is written.
#[derive(Clone)]
pub(super) struct Http {
    url: Placed<String>,
    status: Vec<(u16, u16)>,
    body: Option<Placed<String>>,
}

/// Reads `http`, `status` and `body`.
pub(super) fn http(table: &Reader<'_>) -> Option<Http> {
    let status = status(table);
    let body = pattern::pattern(table, "body");
    if table.field("http").is_none() {
        for name in ["status", "body"] {
            if let Some(field) = table.field(name) {
                let wrong = Wrong::new("means nothing without `http`")
                    .help("add `http = \"http://127.0.0.1:8000/\"`, or take it out");
                table.wrong(&field, wrong);
            }
        }
        return None;
    }
    Some(Http {
        url: table.placed("http")?,
        status,
        body,
    })
}

impl Http {
    /// The probe of one instance; a mistake is reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> Option<HttpProbe> {
        let text = (here.fill)(&self.url.value);
        if let Err(wrong) = url(&text) {
            reader.wrong_placed(&self.url, wrong);
            return None;
        }
        let body = self.body.as_ref().map(|body| (here.fill)(&body.value));
        if let (Some(text), Some(body)) = (&body, &self.body)
            && here.first
        {
            pattern::check(reader, body, text);
        }
        Some(HttpProbe {
            url: text,
            status: self.status.clone(),
            body,
        })
    }
}

/// A `HOST:PORT` of one instance; a mistake is reported.
pub(super) fn tcp(
    reader: &Reader<'_>,
    written: &Placed<String>,
    here: &Here<'_>,
) -> Option<String> {
    let text = (here.fill)(&written.value);
    if host_port(&text).is_some() {
        return Some(text);
    }
    let wrong = Wrong::new(format!("{} is not HOST:PORT", quoted(&text)))
        .help("write it such as \"127.0.0.1:6379\" or \"[::1]:6379\"");
    reader.wrong_placed(written, wrong);
    None
}

/// Reads `exec`.
pub(super) fn exec(table: &Reader<'_>) -> Option<Placed<Vec<String>>> {
    let field = table.field("exec")?;
    let (command, spans) = argv(table, &field, true)?;
    table.note(&field, show_texts(command.iter().map(String::as_str)));
    Some(Placed {
        value: command,
        path: field.path.clone(),
        span: spans.first().cloned().unwrap_or(field.value.span()),
    })
}

/// The command of one instance; a mistake is reported.
pub(super) fn settle_exec(
    reader: &Reader<'_>,
    written: &Placed<Vec<String>>,
    here: &Here<'_>,
) -> Option<Vec<String>> {
    let argv: Vec<String> = written.value.iter().map(|word| (here.fill)(word)).collect();
    if let Err(wrong) = find_program(argv.first()?, here.directory, here.path) {
        reader.wrong_placed(written, wrong);
        return None;
    }
    Some(argv)
}

/// Reads `status`: one, or several, or ranges.
fn status(table: &Reader<'_>) -> Vec<(u16, u16)> {
    let Some(field) = table.field("status") else {
        return Vec::new();
    };
    let mut ranges = Vec::new();
    let mut take = |item: &Spanned<DeValue<'_>>| match range(item.get_ref()) {
        Ok(range) => ranges.push(range),
        Err(wrong) => table.wrong_at(&field, item.span(), wrong),
    };
    match field.value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            let wrong = Wrong::new("no status at all would be good")
                .help("take it out for 200 to 399, or name some: `status = [200, \"300-399\"]`");
            table.wrong(&field, wrong);
        }
        DeValue::Array(items) => items.iter().for_each(take),
        _ => take(field.value),
    }
    note(table, &field, &ranges);
    ranges
}

fn range(value: &DeValue<'_>) -> Result<(u16, u16), Wrong> {
    const HELP: &str = "write a number from 100 to 599, or a range: `status = [200, \"300-399\"]`";
    let DeValue::String(text) = value else {
        if matches!(value, DeValue::Integer(_)) {
            let number = Int::<100, 599>::read(value)?.0;
            let number = u16::try_from(number).unwrap_or_default();
            return Ok((number, number));
        }
        return Err(Wrong::kind(value, "a status or a range of them").help(HELP));
    };
    let bad = || Wrong::new(format!("{} is not a range of statuses", quoted(text))).help(HELP);
    let number = |text: &str| {
        let number: u16 = text.trim().parse().ok()?;
        (100..=599).contains(&number).then_some(number)
    };
    if let Some(class) = text.trim().to_ascii_lowercase().strip_suffix("xx") {
        let low = number(&format!("{class}00")).ok_or_else(bad)?;
        return Ok((low, low + 99));
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = number(low).zip(number(high)).ok_or_else(bad)?;
    if low > high {
        return Err(bad().label("the first number is the higher one"));
    }
    Ok((low, high))
}

fn note(table: &Reader<'_>, field: &Field<'_>, ranges: &[(u16, u16)]) {
    let shown: Vec<String> = ranges
        .iter()
        .map(|(low, high)| match low == high {
            true => low.to_string(),
            false => show_text(&format!("{low}-{high}")),
        })
        .collect();
    table.note(field, format!("[{}]", shown.join(", ")));
}
