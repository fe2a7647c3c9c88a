//! The table of keys, the code and `docs/configuration.md` say the same.
//! `ABIDE_WRITE_DOCS=1 cargo test -p abide-config --test reference` writes the page's reference.

use std::path::{Path, PathBuf};

use abide_config::keys::{self, Inside, Key, Table};
use abide_config::{Caller, Origin, parse};

const BEGIN: &str =
    "<!-- made from the table of keys in crates/config/src/keys/table.rs: begin -->\n";
const END: &str = "<!-- made from the table of keys: end -->";

#[cfg(unix)]
fn executable(file: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(file, mode).expect("set");
}

#[cfg(windows)]
fn executable(_: &Path) {}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md")
}

#[test]
fn the_reference_in_the_docs_is_the_one_of_the_code() {
    let text = std::fs::read_to_string(page()).expect("docs/configuration.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("the reference begins");
    let (written, after) = rest.split_once(END).expect("the reference ends");
    if written == keys::reference() {
        return;
    }
    if std::env::var_os("ABIDE_WRITE_DOCS").is_some() {
        let new = format!("{before}{BEGIN}{}{END}{after}", keys::reference());
        std::fs::write(page(), new).expect("written");
    } else {
        panic!("docs/configuration.md is out of date; ABIDE_WRITE_DOCS=1 writes it anew");
    }
}

/// Where a key of this table stands in a unit.
fn in_unit(key: &Key, value: &str) -> Option<String> {
    let name = key.name;
    Some(match key.table {
        // What only another system takes is known here, too.
        Table::Unit if name == "password_file" => {
            let other = if cfg!(windows) { "linux" } else { "windows" };
            format!("{other} = {{ {name} = {value} }}")
        }
        Table::Unit => format!("{name} = {value}"),
        Table::Backoff => format!("backoff = {{ {name} = {value} }}"),
        Table::GiveUp => format!("give_up = {{ {name} = {value} }}"),
        Table::Stop => format!("stop = {{ {name} = {value} }}"),
        Table::StopStep if matches!(name, "signal" | "command") => {
            format!("stop = {{ steps = [{{ {name} = {value} }}] }}")
        }
        Table::StopStep if name == "shell" => {
            format!("stop = {{ steps = [{{ command = \"true\", {name} = {value} }}] }}")
        }
        Table::StopStep if name == "stdin" => {
            format!("stdin = \"pipe\"\nstop = {{ steps = [{{ {name} = {value} }}] }}")
        }
        Table::StopStep => {
            format!("stop = {{ steps = [{{ signal = \"INT\", {name} = {value} }}] }}")
        }
        Table::Reload if name == "shell" => {
            format!("reload = {{ command = \"true\", {name} = {value} }}")
        }
        Table::Reload => format!("reload = {{ {name} = {value} }}"),
        Table::Ready if name == "within" => {
            format!("ready = {{ tcp = \"[::1]:1\", {name} = {value} }}")
        }
        Table::Ready if matches!(name, "status" | "body") => {
            format!("ready = {{ http = \"http://[::1]/\", {name} = {value} }}")
        }
        Table::Ready => format!("ready = {{ {name} = {value} }}"),
        Table::Heartbeat if name != "every" => {
            format!("heartbeat = {{ every = \"1s\", {name} = {value} }}")
        }
        Table::Heartbeat => format!("heartbeat = {{ {name} = {value} }}"),
        Table::Limits => format!("limits = {{ {name} = {value} }}"),
        Table::Log => format!("log = {{ {name} = {value} }}"),
        Table::SystemLog if name == "name" => {
            format!("system_log = {{ to = \"tls://h\", {name} = {value} }}")
        }
        Table::SystemLog => format!("system_log = {{ {name} = {value} }}"),
        Table::File | Table::Daemon | Table::Listen | Table::Hook => return None,
        Table::Report | Table::Monitor => return None,
        Table::Socket if name == "listen" => format!("socket = {{ {name} = {value} }}"),
        Table::Socket => format!("socket = {{ listen = \"127.0.0.1:8080\", {name} = {value} }}"),
        Table::SocketListen if name == "address" => {
            format!("socket = {{ listen = [{{ {name} = {value} }}] }}")
        }
        Table::SocketListen => {
            format!("socket = {{ listen = [{{ address = \"[::1]:8080\", {name} = {value} }}] }}")
        }
        Table::Health if matches!(name, "http" | "tcp" | "exec" | "silence" | "memory") => {
            format!("health = {{ {name} = {value} }}")
        }
        Table::Health if matches!(name, "status" | "body") => {
            format!("health = {{ http = \"http://[::1]/\", {name} = {value} }}")
        }
        Table::Health => format!("health = {{ memory = \"1G\", {name} = {value} }}"),
    })
}

fn in_file(key: &Key, value: &str) -> String {
    let name = key.name;
    match (key.table, in_unit(key, value)) {
        (_, Some(line)) if key.table == Table::Unit && key.name == "command" => {
            format!("[service.x]\n{line}\n")
        }
        (_, Some(line)) => format!("[service.x]\ncommand = \"sleep 1\"\n{line}\n"),
        (Table::Daemon, _) => format!("[daemon]\n{} = {value}\n", key.name),
        (Table::Report, _) if name == "url" => format!("[report]\nurl = {value}\n"),
        (Table::Report, _) => format!("[report]\nurl = \"http://h/\"\n{name} = {value}\n"),
        (Table::Monitor, _) if name == "services" => format!("[monitor]\nservices = {value}\n"),
        (Table::Monitor, _) => format!("[monitor]\nservices = [\"*\"]\n{name} = {value}\n"),
        (Table::Hook, _) if name == "command" => {
            format!("[monitor]\nservices = [\"*\"]\non_silent = {{ command = {value} }}\n")
        }
        (Table::Hook, _) => format!(
            "[monitor]\nservices = [\"*\"]\non_silent = {{ command = \"true\", {name} = {value} }}\n"
        ),
        (Table::Listen, _) => format!("[daemon]\nlisten = {{ {} = {value} }}\n", key.name),
        _ => format!("{} = {value}\n", key.name),
    }
}

#[test]
fn every_example_and_every_default_is_taken() {
    for key in keys::ALL {
        for value in [key.example, key.default] {
            if value.is_empty() {
                continue;
            }
            let text = in_file(key, value);
            let read = parse(&text, Path::new("/etc/abide.toml"), &Caller::default());
            assert!(read.is_ok(), "{text}\n{}", read.expect_err("refused"));
        }
    }
}

#[test]
fn every_default_is_what_the_code_does() {
    let text = "[service.x]\ncommand = \"sleep 1\"\ngive_up = {}\nreload = {}\nready = { tcp = \"[::1]:1\" }\nheartbeat = { every = \"1s\" }\n\
        socket = { listen = \"127.0.0.1:8080\" }\n[service.y]\ncommand = \"sleep 1\"\nhealth = { tcp = \"[::1]:1\" }\n";
    let document = parse(text, Path::new("/etc/abide.toml"), &Caller::default()).expect("valid");
    // What one unit cannot have together.
    let of = |unit: &abide_config::Resolved, health: bool| {
        let settings = unit.settings.iter();
        let wanted = settings.filter(|setting| setting.key.starts_with("health.") == health);
        wanted.cloned().collect::<Vec<_>>()
    };
    let settings = [of(&document.units[0], false), of(&document.units[1], true)].concat();
    let prefix = |table: Table| match table {
        Table::Unit => Some(""),
        Table::Backoff => Some("backoff."),
        Table::GiveUp => Some("give_up."),
        Table::Stop => Some("stop."),
        Table::Reload => Some("reload."),
        Table::Ready => Some("ready."),
        Table::Heartbeat => Some("heartbeat."),
        Table::Log => Some("log."),
        Table::Health => Some("health."),
        Table::Socket => Some("socket."),
        _ => None,
    };
    let mut seen = Vec::new();
    for key in keys::ALL
        .iter()
        .filter(|key| !key.default.is_empty() && key.default != "{}")
    {
        let Some(prefix) = prefix(key.table) else {
            continue;
        };
        let name = format!("{prefix}{}", key.name);
        let setting = settings
            .iter()
            .find(|setting| setting.key == name)
            .unwrap_or_else(|| panic!("{name} is not shown"));
        assert_eq!(
            (setting.value.as_str(), &setting.origin),
            (key.default, &Origin::BuiltIn),
            "{name}"
        );
        seen.push(name);
    }
    for setting in settings
        .iter()
        .filter(|setting| setting.origin == Origin::BuiltIn && setting.key != "directory")
    {
        assert!(
            seen.contains(&setting.key),
            "{} has a default that the table does not name",
            setting.key
        );
    }
}

#[test]
fn every_key_that_comes_later_is_refused_as_such() {
    for key in keys::ALL
        .iter()
        .filter(|key| matches!(key.inside, Inside::NotYet(_)))
    {
        let text = in_file(key, "{ x = 1 }");
        let shown = parse(&text, Path::new("/etc/abide.toml"), &Caller::default())
            .expect_err("refused")
            .to_string();
        assert!(
            shown.contains(&format!("`{}` is not in this version of abide", key.name)),
            "{shown}"
        );
    }
}

/// The examples on the page are read as they stand there.
#[test]
fn every_file_shown_on_the_page_is_valid() {
    let text = std::fs::read_to_string(page()).expect("docs/configuration.md is there");
    let mut count = 0;
    for block in text.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("www")).expect("made");
        std::fs::write(folder.path().join(".env"), "A=1\n").expect("written");
        // The programs of the examples need not be on this machine.
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        for program in [
            "redis-server",
            "python3",
            "node",
            "worker",
            "shop",
            "migrate",
            "true",
            "sleep",
            "py",
        ] {
            let file = bin.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
            std::fs::write(&file, "").expect("written");
            executable(&file);
        }
        let path = std::env::join_paths(["/usr/bin".as_ref(), "/bin".as_ref(), bin.as_path()]);
        let path = path.expect("a PATH").into_string().expect("text");
        let path_line = format!("environment.PATH = {path:?}\n");
        let header = block.lines().find(|line| line.starts_with("[defaults]"));
        let block = match header {
            Some(header) => block.replace(header, &format!("[defaults]\n{path_line}")),
            None => format!("{block}\n[defaults]\n{path_line}"),
        };
        let read = parse(
            &block,
            &folder.path().join("abide.toml"),
            &Caller::default(),
        );
        assert!(read.is_ok(), "{block}\n{}", read.expect_err("refused"));
        count += 1;
    }
    assert!(count >= 4, "only {count} examples");
}
