//! The reference as Markdown, from the table of keys.

use std::fmt::Write as _;

use super::{Inside, Key, Table, of};

/// The tables in the order of the reference, with what is said above each.
const SECTIONS: [(Table, &str, &str); 19] = [
    (
        Table::File,
        "The file",
        "At the top of the file, above the first table, or as tables of their own.",
    ),
    (Table::Unit, "`[service.NAME]` and `[defaults]`", "A unit."),
    (
        Table::Backoff,
        "`backoff`",
        "`backoff = \"none\"` restarts at once, always.",
    ),
    (Table::GiveUp, "`give_up`", "Only when the table is there."),
    (Table::Stop, "`stop`", ""),
    (Table::StopStep, "`stop.steps`", "Each step is a table."),
    (Table::Reload, "`reload`", "Only when the table is there."),
    (
        Table::Ready,
        "`ready`",
        "Exactly one way to find out, and `within`.",
    ),
    (
        Table::Heartbeat,
        "`heartbeat`",
        "Only when the table is there.",
    ),
    (
        Table::Health,
        "`health`",
        "Only when the table is there. At least one of `http`, `tcp`, `exec`, `silence` and `memory`; of several, all must be good.",
    ),
    (
        Table::Socket,
        "`socket`",
        "Only when the table is there; as `[service.NAME.socket]`, too.",
    ),
    (
        Table::SocketListen,
        "`socket.listen`",
        "When an entry is a table.",
    ),
    (Table::Limits, "`limits`", ""),
    (Table::Log, "`log`", ""),
    (
        Table::SystemLog,
        "`system_log`",
        "When it is a table. `\"journald\"` is short for `{ to = \"journald\" }`; a unit's own takes the place of that above it as a whole.",
    ),
    (
        Table::Hook,
        "A hook",
        "A command line or an array is a whole hook; a table says more, and an array of tables is several.",
    ),
    (Table::Daemon, "`[daemon]`", ""),
    (
        Table::Report,
        "`[report]`",
        "Where the state of every unit is reported to; in one file only.",
    ),
    (
        Table::Monitor,
        "`[monitor]`",
        "Accepts the beats of services on other machines; in one file only.",
    ),
];

/// The whole reference.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for (table, title, above) in SECTIONS {
        let _ = write!(text, "### {title}\n\n"); // writing to a String cannot fail
        if !above.is_empty() {
            let _ = write!(text, "{above}\n\n");
        }
        text.push_str("| key | value | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in of(table) {
            if !matches!(key.inside, Inside::NotYet(_)) {
                row(&mut text, key);
            }
        }
        let later: Vec<String> = of(table)
            .filter(|key| matches!(key.inside, Inside::NotYet(_)))
            .map(|key| format!("`{}`", key.name))
            .collect();
        if !later.is_empty() {
            let _ = write!(
                text,
                "\nReserved, and refused in this version: {}.\n",
                later.join(", ")
            );
        }
        text.push('\n');
    }
    text
}

fn row(text: &mut String, key: &Key) {
    let code = |value: &str| {
        if value.is_empty() {
            String::new()
        } else {
            format!("`{value}`")
        }
    };
    let escaped = |value: &str| value.replace('|', "\\|");
    let _ = writeln!(
        text,
        "| `{}` | {} | {} | {} | {} |",
        key.name,
        escaped(key.kind),
        escaped(&code(key.default)),
        escaped(key.meaning),
        escaped(&code(key.example)),
    );
}
