//! What Windows has no counterpart for, and why, in the words in which it is said: one list, which
//! `docs/parity.toml` has to agree with. Whatever answers `Unsupported` there takes its reason from here.

use std::io;

/// Something that a system does not have.
#[derive(Debug)]
pub struct Absent {
    /// How it is called in `docs/parity.toml`.
    pub name: &'static str,
    /// Why, and the way out. Reads after "cannot WHAT: ".
    pub reason: &'static str,
}

impl Absent {
    const fn new(name: &'static str, reason: &'static str) -> Self {
        Self { name, reason }
    }

    /// As the answer of a call.
    #[must_use]
    pub fn error(&self) -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, self.reason)
    }
}

/// Sockets that a program is given.
pub const SOCKETS: Absent = Absent::new(
    "sockets",
    "on Windows no program inherits a listening socket; take `socket` out, and let the program listen itself",
);

/// A socket of abide's own that outlives its daemon.
pub const HELD_SOCKETS: Absent = Absent::new(
    "held-sockets",
    "Windows hands a socket on only to a process that it was made for by name",
);

/// `ready = { fd = … }`.
pub const READY_DESCRIPTOR: Absent = Absent::new(
    "ready-descriptor",
    "on Windows a program inherits no descriptor by its number; use another readiness check (`tcp`, `http`, `log`, `file`, `exec`)",
);

/// `group`.
pub const GROUPS: Absent = Absent::new(
    "groups",
    "on Windows a process has the groups of its account, and no other; take `group` out",
);

/// `user = "NT SERVICE\\NAME"`.
pub const VIRTUAL_ACCOUNTS: Absent = Absent::new(
    "virtual-accounts",
    "only the Service Control Manager logs a virtual account on, for the service that it belongs to; name another account, or install the \
     program as that service (`abide install --account`)",
);

/// `limits.io_read`, `limits.io_write`.
pub const IO_RATE: Absent = Absent::new(
    "io-rate",
    "Windows has no limit of bytes a second for the processes of a job",
);

/// The limits of setrlimit(2) that a job has not.
pub const PROCESS_LIMIT: Absent =
    Absent::new("process-limit", "Windows has no such limit for a process");

/// `oom_score`.
pub const OOM_SCORE: Absent = Absent::new(
    "oom-score",
    "Windows does not choose a process to end when memory is short",
);

/// That the other end of something is gone.
pub const LOSS: Absent = Absent::new(
    "loss",
    "Windows does not tell that the other end of something is gone",
);

/// A signal to one process.
pub const SIGNALS: Absent = Absent::new(
    "signals",
    "Windows has no such signal: a program can be asked to end (`abide stop`) or be ended (SIGKILL)",
);

/// A signal as a step of a stop.
pub const STOP_SIGNALS: Absent = Absent::new(
    "stop-signals",
    "Windows has no such signal: SIGINT is Ctrl-C there, SIGQUIT Ctrl-Break, SIGHUP closes windows, SIGTERM does the first and the last, \
     SIGKILL terminates",
);

/// A signal as the word to read a configuration again.
pub const RELOAD_SIGNALS: Absent = Absent::new(
    "reload-signals",
    "on Windows no program hears that and goes on; take SIGINT (Ctrl-C), SIGQUIT (Ctrl-Break) or a command there: \
     `windows = { reload = { signal = \"SIGQUIT\" } }`",
);

/// Another file that a keeper executes in its own place.
pub const KEEPER_RENEWAL: Absent = Absent::new(
    "keeper-renewal",
    "on Windows no process can go on with another file: the keeper is renewed when it is started next; leave `--keeper` out, \
     or `abide down`, then `abide up`",
);

/// All of it.
pub const ON_WINDOWS: &[Absent] = &[
    SOCKETS,
    HELD_SOCKETS,
    READY_DESCRIPTOR,
    GROUPS,
    VIRTUAL_ACCOUNTS,
    IO_RATE,
    PROCESS_LIMIT,
    OOM_SCORE,
    LOSS,
    SIGNALS,
    STOP_SIGNALS,
    RELOAD_SIGNALS,
    KEEPER_RENEWAL,
];
