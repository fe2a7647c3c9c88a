//! The words of other tools in a unit.

pub(super) const UNIT: &[(&str, &str)] = &[
    // compose and friends
    (
        "healthcheck",
        "write `health = { exec = \"…\" }`, or `http`, or `tcp`; `interval` is `every`, `retries` is `misses`, `start_period` is `grace`",
    ),
    (
        "health_check",
        "write `health = { exec = \"…\" }`, or `http`, or `tcp`; `interval` is `every`, `retries` is `misses`, `start_period` is `grace`",
    ),
    (
        "ports",
        "a program opens its own ports; abide listens for it with `socket = { listen = \"127.0.0.1:8080\" }`",
    ),
    (
        "expose",
        "a program opens its own ports; abide listens for it with `socket = { listen = \"127.0.0.1:8080\" }`",
    ),
    (
        "blkio_config",
        "write `limits = { io_read = \"10M\", io_write = \"10M\" }`: bytes a second",
    ),
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
    // kubernetes and process-compose
    (
        "livenessprobe",
        "write `health = { http = \"http://…\" }`; `periodSeconds` is `every`, `failureThreshold` is `misses`, `initialDelaySeconds` is `grace`",
    ),
    (
        "liveness_probe",
        "write `health = { http = \"http://…\" }`; `period_seconds` is `every`, `failure_threshold` is `misses`, `initial_delay_seconds` is `grace`",
    ),
    (
        "readinessprobe",
        "write `ready = { http = \"http://…\", within = \"30s\" }`",
    ),
    (
        "readiness_probe",
        "write `ready = { http = \"http://…\", within = \"30s\" }`",
    ),
    (
        "startupprobe",
        "write `ready = { http = \"http://…\", within = \"5m\" }`",
    ),
    (
        "startup_probe",
        "write `ready = { http = \"http://…\", within = \"5m\" }`",
    ),
    ("readiness", "write `ready = { http = \"http://…\" }`"),
    ("liveness", "write `health = { http = \"http://…\" }`"),
    (
        "lifecycle",
        "`postStart` is `after_start = \"…\"`, `preStop` is `before_stop = \"…\"`",
    ),
    ("poststart", "write `after_start = \"…\"`"),
    ("prestop", "write `before_stop = \"…\"`"),
    (
        "terminationgraceperiodseconds",
        "write `stop = { within = \"30s\" }`",
    ),
    // systemd
    (
        "execstartpre",
        "write `before_start = \"…\"`; several are an array of tables",
    ),
    (
        "execcondition",
        "write `before_start = \"…\"`: if it fails, the start has failed",
    ),
    ("execstartpost", "write `after_start = \"…\"`"),
    (
        "execstop",
        "write `before_stop = \"…\"`; after that `stop = { signal = \"SIGTERM\" }` asks the program itself",
    ),
    ("execstoppost", "write `after_stop = \"…\"`"),
    (
        "execreload",
        "write `reload = { signal = \"SIGHUP\" }`, or `reload = { command = \"…\" }`",
    ),
    ("onfailure", "write `on_failure = \"…\"`, a command"),
    (
        "onsuccess",
        "write `after_stop = \"…\"`, a command; it finds out how the run ended",
    ),
    (
        "notifyaccess",
        "write `notify = \"main\"`, `\"exec\"` or `\"all\"`; for readiness `ready = { notify = true }`",
    ),
    (
        "watchdogsec",
        "write `heartbeat = { every = \"5s\" }`; `WATCHDOG=1` is a beat",
    ),
    (
        "watchdogsignal",
        "a unit that missed its beats is stopped as `stop` says; take it out",
    ),
    ("filedescriptorstoremax", "write `fd_store = N`"),
    (
        "filedescriptorname",
        "write `socket = { listen = [{ address = \"…\", name = \"…\" }] }`",
    ),
    (
        "listenstream",
        "write `socket = { listen = \"127.0.0.1:8080\" }`, or a path",
    ),
    (
        "listendatagram",
        "write `socket = { listen = \"udp://127.0.0.1:5353\" }`",
    ),
    ("listen", "write `socket = { listen = \"127.0.0.1:8080\" }`"),
    (
        "sockets",
        "write `socket = { listen = [\"127.0.0.1:8080\", \"/run/x.sock\"] }`",
    ),
    (
        "socketmode",
        "write `socket = { listen = \"…\", mode = \"0660\" }`",
    ),
    (
        "socketuser",
        "write `socket = { listen = \"…\", user = \"NAME\" }`",
    ),
    (
        "socketgroup",
        "write `socket = { listen = \"…\", group = \"NAME\" }`",
    ),
    (
        "ioreadbandwidthmax",
        "write `limits = { io_read = \"10M\" }`: bytes a second",
    ),
    (
        "iowritebandwidthmax",
        "write `limits = { io_write = \"10M\" }`: bytes a second",
    ),
    ("execstart", "write `command = \"…\"`"),
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
    ("memorymax", "write `limits = { memory = \"512M\" }`"),
    ("memorylimit", "write `limits = { memory = \"512M\" }`"),
    ("cpuquota", "write `limits = { cpu = \"50%\" }`"),
    ("tasksmax", "write `limits = { processes = 100 }`"),
    ("limitnofile", "write `limits = { open_files = 1024 }`"),
    ("cpuaffinity", "write `cpu_affinity = \"0-3\"`"),
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
    (
        "socket_backlog",
        "write `socket = { listen = \"…\", backlog = 511 }`",
    ),
    (
        "socket_owner",
        "write `socket = { listen = \"…\", user = \"NAME\" }`",
    ),
    (
        "socket_mode",
        "write `socket = { listen = \"…\", mode = \"0660\" }`",
    ),
    (
        "hooks",
        "write `before_start = \"…\"`; the others are `after_start`, `before_stop`, `after_stop`, `on_failure` and `on_give_up`",
    ),
    (
        "hook",
        "write `before_start = \"…\"`; the others are `after_start`, `before_stop`, `after_stop`, `on_failure` and `on_give_up`",
    ),
    ("pre_start", "write `before_start = \"…\"`"),
    ("start_pre", "write `before_start = \"…\"`"),
    ("prestart", "write `before_start = \"…\"`"),
    ("post_start", "write `after_start = \"…\"`"),
    ("start_post", "write `after_start = \"…\"`"),
    ("pre_stop", "write `before_stop = \"…\"`"),
    ("stop_pre", "write `before_stop = \"…\"`"),
    ("post_stop", "write `after_stop = \"…\"`"),
    ("stop_post", "write `after_stop = \"…\"`"),
    ("poststop", "write `after_stop = \"…\"`"),
    ("stop_command", "write `before_stop = \"…\"`"),
    ("reload_command", "write `reload = { command = \"…\" }`"),
    ("reload_signal", "write `reload = { signal = \"SIGHUP\" }`"),
    (
        "on_unhealthy",
        "write it in `health`: `health = { …, on_unhealthy = \"restart\" }`",
    ),
    ("watchdog", "write `heartbeat = { every = \"5s\" }`"),
    ("notification_fd", "write `ready = { fd = 3 }`"),
    ("ready_fd", "write `ready = { fd = 3 }`"),
    (
        "exec_mode",
        "write `instances = N`, and `socket = { listen = \"…\" }`, which they share",
    ),
    (
        "max_memory_restart",
        "write `health = { memory = \"512M\" }`, which restarts it, or `limits = { memory = \"512M\" }`, which the kernel keeps",
    ),
    (
        "wait_ready",
        "use `ready`, such as `ready = { log = \"listening\" }`",
    ),
    ("listen_timeout", "write `ready = { …, within = \"30s\" }`"),
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
    ("kill_timeout", "write `stop = { within = \"10s\" }`"),
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
];
