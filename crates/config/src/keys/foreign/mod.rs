//! The words of other tools, and what they are called here.

mod unit;

use super::Table;
use unit::UNIT;

/// What a key of another tool is here: the way out, as a sentence. Spelling with `-` or capitals
/// does not matter.
pub(super) fn translate(table: Table, word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let list = match table {
        Table::File => FILE,
        Table::Unit => UNIT,
        Table::Log => LOG,
        Table::Stop | Table::StopStep => STOP,
        Table::Ready => READY,
        Table::Limits => LIMITS,
        Table::Backoff | Table::GiveUp => RESTARTS,
        Table::Reload => RELOAD,
        Table::Heartbeat => HEARTBEAT,
        Table::Health => HEALTH,
        Table::Hook => HOOK,
        Table::Socket | Table::SocketListen => SOCKET,
        Table::Report => REPORT,
        Table::Monitor => MONITOR,
        Table::SystemLog => SYSTEM_LOG,
        Table::Daemon | Table::Listen => return None,
    };
    list.iter()
        .find(|(theirs, _)| *theirs == word)
        .map(|(_, ours)| *ours)
}

const FILE: &[(&str, &str)] = &[
    ("services", "a unit is a table of its own: [service.NAME]"),
    ("program", "a unit is called [service.NAME] here"),
    ("programs", "a unit is called [service.NAME] here"),
    ("apps", "a unit is a table of its own: [service.NAME]"),
    ("processes", "a unit is a table of its own: [service.NAME]"),
    ("process", "a unit is called [service.NAME] here"),
    (
        "unit",
        "a unit is called [service.NAME] here; its description and dependencies stand in it",
    ),
    (
        "install",
        "units come up with the daemon unless they say `enabled = false`",
    ),
    ("supervisord", "settings of the daemon stand in [daemon]"),
    (
        "supervisorctl",
        "the command line finds its daemon by itself; take this table out",
    ),
    (
        "inet_http_server",
        "write `listen = \"127.0.0.1:7878\"` in [daemon]",
    ),
    (
        "unix_http_server",
        "the socket of the home is always there; take this table out",
    ),
    (
        "include",
        "give several files, or their folder, to `abide up`",
    ),
    ("timer", "scheduled tasks come later; run it from cron"),
    ("cron", "scheduled tasks come later; run it from cron"),
];

const LOG: &[(&str, &str)] = &[
    ("file", "abide chooses the files; `abide logs` shows them"),
    ("path", "abide chooses the files; `abide logs` shows them"),
    ("size", "write `max_size = \"50M\"`"),
    ("maxbytes", "write `max_size = \"50M\"`"),
    ("max_file", "write `keep = 10`"),
    ("backups", "write `keep = 10`"),
    ("count", "write `keep = 10`"),
    ("rotate", "write `keep = 10`"),
    ("age", "write `max_age = \"30d\"`"),
    ("total", "write `max_total = \"1G\"`"),
    ("charset", "write `encoding = \"oem\"`"),
    ("codepage", "write `encoding = \"cp850\"`"),
];

const STOP: &[(&str, &str)] = &[
    ("timeout", "write `within = \"10s\"`"),
    ("grace", "write `within = \"10s\"`"),
    (
        "exec",
        "in this version a stop is a signal: write `signal = \"SIGTERM\"`; a command before it is `before_stop` of the unit",
    ),
    (
        "command",
        "in this version a stop is a signal: write `signal = \"SIGTERM\"`; a command before it is `before_stop` of the unit",
    ),
];

const READY: &[(&str, &str)] = &[
    ("timeout", "write `within = \"30s\"`"),
    ("url", "write `http = \"http://…\"`"),
    ("port", "write `tcp = \"127.0.0.1:PORT\"`"),
    ("command", "write `exec = \"…\"`"),
    ("cmd", "write `exec = \"…\"`"),
    ("path", "write `file = \"PATH\"`"),
    (
        "https",
        "in this version only `http` is asked; use `exec = \"curl …\"` or `tcp`",
    ),
    ("regex", "write `log = \"PATTERN\"`"),
    ("pattern", "write `log = \"PATTERN\"`"),
    ("log_line", "write `log = \"PATTERN\"`"),
    ("ready_log_line", "write `log = \"PATTERN\"`"),
    ("notification_fd", "write `fd = 3`"),
    ("sd_notify", "write `notify = true`"),
    ("type", "write `notify = true`, or another way to find out"),
    ("httpget", "write `http = \"http://…\"`"),
    ("http_get", "write `http = \"http://…\"`"),
    ("tcpsocket", "write `tcp = \"127.0.0.1:PORT\"`"),
    ("tcp_socket", "write `tcp = \"127.0.0.1:PORT\"`"),
    ("timeoutseconds", "write `within = \"30s\"`"),
    (
        "failurethreshold",
        "write `within = \"30s\"`: it is asked until then",
    ),
    (
        "failure_threshold",
        "write `within = \"30s\"`: it is asked until then",
    ),
    (
        "periodseconds",
        "it is asked often, and until `within`; take it out",
    ),
    (
        "period_seconds",
        "it is asked often, and until `within`; take it out",
    ),
    (
        "every",
        "it is asked often, and until `within`; take it out",
    ),
    (
        "interval",
        "it is asked often, and until `within`; take it out",
    ),
    (
        "retries",
        "write `within = \"30s\"`: it is asked until then",
    ),
    (
        "initialdelayseconds",
        "it is asked from the start on; take it out",
    ),
    (
        "initial_delay_seconds",
        "it is asked from the start on; take it out",
    ),
    ("match", "write `body = \"PATTERN\"`"),
    ("expect", "write `status = 200` or `body = \"PATTERN\"`"),
    ("code", "write `status = 200`"),
    ("status_code", "write `status = 200`"),
];

const LIMITS: &[(&str, &str)] = &[
    (
        "io",
        "write `io_read = \"10M\"` and `io_write = \"10M\"`: bytes a second",
    ),
    (
        "blkio",
        "write `io_read = \"10M\"` and `io_write = \"10M\"`: bytes a second",
    ),
    ("device_read_bps", "write `io_read = \"10M\"`"),
    ("device_write_bps", "write `io_write = \"10M\"`"),
    ("read_bps", "write `io_read = \"10M\"`"),
    ("write_bps", "write `io_write = \"10M\"`"),
    ("ioreadbandwidthmax", "write `io_read = \"10M\"`"),
    ("iowritebandwidthmax", "write `io_write = \"10M\"`"),
    ("mem", "write `memory = \"512M\"`"),
    ("cpus", "write `cpu = \"50%\"`"),
    ("nofile", "write `open_files = 1024`"),
    ("nproc", "write `processes = 100`"),
    ("pids", "write `processes = 100`"),
    ("tasks", "write `processes = 100`"),
    ("core", "write `core_size = 0`"),
    ("fsize", "write `file_size = \"1G\"`"),
    ("as", "write `address_space = \"4G\"`"),
    ("memlock", "write `locked_memory = \"64K\"`"),
];

const RESTARTS: &[(&str, &str)] = &[
    ("delay", "write `initial = \"100ms\"` in `backoff`"),
    ("min", "write `initial = \"100ms\"` in `backoff`"),
    ("multiplier", "write `factor = 2` in `backoff`"),
    ("max_delay", "write `max = \"30s\"` in `backoff`"),
    ("reset", "write `reset_after = \"10s\"` in `backoff`"),
    ("max_restarts", "write `restarts = 20` in `give_up`"),
    ("count", "write `restarts = 20` in `give_up`"),
    ("window", "write `within = \"10m\"` in `give_up`"),
];

const RELOAD: &[(&str, &str)] = &[
    ("exec", "write `command = \"…\"`"),
    ("cmd", "write `command = \"…\"`"),
    ("timeout", "write `within = \"30s\"`"),
    ("notify", "write `confirm = true`"),
];

const HEARTBEAT: &[(&str, &str)] = &[
    ("interval", "write `every = \"5s\"`"),
    ("period", "write `every = \"5s\"`"),
    ("timeout", "write `every = \"5s\"` and `misses = 3`"),
    ("retries", "write `misses = 3`"),
    ("missed", "write `misses = 3`"),
    ("watchdogsec", "write `every = \"5s\"`"),
    ("path", "write `file = \"PATH\"`"),
];

const HEALTH: &[(&str, &str)] = &[
    (
        "test",
        "write `exec = [\"PROGRAM\", \"ARGUMENT\"]`, without `CMD`",
    ),
    ("interval", "write `every = \"10s\"`"),
    ("retries", "write `misses = 3`"),
    ("start_period", "write `grace = \"30s\"`"),
    (
        "start_interval",
        "there is one `every`; the first good round ends `grace`",
    ),
    ("disable", "take `health` out"),
    ("periodseconds", "write `every = \"10s\"`"),
    ("period_seconds", "write `every = \"10s\"`"),
    ("failurethreshold", "write `misses = 3`"),
    ("failure_threshold", "write `misses = 3`"),
    ("initialdelayseconds", "write `grace = \"30s\"`"),
    ("initial_delay_seconds", "write `grace = \"30s\"`"),
    ("timeoutseconds", "write `timeout = \"2s\"`"),
    ("timeout_seconds", "write `timeout = \"2s\"`"),
    ("successthreshold", "one good round is enough; take it out"),
    ("success_threshold", "one good round is enough; take it out"),
    ("httpget", "write `http = \"http://…\"`"),
    ("http_get", "write `http = \"http://…\"`"),
    ("tcpsocket", "write `tcp = \"127.0.0.1:PORT\"`"),
    ("tcp_socket", "write `tcp = \"127.0.0.1:PORT\"`"),
    (
        "https",
        "in this version only `http` is asked; use `exec = \"curl …\"` or `tcp`",
    ),
    ("url", "write `http = \"http://…\"`"),
    ("port", "write `tcp = \"127.0.0.1:PORT\"`"),
    ("command", "write `exec = \"…\"`"),
    ("cmd", "write `exec = \"…\"`"),
    ("script", "write `exec = \"…\"`"),
    ("within", "write `timeout = \"2s\"`: for one round"),
    ("action", "write `on_unhealthy = \"restart\"` or `\"mark\"`"),
    (
        "on_failure",
        "write `on_unhealthy = \"restart\"` or `\"mark\"`",
    ),
    (
        "restart",
        "write `on_unhealthy = \"restart\"` or `\"mark\"`",
    ),
    (
        "log",
        "write `silence = \"5m\"`: unwell when it has written nothing for so long",
    ),
    ("max_memory", "write `memory = \"500M\"`"),
    ("rss", "write `memory = \"500M\"`"),
    ("match", "write `body = \"PATTERN\"`"),
    ("expect", "write `status = 200` or `body = \"PATTERN\"`"),
    ("code", "write `status = 200`"),
    ("status_code", "write `status = 200`"),
];

const SOCKET: &[(&str, &str)] = &[
    (
        "listenstream",
        "write `listen = \"127.0.0.1:8080\"`, or a path",
    ),
    (
        "listendatagram",
        "write `listen = \"udp://127.0.0.1:5353\"`",
    ),
    ("bind", "write `listen = \"127.0.0.1:8080\"`"),
    ("host", "write `listen = \"127.0.0.1:8080\"`"),
    ("port", "write `listen = \"127.0.0.1:8080\"`"),
    ("path", "write `listen = \"/run/x.sock\"`"),
    (
        "addresses",
        "write `listen = [\"127.0.0.1:8080\", \"/run/x.sock\"]`",
    ),
    ("tcp", "write `listen = \"127.0.0.1:8080\"`"),
    ("udp", "write `listen = \"udp://127.0.0.1:5353\"`"),
    ("unix", "write `listen = \"/run/x.sock\"`"),
    ("socketmode", "write `mode = \"0660\"`"),
    ("socketuser", "write `user = \"NAME\"`"),
    ("socketgroup", "write `group = \"NAME\"`"),
    ("owner", "write `user = \"NAME\"`"),
    (
        "filedescriptorname",
        "write `listen = [{ address = \"…\", name = \"…\" }]`",
    ),
    (
        "fdname",
        "write `listen = [{ address = \"…\", name = \"…\" }]`",
    ),
    (
        "names",
        "write `listen = [{ address = \"…\", name = \"…\" }]`",
    ),
    (
        "accept",
        "the program accepts its connections itself; one process for each is not in this version",
    ),
    ("timeoutidlesec", "write `idle_stop = \"5m\"`"),
    ("idle_timeout", "write `idle_stop = \"5m\"`"),
    ("idle", "write `idle_stop = \"5m\"`"),
    ("on_demand", "write `start = \"connection\"`"),
    ("lazy", "write `start = \"connection\"`"),
    ("reuseport", "instances share one socket; take it out"),
    ("standardinput", "write `pass = \"stdin\"`"),
    ("service", "the socket stands in its unit; take it out"),
];

const HOOK: &[(&str, &str)] = &[
    ("cmd", "write `command = \"…\"`"),
    ("exec", "write `command = \"…\"`"),
    ("run", "write `command = \"…\"`"),
    ("script", "write `command = \"…\"`"),
    ("args", "arguments belong to `command`, a line or an array"),
    ("timeoutsec", "write `timeout = \"30s\"`"),
    ("within", "write `timeout = \"30s\"`"),
    (
        "ignore_failure",
        "write `command = \"… || true\"` with `shell = true`",
    ),
    (
        "ignore_errors",
        "write `command = \"… || true\"` with `shell = true`",
    ),
];

const REPORT: &[(&str, &str)] = &[
    ("interval", "write `every = \"30s\"`"),
    ("endpoint", "write `url = \"http://…\"`"),
    ("address", "write `url = \"http://…\"`"),
    ("to", "write `url = \"http://…\"`"),
    (
        "type",
        "write `style = \"batch\"`, `\"each\"` or `\"ping\"`",
    ),
    (
        "format",
        "write `style = \"batch\"`, `\"each\"` or `\"ping\"`",
    ),
    (
        "token",
        "reports carry no token in this version; let a proxy on this machine add it",
    ),
    (
        "headers",
        "reports carry no headers in this version; let a proxy on this machine add them",
    ),
    ("name", "write `host = \"NAME\"`"),
    ("hostname", "write `host = \"NAME\"`"),
];

const MONITOR: &[(&str, &str)] = &[
    ("interval", "write `every = \"30s\"`"),
    ("service", "write `services = [\"NAME\"]`"),
    ("units", "write `services = [\"NAME\"]`"),
    ("names", "write `services = [\"NAME\"]`"),
    ("hosts", "write `services = [\"HOST/*\"]`"),
    ("timeout", "write `every = \"30s\"` and `misses = 3`"),
    ("command", "write `on_silent = \"…\"`"),
    ("hook", "write `on_silent = \"…\"`"),
    ("on_failure", "write `on_silent = \"…\"`"),
    (
        "listen",
        "the port stands in [daemon]: `listen = \"127.0.0.1:7878\"`",
    ),
];

const SYSTEM_LOG: &[(&str, &str)] = &[
    ("destination", "`to` says where to"),
    ("address", "`to` says where to: \"tcp://HOST:514\""),
    ("target", "`to` says where to: \"tcp://HOST:514\""),
    ("server", "`to` says where to: \"tcp://HOST:514\""),
    ("url", "`to` says where to: \"tcp://HOST:514\""),
    ("stdout", "`output = true` sends what the program writes"),
    ("ca_file", "`ca` names the certificates that are trusted"),
    ("cafile", "`ca` names the certificates that are trusted"),
    (
        "cert",
        "the certificate by which abide shows who it is is called `certificate`",
    ),
    (
        "hostname",
        "`host` is what this machine is called in what is sent",
    ),
    (
        "server_name",
        "`name` is the name in the receiver's certificate",
    ),
    ("tag", "messages are tagged with the unit's name"),
    (
        "syslog_identifier",
        "messages are tagged with the unit's name",
    ),
    (
        "level",
        "everything is sent, with its severity; the receiver chooses",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_another_tool_is_there_twice_or_is_one_of_ours() {
        for (table, list) in [
            (Table::File, FILE),
            (Table::Unit, UNIT),
            (Table::Log, LOG),
            (Table::Stop, STOP),
            (Table::Ready, READY),
            (Table::Limits, LIMITS),
            (Table::Reload, RELOAD),
            (Table::Heartbeat, HEARTBEAT),
            (Table::Health, HEALTH),
            (Table::Socket, SOCKET),
            (Table::Hook, HOOK),
            (Table::Report, REPORT),
            (Table::Monitor, MONITOR),
        ] {
            for (at, (word, _)) in list.iter().enumerate() {
                let again = list[at + 1..].iter().any(|(other, _)| other == word);
                // `user` of systemd is `User`: ours when it is spelt so.
                let written_alike = ["user", "group", "environment", "restart"].contains(word);
                let ours = super::super::find(table, word).is_some() && !written_alike;
                assert!(!again && !ours, "{word} of {}", table.title());
            }
        }
    }
}
