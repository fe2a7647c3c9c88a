//! The `[report]` and `[monitor]` tables.

use std::ops::Range;
use std::time::Duration;

use abide_model::{EnvironmentSpec, Hook, MonitorSpec, ReportSpec, ReportStyle};
use toml::de::DeTable;

use super::address::url;
use super::hook::hooks;
use super::{Layer, LayerKind, Reader};
use crate::context::Context;
use crate::keys::Table;
use crate::programs::search_path;
use crate::source::quoted;
use crate::values::{Int, Wrong, show_duration, show_texts};

/// Between two reports, and between two beats of a service of another machine.
const EVERY: Duration = Duration::from_secs(30);

/// Reads `[report]`.
pub(crate) fn report<'c>(
    context: &'c Context<'c>,
    header: Range<usize>,
    table: &'c DeTable<'c>,
) -> Option<ReportSpec> {
    let reader = whole(context, Table::Report, table);
    let style = reader.get_or("style", ReportStyle::Batch);
    let every = every(&reader);
    let timeout: Duration = reader.get_or("timeout", Duration::from_secs(2));
    if let Some(field) = reader.field("timeout").or_else(|| reader.field("every")) {
        if timeout.is_zero() {
            reader.wrong(
                &field,
                Wrong::new("nothing is answered in no time").help("such as \"2s\""),
            );
        } else if timeout > every {
            let wrong = Wrong::new("one try may last longer than the time to the next report")
                .help(format!(
                    "`timeout` is \"{}\" and `every` is \"{}\"; shorten the one or lengthen the other",
                    show_duration(timeout),
                    show_duration(every)
                ));
            reader.wrong(&field, wrong);
        }
    }
    let host = host(&reader);
    let Some(field) = reader.field("url") else {
        let report = context.source.error(header, "[report] has no `url`");
        context.report(report.help("such as `url = \"http://10.0.0.1:7878/v1/heartbeat\"`"));
        return None;
    };
    let address: String = reader.get("url")?;
    let named = address.contains("{unit}");
    if let Err(wrong) = url(&address.replace("{unit}", "unit")) {
        let wrong = if address.starts_with("https://") {
            Wrong::new(format!("{} is not a URL to report to", quoted(&address)))
                .label("https")
                .help("in this version only http://; let a proxy on this machine add the TLS")
        } else {
            wrong
        };
        reader.wrong(&field, wrong);
        return None;
    }
    if named && style != ReportStyle::Ping {
        let wrong = Wrong::new("`{unit}` is filled in with `style = \"ping\"` only").help(
            "add `style = \"ping\"`, or take `{unit}` out: the unit is named in what is sent",
        );
        reader.wrong(&field, wrong);
    }
    if !named && style == ReportStyle::Ping {
        let report = context.source.warning(
            field.value.span(),
            "without `{unit}` every unit pings the same address",
        );
        context.report(report.help("such as `url = \"http://10.0.0.1:8000/ping/{unit}\"`"));
    }
    Some(ReportSpec {
        url: address,
        every,
        style,
        timeout,
        host,
    })
}

/// Reads `[monitor]`.
pub(crate) fn monitor<'c>(
    context: &'c Context<'c>,
    header: Range<usize>,
    table: &'c DeTable<'c>,
) -> Option<MonitorSpec> {
    let reader = whole(context, Table::Monitor, table);
    let line = context.source.line(header.start);
    let every = every(&reader);
    let misses = reader.get_or::<Int<1, 1000>>("misses", Int(3)).0;
    let on_silent = on_silent(&reader);
    if reader.field("services").is_none() {
        let what = "[monitor] does not say whose beats are taken";
        context.report(
            context.source.error(header, what).help(
                "add `services = [\"HOST/NAME\", \"NAME\"]`, or `services = [\"*\"]` for all",
            ),
        );
    }
    let (field, texts) = reader.texts("services", true)?;
    let mut services: Vec<String> = Vec::new();
    for text in texts {
        match pattern(text.get_ref()) {
            Err(wrong) => reader.wrong_at(&field, text.span(), wrong),
            Ok(()) if services.contains(text.get_ref()) => {}
            Ok(()) => services.push(text.into_inner()),
        }
    }
    reader.note(&field, show_texts(services.iter().map(String::as_str)));
    Some(MonitorSpec {
        services,
        every,
        misses: u32::try_from(misses).unwrap_or(u32::MAX),
        on_silent,
        line,
    })
}

fn whole<'c>(context: &'c Context<'c>, kind: Table, table: &'c DeTable<'c>) -> Reader<'c> {
    let layer = Layer {
        kind: LayerKind::Unit,
        table,
    };
    Reader::new(context, kind, vec![layer])
}

fn every(reader: &Reader<'_>) -> Duration {
    let every: Duration = reader.get_or("every", EVERY);
    if let Some(field) = reader
        .field("every")
        .filter(|_| every < Duration::from_secs(1))
    {
        reader.wrong(
            &field,
            Wrong::new("more often than once a second").help("such as \"30s\""),
        );
    }
    every
}

fn host(reader: &Reader<'_>) -> Option<String> {
    let host: String = reader.get("host")?;
    let field = reader.field("host")?;
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '*' | '?');
    if host.is_empty() || host.len() > 253 || host.contains(bad) {
        let wrong = Wrong::new(format!("{} is not the name of a machine", quoted(&host)))
            .help("at most 253 characters without spaces, `/`, `*` and `?`");
        reader.wrong(&field, wrong);
    }
    Some(host)
}

/// `NAME` or `HOST/NAME`, with `*` and `?`.
fn pattern(text: &str) -> Result<(), Wrong> {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| {
                c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | ':' | '@' | '*' | '?')
            })
    };
    let sound = text.len() <= 400
        && match text.split_once('/') {
            Some((host, name)) => part(host) && part(name),
            None => part(text),
        };
    if sound {
        return Ok(());
    }
    Err(
        Wrong::new(format!("{} is not a pattern of services", quoted(text)))
            .help("write `NAME` or `HOST/NAME`; `*` stands for any text and `?` for any character"),
    )
}

fn on_silent(reader: &Reader<'_>) -> Option<Hook> {
    let written = hooks(reader, "on_silent");
    if let (Some(field), [_, _, ..]) = (reader.field("on_silent"), &*written) {
        let wrong = Wrong::new("several commands").help("name one, such as a script");
        reader.wrong(&field, wrong);
    }
    let folder = reader.context.source.folder();
    Some(
        written
            .first()?
            .found(reader, folder, search_path(&EnvironmentSpec::default())),
    )
}
