//! Addresses that abide connects to.

use crate::source::quoted;
use crate::values::Wrong;

/// Whether something can be asked of this URL.
pub(super) fn url(text: &str) -> Result<(), Wrong> {
    let bad = |why: &str| {
        Wrong::new(format!("{} is not a URL to ask", quoted(text)))
            .label(why)
            .help("write it such as \"http://127.0.0.1:8000/\"")
    };
    if text.starts_with("https://") {
        return Err(bad("https").help(
            "in this version only http:// is asked; use `exec = \"curl -sf https://…\"`, or `tcp`",
        ));
    }
    let rest = text
        .strip_prefix("http://")
        .ok_or_else(|| bad("without http://"))?;
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err(bad("a URL holds no spaces and no letters beyond ASCII"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(bad("with a user in it"));
    }
    let whole = authority
        .strip_prefix('[')
        .map_or(!authority.contains(':'), |v6| v6.ends_with(']'));
    let with_port = if whole {
        format!("{authority}:80")
    } else {
        authority.to_owned()
    };
    host_port(&with_port)
        .map(|_| ())
        .ok_or_else(|| bad("its host or port is wrong"))
}

/// A host and a port; an IPv6 address stands in brackets.
pub(super) fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let sound = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        }
    };
    sound.then_some((host, port))
}
