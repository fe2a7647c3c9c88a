//! The `[daemon]` table.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Layer, LayerKind, Reader};
use crate::context::Context;
use crate::document::DaemonSettings;
use crate::keys::Table;
use crate::source::quoted;
use crate::values::Wrong;

/// Reads `[daemon]`.
pub(crate) fn daemon<'c>(context: &'c Context<'c>, table: &'c DeTable<'c>) -> DaemonSettings {
    let reader = Reader::new(
        context,
        Table::Daemon,
        vec![Layer {
            kind: LayerKind::Unit,
            table,
        }],
    );
    let mut settings = DaemonSettings::default();
    if let Some(field) = reader.field("listen") {
        let mut take = |item: &Spanned<DeValue<'_>>| match entry(item) {
            Ok(address) if settings.listen.contains(&address) => {}
            Ok(address) => settings.listen.push(address),
            Err(wrong) => reader.wrong_at(&field, item.span(), wrong),
        };
        match field.value.get_ref() {
            DeValue::Array(items) => items.iter().for_each(take),
            _ => take(field.value),
        }
    }
    settings.system_log = super::system_log::system_log(&reader);
    settings
}

fn entry(item: &Spanned<DeValue<'_>>) -> Result<SocketAddr, Wrong> {
    match item.get_ref() {
        DeValue::String(text) => address(text),
        DeValue::Table(table) => {
            match table.get("address").map(Spanned::get_ref) {
                Some(DeValue::String(text)) => address(text),
                Some(other) => Err(Wrong::kind(other, "an address")),
                None => Err(Wrong::new("without an `address`")
                    .help("write `{ address = \"127.0.0.1:7878\" }`")),
            }
        }
        DeValue::Integer(port) => Err(Wrong::kind(item.get_ref(), "an address")
            .help(format!("write it with its host: \"127.0.0.1:{port}\""))),
        other => Err(Wrong::kind(other, "an address").help("such as \"127.0.0.1:7878\"")),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let bad = || {
        Wrong::new(format!("{} is not an address", quoted(text)))
            .help("write HOST:PORT: \"127.0.0.1:7878\"")
    };
    let address = match text.strip_prefix("localhost:") {
        Some(port) => SocketAddr::new(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            port.parse().map_err(|_| bad())?,
        ),
        None => text.parse::<SocketAddr>().map_err(|_| bad())?,
    };
    if !address.ip().is_loopback() {
        return Err(Wrong::new(format!("{} can be reached from other machines", quoted(text)))
            .label("not a loopback address")
            .help(format!(
                "until abide has TLS and roles it listens on loopback only: \"127.0.0.1:{}\"; put a proxy or an SSH tunnel before it",
                address.port()
            )));
    }
    Ok(address)
}
