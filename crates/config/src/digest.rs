//! What of a spec needs a new process when it changes.
//!
//! In: how to run (command, directory, variables, account, mask, priorities, stdin, limits), the type,
//! whether stdout and stderr are kept apart, whether it owes heartbeats (it is told where to send
//! them), and which descriptors and sockets it finds. Not in: restart policy, backoff, stop, reload, readiness, dependencies, retention of logs,
//! description, enabled. Changing those touches no running process.
//!
//! The digest is FNV-1a, 64 bits, over lines `key=value` of what differs from the default. So it stays
//! the same over versions of abide: a new setting that is not used adds no line. **Never change how a
//! line is written**: every unit of every user would restart at the next `up` after an upgrade.

use std::fmt::Write as _;

use abide_model::{
    Command, Launch, LogSpec, Policy, ProbeKind, RlimitKind, SocketPass, StdinSpec, Streams,
    UnitType,
};

/// The digest; see above. `notify_asked_for`: its notify socket is not there for its heartbeat alone.
pub(crate) fn launch_digest(
    launch: &Launch,
    policy: &Policy,
    log: &LogSpec,
    notify_asked_for: bool,
) -> u64 {
    canonical(launch, policy, log, notify_asked_for)
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

fn canonical(launch: &Launch, policy: &Policy, log: &LogSpec, notify_asked_for: bool) -> String {
    // Taken apart without `..`, so that a new field makes its author decide.
    let Launch {
        command,
        directory,
        environment,
        user,
        // Where a password lies changes nothing of a process that runs.
        password_file: _,
        group,
        umask,
        priority,
        cpu_affinity,
        oom_score,
        stdin,
        limits,
        notify,
        fd_store,
        socket,
    } = launch;
    let mut text = String::new();
    // Each value with its length in front: no value can look like another line.
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let value = value.to_string();
        let _ = writeln!(text, "{key}={}:{value}", value.len()); // writing to a String cannot fail
    };
    match command {
        Command::Argv(argv) => argv.iter().for_each(|word| line("argv", word)),
        Command::Shell(shell) => line("shell", shell),
    }
    line("directory", &directory.display());
    // Each name is there once, so their order means nothing.
    let mut variables: Vec<_> = environment.variables.iter().collect();
    variables.sort();
    for (name, value) in variables {
        line("environment", &format_args!("{name}={value}"));
    }
    if let Some(user) = user {
        line("user", user);
    }
    if let Some(group) = group {
        line("group", group);
    }
    if *umask != 0o022 {
        line("umask", umask);
    }
    if let Some(priority) = priority {
        line("priority", priority);
    }
    if let Some(cpus) = cpu_affinity {
        line("cpu_affinity", cpus);
    }
    if let Some(score) = oom_score {
        line("oom_score", score);
    }
    match stdin {
        StdinSpec::Null => {}
        StdinSpec::Pipe => line("stdin", &"pipe"),
    }
    if let Some(memory) = limits.tree.memory {
        line("memory", &memory);
    }
    if let Some(cpu) = limits.tree.cpu {
        line("cpu", &cpu);
    }
    if let Some(processes) = limits.tree.processes {
        line("processes", &processes);
    }
    if let Some(rate) = limits.tree.io_read {
        line("io_read", &rate);
    }
    if let Some(rate) = limits.tree.io_write {
        line("io_write", &rate);
    }
    for limit in &limits.process {
        match limit.value {
            Some(value) => line(rlimit(limit.kind), &value),
            None => line(rlimit(limit.kind), &"unlimited"),
        }
    }
    if policy.unit_type == UnitType::Oneshot {
        line("type", &"oneshot");
    }
    if policy.heartbeat.is_some() {
        line("heartbeat", &true);
    }
    // A unit that owes heartbeats has the socket, too, and those of versions before the socket must not
    // restart for it. Who may speak on it is the daemon's affair.
    if notify.is_some() && notify_asked_for {
        line("notify", &true);
    }
    if *fd_store > 0 {
        line("fd_store", &true);
    }
    if let Some(ready) = &policy.ready
        && let ProbeKind::Fd(number) = ready.probe
    {
        line("ready_fd", &number);
    }
    if let Some(socket) = socket {
        for listen in &socket.listen {
            line("listen", &listen.address);
            line("listen_name", &listen.name);
        }
        if socket.pass == SocketPass::Stdin {
            line("socket_pass", &"stdin");
        }
    }
    if log.streams == Streams::Split {
        line("streams", &"split");
    }
    text
}

fn rlimit(kind: RlimitKind) -> &'static str {
    match kind {
        RlimitKind::OpenFiles => "open_files",
        RlimitKind::CoreSize => "core_size",
        RlimitKind::FileSize => "file_size",
        RlimitKind::Stack => "stack",
        RlimitKind::AddressSpace => "address_space",
        RlimitKind::LockedMemory => "locked_memory",
        RlimitKind::CpuTime => "cpu_time",
    }
}
