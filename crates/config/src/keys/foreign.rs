//! The words of other tools, and what they are called here.

use super::Table;

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
        Table::Daemon
        | Table::Listen
        | Table::Reload
        | Table::Heartbeat
        | Table::Hook
        | Table::Health
        | Table::Socket
        | Table::SocketListen
        | Table::Report
        | Table::Monitor => return None,
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

const UNIT: &[(&str, &str)] = &[
    (
        "hooks",
        "a hook is a key of its own: `before_start = \"…\"`, `after_start`, `before_stop`, `after_stop`, `on_failure`, `on_give_up`",
    ),
    // compose and friends
    ("depends_on", "write `requires = [\"NAME\"]`"),
    ("dependson", "write `requires = [\"NAME\"]`"),
    ("dependencies", "write `requires = [\"NAME\"]`"),
    ("depends", "write `requires = [\"NAME\"]`"),
    ("cwd", "write `directory = \"PATH\"`"),
    ("working_dir", "write `directory = \"PATH\"`"),
    ("workdir", "write `directory = \"PATH\"`"),
    ("working_directory", "write `directory = \"PATH\"`"),
    ("chdir", "write `directory = \"PATH\"`"),
    ("dir", "write `directory = \"PATH\"`"),
    ("env", "write `environment = { NAME = \"VALUE\" }`"),
    ("envs", "write `environment = { NAME = \"VALUE\" }`"),
    ("env_file", "write `environment_file = [\"PATH\"]`"),
    ("envfile", "write `environment_file = [\"PATH\"]`"),
    ("replicas", "write `instances = N`"),
    ("scale", "write `instances = N`"),
    (
        "healthcheck",
        "use `ready` for the start and `heartbeat` after it",
    ),
    (
        "health_check",
        "use `ready` for the start and `heartbeat` after it",
    ),
    ("stop_grace_period", "write `stop = { within = \"10s\" }`"),
    ("stop_signal", "write `stop = { signal = \"SIGTERM\" }`"),
    ("stop_timeout", "write `stop = { within = \"10s\" }`"),
    ("entrypoint", "write `command = \"…\"`"),
    (
        "image",
        "abide runs programs of this machine, not images: write `command`",
    ),
    (
        "build",
        "abide runs programs of this machine, not images: write `command`",
    ),
    (
        "ports",
        "a program opens its own ports; tell it by its `command` or `environment`",
    ),
    (
        "volumes",
        "abide runs programs of this machine: there is nothing to mount",
    ),
    (
        "container_name",
        "the unit's name stands in its header: [service.NAME]",
    ),
    ("logging", "write `log = { max_size = \"50M\", keep = 10 }`"),
    ("mem_limit", "write `limits = { memory = \"512M\" }`"),
    ("memory", "write `limits = { memory = \"512M\" }`"),
    ("cpus", "write `limits = { cpu = \"50%\" }`"),
    ("ulimits", "write `limits = { open_files = 1024 }`"),
    // supervisord
    (
        "autorestart",
        "write `restart = \"always\"`, `\"on-failure\"` or `\"never\"`",
    ),
    ("autostart", "write `enabled = true` or `false`"),
    (
        "startretries",
        "write `give_up = { restarts = 20, within = \"10m\" }`",
    ),
    (
        "startsecs",
        "write `backoff = { reset_after = \"10s\" }`: a run this long counts as stable; for readiness see `ready`",
    ),
    ("exitcodes", "write `success_exit = [0]`"),
    ("stopsignal", "write `stop = { signal = \"SIGTERM\" }`"),
    ("stopwaitsecs", "write `stop = { within = \"10s\" }`"),
    (
        "stopasgroup",
        "a stop always reaches all processes of a unit; take it out",
    ),
    (
        "killasgroup",
        "a stop always reaches all processes of a unit; take it out",
    ),
    ("numprocs", "write `instances = N`"),
    ("numprocs_start", "instances are numbered from 1"),
    (
        "process_name",
        "the unit's name stands in its header: [service.NAME]",
    ),
    (
        "redirect_stderr",
        "write `log = { streams = \"combined\" }`, which is the default",
    ),
    (
        "stdout_logfile",
        "output is kept by itself; `abide logs` shows it, `log` says how much is kept",
    ),
    (
        "stderr_logfile",
        "output is kept by itself; write `log = { streams = \"split\" }` to keep stderr apart",
    ),
    (
        "stdout_logfile_maxbytes",
        "write `log = { max_size = \"50M\" }`",
    ),
    ("stdout_logfile_backups", "write `log = { keep = 10 }`"),
    (
        "stderr_logfile_maxbytes",
        "write `log = { max_size = \"50M\" }`",
    ),
    ("stderr_logfile_backups", "write `log = { keep = 10 }`"),
    // systemd
    ("execstart", "write `command = \"…\"`"),
    (
        "execstartpre",
        "make it a unit with `type = \"oneshot\"` and require that",
    ),
    (
        "execstartpost",
        "make it a unit with `type = \"oneshot\"` that requires this one",
    ),
    ("execstop", "write `stop = { signal = \"SIGTERM\" }`"),
    ("execreload", "write `reload = { signal = \"SIGHUP\" }`"),
    ("workingdirectory", "write `directory = \"PATH\"`"),
    ("user", "write `user = \"NAME\"`"),
    ("group", "write `group = \"NAME\"`"),
    ("environment", "write `environment = { NAME = \"VALUE\" }`"),
    ("environmentfile", "write `environment_file = [\"PATH\"]`"),
    ("passenvironment", "write `inherit = [\"NAME\"]`"),
    (
        "restart",
        "write `restart = \"always\"`, `\"on-failure\"` or `\"never\"`",
    ),
    ("restartsec", "write `backoff = { initial = \"1s\" }`"),
    (
        "startlimitburst",
        "write `give_up = { restarts = 20, within = \"10m\" }`",
    ),
    (
        "startlimitintervalsec",
        "write `give_up = { restarts = 20, within = \"10m\" }`",
    ),
    ("timeoutstopsec", "write `stop = { within = \"10s\" }`"),
    ("timeoutstartsec", "write `ready = { …, within = \"30s\" }`"),
    ("timeoutsec", "write `stop = { within = \"10s\" }`"),
    ("killsignal", "write `stop = { signal = \"SIGTERM\" }`"),
    (
        "killmode",
        "a stop always reaches all processes of a unit; take it out",
    ),
    ("successexitstatus", "write `success_exit = [0]`"),
    ("watchdogsec", "write `heartbeat = { every = \"5s\" }`"),
    ("memorymax", "write `limits = { memory = \"512M\" }`"),
    ("memorylimit", "write `limits = { memory = \"512M\" }`"),
    ("cpuquota", "write `limits = { cpu = \"50%\" }`"),
    ("tasksmax", "write `limits = { processes = 100 }`"),
    ("limitnofile", "write `limits = { open_files = 1024 }`"),
    ("nice", "write `priority = 0`"),
    ("oomscoreadjust", "write `oom_score = 0`"),
    (
        "remainafterexit",
        "a oneshot that ended with success counts as up; take it out",
    ),
    (
        "pidfile",
        "abide knows the processes that it starts: run the program in the foreground",
    ),
    ("before", "write `after = [\"THIS\"]` in the other unit"),
    ("partof", "write `requires = [\"NAME\"]`"),
    ("bindsto", "write `requires = [\"NAME\"]`"),
    (
        "wantedby",
        "units come up with the daemon unless they say `enabled = false`",
    ),
    (
        "standardoutput",
        "output is kept by itself; `abide logs` shows it",
    ),
    (
        "standarderror",
        "output is kept by itself; `abide logs` shows it",
    ),
    // pm2, NSSM, WinSW, foreman and others
    ("cmd", "write `command = \"…\"`"),
    ("exec", "write `command = \"…\"`"),
    ("run", "write `command = \"…\"`"),
    ("program", "write `command = \"…\"`"),
    ("executable", "write `command = \"…\"`"),
    ("script", "write `command = \"…\"`"),
    ("application", "write `command = \"…\"`"),
    ("args", "arguments belong to `command`, a line or an array"),
    (
        "arguments",
        "arguments belong to `command`, a line or an array",
    ),
    (
        "interpreter",
        "write it first in `command`: `command = \"node app.js\"`",
    ),
    (
        "exec_mode",
        "write `instances = N`; the program shares its port by itself",
    ),
    (
        "max_restarts",
        "write `give_up = { restarts = 20, within = \"10m\" }`",
    ),
    ("min_uptime", "write `backoff = { reset_after = \"10s\" }`"),
    (
        "restart_delay",
        "write `backoff = { initial = \"1s\", factor = 1 }`",
    ),
    (
        "exp_backoff_restart_delay",
        "write `backoff = { initial = \"100ms\" }`",
    ),
    (
        "max_memory_restart",
        "write `limits = { memory = \"512M\" }`",
    ),
    ("kill_timeout", "write `stop = { within = \"10s\" }`"),
    ("wait_ready", "use `ready`"),
    (
        "watch",
        "abide does not watch files; run `abide restart` from what changes them",
    ),
    (
        "autorestart_delay",
        "write `backoff = { initial = \"1s\" }`",
    ),
    ("appdirectory", "write `directory = \"PATH\"`"),
    (
        "appparameters",
        "arguments belong to `command`, a line or an array",
    ),
    (
        "appexit",
        "write `restart = \"always\"`, `\"on-failure\"` or `\"never\"`",
    ),
    (
        "appenvironmentextra",
        "write `environment = { NAME = \"VALUE\" }`",
    ),
    ("onfailure", "write `restart = \"on-failure\"`"),
    ("startmode", "write `enabled = true` or `false`"),
    ("disabled", "write `enabled = false`"),
    (
        "timeout",
        "write `stop = { within = \"10s\" }` or `ready = { …, within = \"30s\" }`",
    ),
    (
        "name",
        "the unit's name stands in its header: [service.NAME]",
    ),
    ("instance", "write `instances = N`"),
    ("notify", "use `ready` with `tcp`, `http`, `exec` or `file`"),
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
];

const STOP: &[(&str, &str)] = &[
    ("timeout", "write `within = \"10s\"`"),
    ("grace", "write `within = \"10s\"`"),
    (
        "exec",
        "in this version a stop is a signal: write `signal = \"SIGTERM\"`",
    ),
    (
        "command",
        "in this version a stop is a signal: write `signal = \"SIGTERM\"`",
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
];

const LIMITS: &[(&str, &str)] = &[
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
