//! `socket`: what abide listens on for a unit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use abide_model::{Listen, ListenAddress, SocketGate, SocketPass, SocketSpec, StdinSpec, UnitType};
use toml::Spanned;
use toml::de::DeValue;

use super::account::user_and_group;
use super::probe::Here;
use super::reader::{Field, Placed, Reader};
use crate::keys::Table;
use crate::source::quoted;
use crate::values::{Int, Mode, Value, Wrong, show_text};

/// The most sockets of one unit: with the store of descriptors they stay below those of abide.
const MOST: usize = 64;

/// The longest path of a socket file, in bytes (unix(7): 108 with the end).
const LONGEST_PATH: usize = 107;

/// `socket` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    listen: Vec<Entry>,
    gate: SocketGate,
    pass: SocketPass,
    backlog: u32,
    mode: u32,
    owner: Option<String>,
    group: Option<String>,
}

#[derive(Clone)]
struct Entry {
    address: Placed<String>,
    name: Option<String>,
}

/// `start`: when the first run begins.
#[derive(Clone, Copy, PartialEq, Eq)]
struct OnConnection(bool);

impl Value for OnConnection {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let words = [("at-once", Self(false)), ("connection", Self(true))];
        let theirs = [
            ("on-demand", "write \"connection\""),
            ("lazy", "write \"connection\""),
            ("on-connection", "write \"connection\""),
            ("demand", "write \"connection\""),
            ("now", "write \"at-once\""),
            ("true", "write \"at-once\""),
            ("false", "write \"connection\""),
        ];
        crate::values::one_of(value, "when to start", &words, &theirs)
    }

    fn show(&self) -> String {
        show_text(if self.0 { "connection" } else { "at-once" })
    }
}

/// Reads `socket`.
pub(super) fn socket(
    reader: &Reader<'_>,
    unit_type: UnitType,
    stdin: StdinSpec,
) -> Option<Written> {
    let table = reader.top_table("socket", Table::Socket)?;
    let whole = reader.field("socket")?;
    if unit_type == UnitType::Oneshot {
        let wrong =
            Wrong::new("a oneshot runs once to its end, and nobody would answer after that")
                .help("make it a service, or take `socket` out");
        reader.wrong_at(&whole, whole.key_span.clone(), wrong);
    }
    let listen = listen(reader, &whole, &table);
    let start = table.get_or("start", OnConnection(false));
    let idle_stop: Option<Duration> = table.get("idle_stop");
    if let Some(field) = table
        .field("idle_stop")
        .filter(|_| idle_stop.is_some_and(|time| time < Duration::from_secs(1)))
    {
        let wrong = Wrong::new("every program is idle for so long").help("such as \"5m\"");
        table.wrong(&field, wrong);
    }
    let pass = table.get_or("pass", SocketPass::Fds);
    if let (Some(field), SocketPass::Stdin, StdinSpec::Pipe) = (table.field("pass"), pass, stdin) {
        let wrong = Wrong::new("standard input is a pipe already, as `stdin` says")
            .help("take `stdin = \"pipe\"` out, or write `pass = \"fds\"`");
        table.wrong(&field, wrong);
    }
    if let (Some(field), SocketPass::Stdin, [_, _, ..]) = (table.field("pass"), pass, &*listen) {
        let wrong = Wrong::new("there are several sockets, and standard input is one")
            .help("write `pass = \"fds\"`, or name one socket");
        table.wrong(&field, wrong);
    }
    let backlog = table.get_or::<Int<1, 65_535>>("backlog", Int(4096)).0;
    let mode = table.get_or("mode", Mode(0o666)).0;
    let (owner, group) = user_and_group(&table);
    Some(Written {
        listen,
        gate: SocketGate {
            on_connection: start.0,
            idle_stop,
        },
        pass,
        backlog: u32::try_from(backlog).unwrap_or(4096),
        mode,
        owner,
        group,
    })
}

fn listen(reader: &Reader<'_>, whole: &Field<'_>, table: &Reader<'_>) -> Vec<Entry> {
    const HELP: &str = "such as `listen = [\"127.0.0.1:8080\", \"/run/x.sock\"]`";
    let Some(field) = table.field("listen") else {
        reader.wrong(whole, Wrong::new("does not say where to listen").help(HELP));
        return Vec::new();
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut take = |item: &Spanned<DeValue<'_>>| {
        let Some(entry) = entry(table, &field, item) else {
            return;
        };
        let twice = entries
            .iter()
            .any(|other| other.address.value == entry.address.value);
        if twice {
            let wrong = Wrong::new(format!("{} is there twice", quoted(&entry.address.value)));
            table.wrong_placed(&entry.address, wrong.help("take one of them out"));
        } else {
            entries.push(entry);
        }
    };
    match field.value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            table.wrong(&field, Wrong::new("it is empty").help(HELP));
        }
        DeValue::Array(items) if items.len() > MOST => {
            let wrong = Wrong::new(format!(
                "{} sockets, and a unit has at most {MOST}",
                items.len()
            ));
            table.wrong(&field, wrong.help("spread them over several units"));
        }
        DeValue::Array(items) => items.iter().for_each(take),
        _ => take(field.value),
    }
    let shown: Vec<String> = entries.iter().map(show).collect();
    table.note(&field, format!("[{}]", shown.join(", ")));
    entries
}

fn show(entry: &Entry) -> String {
    let address = show_text(&entry.address.value);
    match &entry.name {
        None => address,
        Some(name) => format!("{{ address = {address}, name = {} }}", show_text(name)),
    }
}

fn entry(table: &Reader<'_>, field: &Field<'_>, item: &Spanned<DeValue<'_>>) -> Option<Entry> {
    let placed = |span: Range<usize>, value: String| Placed {
        value,
        path: field.path.clone(),
        span,
    };
    let wrong = match item.get_ref() {
        DeValue::Table(found) => {
            let inner = table.item(field, Table::SocketListen, found);
            let name = inner.get::<String>("name").filter(|name| {
                let bad = |c: char| !c.is_ascii() || c.is_ascii_control() || c == ':';
                let sound = !name.is_empty() && name.len() <= 255 && !name.contains(bad);
                if let Some(field) = inner.field("name").filter(|_| !sound) {
                    let wrong =
                        Wrong::new(format!("{} is not the name of a socket", quoted(name)))
                            .help("1 to 255 ASCII characters without `:`, which stands between two names in LISTEN_FDNAMES");
                    inner.wrong(&field, wrong);
                }
                sound
            });
            if let Some(address) = inner.field("address") {
                let text = inner.get::<String>("address")?;
                return Some(Entry {
                    address: placed(address.value.span(), text),
                    name,
                });
            }
            Wrong::new("without an `address`")
                .help("write `{ address = \"127.0.0.1:8080\", name = \"http\" }`")
        }
        DeValue::Integer(port) => {
            Wrong::kind(item.get_ref(), "an address").help(on_which(&port.to_string()))
        }
        other => match String::read(other) {
            Ok(text) => {
                return Some(Entry {
                    address: placed(item.span(), text),
                    name: None,
                });
            }
            Err(wrong) => wrong,
        },
    };
    table.wrong_at(field, item.span(), wrong);
    None
}

impl Written {
    /// How many descriptors a run finds from 3 on.
    pub fn descriptors(&self) -> u32 {
        match self.pass {
            SocketPass::Stdin => 0,
            SocketPass::Fds => u32::try_from(self.listen.len()).unwrap_or(u32::MAX),
        }
    }

    /// When the unit runs, as far as its sockets say.
    pub fn gate(&self) -> SocketGate {
        self.gate
    }

    /// Where each of the sockets is written.
    pub fn places(&self) -> impl Iterator<Item = &Range<usize>> {
        self.listen.iter().map(|entry| &entry.address.span)
    }

    /// The sockets of one instance; mistakes are reported. `base`: the unit's own name.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>, base: &str) -> Option<SocketSpec> {
        let mut listen = Vec::new();
        let mut sound = !self.listen.is_empty();
        for entry in &self.listen {
            let text = (here.fill)(&entry.address.value);
            let found = address(&text, reader.context.source.folder())
                .and_then(|address| allowed(reader, address));
            match found {
                Ok(address) => {
                    if here.first {
                        look(reader, entry, &address);
                    }
                    listen.push(Listen {
                        address,
                        name: entry.name.clone().unwrap_or_else(|| base.to_owned()),
                    });
                }
                Err(wrong) => {
                    reader.wrong_placed(&entry.address, wrong);
                    sound = false;
                }
            }
        }
        sound.then(|| SocketSpec {
            listen,
            pass: self.pass,
            backlog: self.backlog,
            mode: self.mode,
            owner: self.owner.clone(),
            group: self.group.clone(),
        })
    }
}

/// The address that a text means; paths are relative to `folder`.
fn address(text: &str, folder: &Path) -> Result<ListenAddress, Wrong> {
    let bad = || Wrong::new(format!("{} is not an address to listen on", quoted(text)));
    if let Some(rest) = text.strip_prefix("udp://") {
        return ip(text, rest).map(ListenAddress::Udp);
    }
    if let Some(rest) = text.strip_prefix("tcp://") {
        return ip(text, rest).map(ListenAddress::Tcp);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.split('/').next().unwrap_or_default();
        return Err(bad()
            .label(format!("with `{scheme}://`"))
            .help(match scheme {
                "unix" => "write the path alone: \"/run/x.sock\"".to_owned(),
                _ => format!(
                    "write the address alone: \"{rest}\"; `udp://` stands before one for datagrams"
                ),
            }));
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return Err(bad().help(format!("write the path alone: {}", show_text(path))));
    }
    if text.is_empty() {
        return Err(Wrong::new("it is empty")
            .help("write HOST:PORT or a path: \"127.0.0.1:8080\", \"/run/x.sock\""));
    }
    if text.starts_with(['@', '~']) {
        return Err(bad().help(if text.starts_with('@') {
            "abstract sockets have no owner and no mode; write a path: \"/run/x.sock\""
        } else {
            "`~` stands for nothing here; write the whole path"
        }));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad().label("a port alone").help(on_which(text)));
    }
    if !text.contains('/') && text.contains(':') {
        return ip(text, text).map(ListenAddress::Tcp);
    }
    let path: std::path::PathBuf = folder.join(text).components().collect();
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        return Err(Wrong::new(format!(
            "the path of a socket has at most {LONGEST_PATH} bytes, and this one has {length}"
        ))
        .label("too long")
        .help("choose a shorter one, such as below /run"));
    }
    Ok(ListenAddress::Unix(path))
}

/// Which of the two a bare port means.
fn on_which(port: &str) -> String {
    format!(
        "write \"127.0.0.1:{port}\" for this machine alone, \"[::]:{port}\" or \"0.0.0.0:{port}\" for others, too"
    )
}

fn ip(whole: &str, text: &str) -> Result<SocketAddr, Wrong> {
    let bad = || Wrong::new(format!("{} is not an address to listen on", quoted(whole)));
    let found = match text.strip_prefix("localhost:") {
        Some(port) => port
            .parse()
            .ok()
            .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        None => text.parse().ok(),
    };
    let Some(address): Option<SocketAddr> = found else {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        return Err(match port.parse::<u16>() {
            Ok(_) if matches!(host, "" | "*") => bad().label("on which addresses?").help(on_which(port)),
            Ok(_) => bad().label("not an address of this machine in numbers").help(
                "write IP:PORT: \"127.0.0.1:8080\", \"[::1]:8080\"; a name could mean another address tomorrow",
            ),
            Err(_) => bad()
                .label("a port is 1 to 65535")
                .help("write IP:PORT: \"127.0.0.1:8080\", \"[::1]:8080\""),
        });
    };
    if address.port() == 0 {
        return Err(
            Wrong::new("port 0 would be another port each time, and nobody could find it")
                .label("which port?")
                .help("name one: 1 to 65535"),
        );
    }
    Ok(address)
}

/// Whether whoever loads the configuration may listen there.
fn allowed(reader: &Reader<'_>, address: ListenAddress) -> Result<ListenAddress, Wrong> {
    let first = reader.context.caller.first_port;
    match address {
        ListenAddress::Tcp(ip) | ListenAddress::Udp(ip) if ip.port() < first => Err(Wrong::new(
            format!("port {} is for root alone on this machine", ip.port()),
        )
        .label(format!("below {first}"))
        .help(format!(
            "take a port from {first} on and put a proxy before it, run abide as root, give its binary the right (`setcap cap_net_bind_service=+ep`), or lower `net.ipv4.ip_unprivileged_port_start` (sysctl)"
        ))),
        address => Ok(address),
    }
}

/// Looks whether a socket file can be made where it shall be.
fn look(reader: &Reader<'_>, entry: &Entry, address: &ListenAddress) {
    let ListenAddress::Unix(path) = address else {
        return;
    };
    let there = std::fs::symlink_metadata(path).ok();
    if let Some(there) = there
        && !crate::programs::is_socket(&there)
    {
        let wrong = Wrong::new(format!("{} is there and is no socket", path.display()))
            .label("taken")
            .help("choose another path, or move that away: abide would not remove it");
        reader.wrong_placed(&entry.address, wrong);
    }
    if let Some(parent) = path.parent()
        && std::fs::metadata(parent).is_err_and(|why| why.kind() == std::io::ErrorKind::NotFound)
    {
        let report = reader.context.source.warning(
            entry.address.span.clone(),
            format!("the directory {} does not exist", parent.display()),
        );
        reader
            .context
            .report(report.help("create it before the unit starts"));
    }
}
