//! `system_log`: which of the system's logs hear of a unit, or of abide itself.

use std::path::PathBuf;

use abide_model::{LogTarget, LogTrust, LogWay, SystemLogSpec};
use toml::Spanned;
use toml::de::DeValue;

use super::Reader;
use super::address::host_port;
use super::reader::Field;
use crate::keys::Table;
use crate::source::quoted;
use crate::values::{Wrong, show_text, show_texts};

/// syslog(3)'s names for kinds of programs that may be given.
const FACILITIES: [&str; 20] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

const DESTINATIONS: &str = "write \"auto\", \"journald\", \"syslog\", \"eventlog\", \"udp://HOST:514\", \"tcp://HOST:514\", \"tls://HOST:6514\" or \"unix:///PATH\"";

/// Reads the key; `None`: it is not there.
pub(super) fn system_log(reader: &Reader<'_>) -> Option<Vec<SystemLogSpec>> {
    let field = reader.field("system_log")?;
    let mut specs = Vec::new();
    match field.value.get_ref() {
        DeValue::Array(items) => {
            for item in items.iter() {
                entry(reader, &field, item, &mut specs);
            }
        }
        _ => entry(reader, &field, field.value, &mut specs),
    }
    let mut shown: Vec<String> = specs.iter().map(show).collect();
    let shown = match (specs.is_empty(), shown.pop()) {
        (false, Some(one)) if shown.is_empty() => one,
        (false, Some(last)) => format!("[{}, {last}]", shown.join(", ")),
        _ => "false".to_owned(),
    };
    reader.note(&field, shown);
    Some(specs)
}

fn show(spec: &SystemLogSpec) -> String {
    let to = show_text(&spec.to.way.to_string());
    format!(
        "{{ to = {to}, events = {}, output = {} }}",
        spec.events, spec.output
    )
}

/// One destination, or a table of several.
fn entry<'c>(
    reader: &Reader<'c>,
    field: &Field<'c>,
    item: &'c Spanned<DeValue<'c>>,
    specs: &mut Vec<SystemLogSpec>,
) {
    let plain = |way| SystemLogSpec {
        to: LogTarget {
            way,
            facility: "daemon".to_owned(),
            host: None,
        },
        events: true,
        output: false,
    };
    match item.get_ref() {
        DeValue::Boolean(true) => specs.push(plain(LogWay::Auto)),
        DeValue::Boolean(false) => {}
        DeValue::String(text) => match way(text) {
            Ok(Some(way)) => add(reader, field, item, plain(way), specs),
            Ok(None) => {}
            Err(wrong) => reader.wrong_at(field, item.span(), wrong),
        },
        DeValue::Table(table) => {
            let table = reader.item(field, Table::SystemLog, table);
            for spec in described(&table) {
                add(reader, field, item, spec, specs);
            }
        }
        other => {
            let wrong = Wrong::kind(other, "a destination").help(DESTINATIONS);
            reader.wrong_at(field, item.span(), wrong);
        }
    }
}

/// One of each: two would have everything twice.
fn add(
    reader: &Reader<'_>,
    field: &Field<'_>,
    item: &Spanned<DeValue<'_>>,
    spec: SystemLogSpec,
    specs: &mut Vec<SystemLogSpec>,
) {
    if specs.iter().any(|other| other.to.way == spec.to.way) {
        let name = spec.to.way.to_string();
        let wrong = Wrong::new(format!("{} is there twice", quoted(&name)))
            .help("take one of them out: everything would be sent twice");
        return reader.wrong_at(field, item.span(), wrong);
    }
    specs.push(spec);
}

fn described(table: &Reader<'_>) -> Vec<SystemLogSpec> {
    let facility: String = table.get_or("facility", "daemon".to_owned());
    if let Some(field) = table.field("facility")
        && !FACILITIES.contains(&&*facility)
    {
        let wrong = Wrong::new(format!("{} is not a facility", quoted(&facility)))
            .help(format!("there are {}", show_texts(FACILITIES)));
        table.wrong(&field, wrong);
    }
    let host: Option<String> = table.get("host");
    if let (Some(field), Some(host)) = (table.field("host"), &host)
        && (host.is_empty() || host.len() > 255 || !host.bytes().all(|b| b.is_ascii_graphic()))
    {
        let wrong = Wrong::new(format!("{} is not the name of a machine", quoted(host)))
            .help("at most 255 characters of ASCII, without spaces");
        table.wrong(&field, wrong);
    }
    let (events, output) = (table.get_or("events", true), table.get_or("output", false));
    let trust = trust(table);
    let mut ways = ways(table);
    if let Some(field) = ["ca", "name", "certificate", "key"]
        .iter()
        .find_map(|key| table.field(key))
        && !ways.iter().any(|way| matches!(way, LogWay::Tls(..)))
    {
        let wrong = Wrong::new("only a destination with tls:// has certificates")
            .help("take it out, or write `to = \"tls://HOST:6514\"`");
        table.wrong(&field, wrong);
    }
    for way in &mut ways {
        if let LogWay::Tls(_, _, of) = way {
            of.clone_from(&trust);
        }
    }
    ways.into_iter()
        .map(|way| SystemLogSpec {
            to: LogTarget {
                way,
                facility: facility.clone(),
                host: host.clone(),
            },
            events,
            output,
        })
        .collect()
}

fn ways(table: &Reader<'_>) -> Vec<LogWay> {
    if table.field("to").is_none() {
        return vec![LogWay::Auto];
    }
    let Some((field, texts)) = table.texts("to", true) else {
        return Vec::new();
    };
    let mut ways = Vec::new();
    for text in texts {
        match way(text.get_ref()) {
            Ok(Some(way)) if !ways.contains(&way) => ways.push(way),
            Ok(_) => {}
            Err(wrong) => table.wrong_at(&field, text.span(), wrong),
        }
    }
    ways
}

fn trust(table: &Reader<'_>) -> LogTrust {
    let certificate = file(table, "certificate");
    let key = file(table, "key");
    let alone = match (&certificate, &key) {
        (Some(_), None) => table
            .field("certificate")
            .filter(|_| table.field("key").is_none()),
        (None, Some(_)) => table
            .field("key")
            .filter(|_| table.field("certificate").is_none()),
        _ => None,
    };
    if let Some(field) = alone {
        let wrong = Wrong::new("a certificate and its private key are given together")
            .help("write both `certificate` and `key`");
        table.wrong(&field, wrong);
    }
    LogTrust {
        ca: file(table, "ca"),
        name: table.get("name"),
        identity: certificate.zip(key),
    }
}

/// A file that is there.
fn file(table: &Reader<'_>, name: &str) -> Option<PathBuf> {
    let text: String = table.get(name)?;
    let path = table.context.source.folder().join(&text);
    if !path.is_file() {
        let field = table.field(name)?;
        let wrong = Wrong::new(format!(
            "there is no file {}",
            quoted(&path.to_string_lossy())
        ))
        .help("a relative path begins at this file's folder");
        table.wrong(&field, wrong);
        return None;
    }
    Some(path)
}

/// What a destination's text means; `None`: none.
fn way(text: &str) -> Result<Option<LogWay>, Wrong> {
    let bad = |why: &str| {
        Wrong::new(format!("{} is not a system log", quoted(text)))
            .label(why)
            .help(DESTINATIONS)
    };
    let way = match text {
        "none" | "off" => return Ok(None),
        "auto" | "system" => LogWay::Auto,
        "journald" | "journal" => LogWay::Journald(None),
        "syslog" => LogWay::Local(None),
        "eventlog" | "event_log" | "windows" => LogWay::EventLog(None),
        _ => {
            let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("unknown"))?;
            let socket = || match rest.starts_with('/') && rest.len() < 108 {
                true => Ok(Some(PathBuf::from(rest))),
                false => Err(bad(
                    "three slashes: the path of a socket is absolute, and not longer than 107 bytes",
                )),
            };
            let remote =
                |port: u16| address(rest, port).ok_or_else(|| bad("its host or port is wrong"));
            match scheme {
                "eventlog" => LogWay::EventLog(Some(source(rest).ok_or_else(|| {
                    bad("the name of a source has no backslash, and at most 200 characters")
                })?)),
                "unix" => LogWay::Local(socket()?),
                "journald" => LogWay::Journald(socket()?),
                "udp" => remote(514).map(|(host, port)| LogWay::Udp(host, port))?,
                "tcp" => remote(514).map(|(host, port)| LogWay::Tcp(host, port))?,
                "tls" => {
                    remote(6514).map(|(host, port)| LogWay::Tls(host, port, LogTrust::default()))?
                }
                _ => return Err(bad("unknown")),
            }
        }
    };
    Ok(Some(way))
}

/// The name of a source: a key of the registry.
fn source(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.chars().count() <= 200;
    let bad = |c: char| c == '\\' || c.is_control();
    (fits && !text.contains(bad)).then(|| text.to_owned())
}

/// A host, without brackets, and a port, which may be left out.
fn address(text: &str, port: u16) -> Option<(String, u16)> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let whole = match text.strip_prefix('[') {
        Some(rest) => rest.ends_with(']'),
        None => !text.contains(':'),
    };
    let with_port = if whole {
        format!("{text}:{port}")
    } else {
        text.to_owned()
    };
    let (host, port) = host_port(&with_port)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_written_as_it_is_read() {
        for text in [
            "auto",
            "journald",
            "syslog",
            "eventlog",
            "eventlog://web",
            "udp://logs.example:514",
            "tcp://127.0.0.1:601",
            "tls://[::1]:6514",
            "unix:///dev/log",
            "journald:///run/x.sock",
        ] {
            let way = way(text).expect("a destination").expect("one");
            assert_eq!(way.to_string(), text);
        }
        for (text, whole) in [
            ("udp://h", "udp://h:514"),
            ("tcp://[::1]", "tcp://[::1]:514"),
            ("tls://h/", "tls://h:6514"),
        ] {
            let way = way(text).expect("a destination").expect("one");
            assert_eq!(way.to_string(), whole);
        }
        assert_eq!(way("none"), Ok(None));
        for text in [
            "",
            "x",
            "http://h",
            "udp://",
            "udp://h:0",
            "unix://rel",
            "tcp://h:99999",
            "eventlog://a\\b",
        ] {
            assert!(way(text).is_err(), "{text}");
        }
    }
}
