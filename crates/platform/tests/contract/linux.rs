//! The real thing, and what only it can show.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use abide_model::{
    EnvironmentSpec, ExitStatus, Launch, Limits, Rlimit, RlimitKind, Signal, StdinSpec,
};
use abide_platform::{keeper, lock};

use crate::daemon::{Ask, PATIENCE, Tell};
use crate::platform::{Platform, Program};
use crate::runner::{Outcome, Skipped};

pub struct Linux {
    home: tempfile::TempDir,
    keeper: Option<Child>,
    stream: Option<BufReader<UnixStream>>,
}

/// Waits for something that other processes do.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes end without telling us"
)]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn me() -> std::path::PathBuf {
    std::env::current_exe().expect("our file")
}

/// A program of ours.
pub fn launch(words: &[&str]) -> Launch {
    let mut argv = vec![me().display().to_string(), "act".to_owned()];
    argv.extend(words.iter().map(|&w| w.to_owned()));
    Launch {
        command: abide_model::Command::Argv(argv),
        directory: "/".into(),
        environment: EnvironmentSpec {
            variables: vec![("ONE".into(), "1".into())],
        },
        user: None,
        password_file: None,
        group: None,
        umask: 0o027,
        priority: None,
        cpu_affinity: None,
        oom_score: None,
        stdin: StdinSpec::Null,
        limits: Limits::default(),
        notify: None,
        fd_store: 0,
        socket: None,
    }
}

fn words(program: &Program) -> Launch {
    match program {
        Program::Exit(code) => launch(&["exit", &code.to_string()]),
        Program::Signalled(signal) => launch(&["signal", &signal.to_string()]),
        Program::Idle => launch(&["idle"]),
        Program::Escapee => launch(&["escape"]),
        Program::Hopper => launch(&["hop"]),
        Program::Missing => {
            let command = abide_model::Command::Argv(vec!["/no/such/program".into()]);
            Launch {
                command,
                ..launch(&[])
            }
        }
    }
}

impl Linux {
    /// A keeper and a daemon with a home of their own. `None`: control groups were asked for, and none
    /// can be made.
    pub fn start(groups: bool) -> Option<Self> {
        let home = tempfile::Builder::new()
            .prefix("home")
            .tempdir()
            .expect("a directory");
        if groups {
            std::fs::write(home.path().join("groups"), "").expect("a file");
        }
        let child = keeper_command(home.path()).spawn().expect("a keeper");
        let mut linux = Self {
            home,
            keeper: Some(child),
            stream: None,
        };
        let started = linux.connect();
        if !started {
            assert!(groups, "the daemon does not start");
            return None;
        }
        Some(linux)
    }

    /// Finds the current daemon. False: the keeper has ended.
    pub fn connect(&mut self) -> bool {
        let path = self.home.path().join("ctl");
        let found = wait_for("a daemon", || {
            let keeper = self.keeper.as_mut();
            if keeper.is_some_and(|keeper| keeper.try_wait().expect("our child").is_some()) {
                return Some(None);
            }
            UnixStream::connect(&path).ok().map(Some)
        });
        self.stream = found.map(BufReader::new);
        if self.stream.is_none() {
            self.keeper = None;
        }
        self.stream.is_some()
    }

    pub fn say(&mut self, ask: &Ask) -> Option<Tell> {
        let stream = self.stream.as_mut().expect("connected");
        let mut line = serde_json::to_string(ask).expect("json");
        line.push('\n');
        stream.get_mut().write_all(line.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_line(&mut answer).ok()?;
        serde_json::from_str(&answer).ok()
    }

    pub fn ask(&mut self, ask: &Ask) -> Tell {
        self.say(ask)
            .unwrap_or_else(|| panic!("the daemon died of {ask:?}"))
    }

    pub fn start_run(&mut self, run: u64, launch: Launch) -> Result<u32, String> {
        match self.ask(&Ask::Spawn {
            run,
            launch: Box::new(launch),
        }) {
            Tell::Spawned { pid } => Ok(pid),
            Tell::Refused(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub fn keeper_pid(&self) -> u32 {
        self.keeper.as_ref().expect("it was started").id()
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// So that the next connection is to the next daemon.
    pub fn forget_daemon(&self) {
        std::fs::remove_file(self.home.path().join("ctl")).expect("its socket is there");
    }

    pub fn daemon_pid(&self) -> u32 {
        lock::holder(self.home.path()).expect("a daemon holds the home")
    }

    fn signal_daemon(&self, signal: rustix::process::Signal) {
        kill(self.daemon_pid(), signal);
    }

    /// Runs the program that writes down its surroundings, and reads that.
    pub fn report(&mut self, change: impl FnOnce(&mut Launch)) -> String {
        let place = tempfile::Builder::new()
            .prefix("report")
            .tempdir()
            .expect("a directory");
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.path(), all).expect("its mode");
        let file = place.path().join("report");
        let mut launch = launch(&["report", &file.display().to_string()]);
        change(&mut launch);
        self.start_run(99, launch).expect("it starts");
        assert_eq!(Platform::exit(self, 99), ExitStatus::Code(0));
        std::fs::read_to_string(file).expect("a report")
    }
}

pub fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("it is there");
}

fn keeper_command(home: &Path) -> Command {
    let mut command = Command::new(me());
    // As the crate itself starts it; the arguments of a keeper are its own business, so this goes
    // through a process that becomes one.
    command.args(["act-keeper"]).arg(home).stdin(Stdio::null());
    if std::env::var_os("ABIDE_VM").is_none() {
        // Control groups v1 are the machine's.
        command.env("ABIDE_CGROUP_V1", "0");
    }
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes end without telling us"
)]
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if look().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

impl Drop for Linux {
    fn drop(&mut self) {
        let Some(mut keeper) = self.keeper.take() else {
            return;
        };
        if !std::thread::panicking() && self.stream.is_some() {
            for run in 1..=10 {
                let _ = self.say(&Ask::Kill { run });
            }
            let _ = self.say(&Ask::Leave { code: 0 });
        }
        let ended = || keeper.try_wait().expect("our child");
        if std::thread::panicking() || !eventually(ended) {
            // It has failed already: nothing may be left.
            let _ = keeper.kill();
            if let Some(daemon) = lock::holder(self.home.path()) {
                kill(daemon, rustix::process::Signal::KILL);
            }
        }
        let _ = keeper.wait();
    }
}

impl Platform for Linux {
    fn spawn(&mut self, run: u64, program: Program) -> Result<u32, String> {
        self.start_run(run, words(&program))
    }

    fn spawn_and_die(&mut self, run: u64, program: Program) {
        let launch = Box::new(words(&program));
        self.forget_daemon();
        assert_eq!(self.say(&Ask::SpawnAndDie { run, launch }), None);
        assert!(self.connect());
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        match self.ask(&Ask::Exit { run }) {
            Tell::Exit(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self, run: u64) {
        self.ask(&Ask::Take { run });
    }

    fn table(&mut self) -> Vec<u64> {
        match self.ask(&Ask::Table) {
            Tell::Runs(mut runs) => {
                runs.sort_unstable();
                runs
            }
            other => panic!("{other:?}"),
        }
    }

    fn kill_tree(&mut self, run: u64) {
        assert_eq!(self.ask(&Ask::Kill { run }), Tell::Done);
    }

    fn processes(&mut self, run: u64) -> u64 {
        match self.ask(&Ask::Processes { run }) {
            Tell::Count(count) => count,
            other => panic!("{other:?}"),
        }
    }

    fn hold(&mut self, key: u64, content: &str) {
        self.ask(&Ask::Hold {
            key,
            content: content.to_owned(),
        });
    }

    fn held(&mut self, key: u64) -> Option<String> {
        match self.ask(&Ask::Held { key }) {
            Tell::Content(content) => content,
            other => panic!("{other:?}"),
        }
    }

    fn daemon_dies(&mut self) {
        self.forget_daemon();
        self.signal_daemon(rustix::process::Signal::KILL);
        assert!(self.connect());
    }

    fn leave(&mut self, code: i32) -> i32 {
        assert_eq!(self.say(&Ask::Leave { code }), None);
        let status = self
            .keeper
            .take()
            .expect("it was started")
            .wait()
            .expect("our child");
        status.code().expect("a code")
    }
}

type Test = fn() -> Outcome;

impl Linux {
    /// The next keeper is not our child.
    pub fn keeper_dies(&mut self) {
        let mut keeper = self.keeper.take().expect("it was started");
        keeper.kill().expect("our child");
        keeper.wait().expect("our child");
    }

    /// Finds the daemon of a keeper that is not our child.
    pub fn find(home: tempfile::TempDir) -> Self {
        let mut linux = Self {
            home,
            keeper: None,
            stream: None,
        };
        linux.reconnect();
        linux
    }

    /// Finds the current daemon, whose keeper is not our child.
    pub fn reconnect(&mut self) {
        let path = self.home.path().join("ctl");
        let stream = wait_for("a daemon", || UnixStream::connect(&path).ok());
        self.stream = Some(BufReader::new(stream));
    }

    /// Ends a daemon whose keeper is not our child, and the keeper with it.
    pub fn leave_detached(mut self) {
        for run in 1..=10 {
            let _ = self.say(&Ask::Kill { run });
        }
        assert_eq!(self.say(&Ask::Leave { code: 0 }), None);
        wait_for("the keeper's end", || {
            lock::keeper(self.home.path()).is_none().then_some(())
        });
    }
}

pub const ALL: &[(&str, &dyn Fn() -> Outcome)] = &[
    (
        "a_program_finds_nothing_but_what_was_meant_for_it",
        &(nothing_leaks as Test),
    ),
    (
        "a_program_runs_as_the_user_it_names_with_its_groups",
        &(user as Test),
    ),
    ("limits_and_priority_are_set", &(limits as Test)),
    (
        "what_cannot_be_started_is_said_in_words",
        &(words_of_failures as Test),
    ),
    (
        "a_privileged_port_is_refused_with_the_way_out",
        &(crate::passing::privileged as Test),
    ),
    ("a_stopped_daemon_goes_on", &(stopped as Test)),
    (
        "a_signal_to_the_keeper_reaches_the_daemon",
        &(forwarded as Test),
    ),
    (
        "a_second_keeper_of_a_home_is_refused_with_the_first_ones_number",
        &(second_keeper as Test),
    ),
    (
        "a_detached_start_tells_that_it_is_ready_and_outlives_its_starter",
        &(detached as Test),
    ),
    (
        "a_daemon_that_refuses_to_start_is_not_started_again",
        &(refuses as Test),
    ),
];

fn start() -> Linux {
    Linux::start(false).expect("no group is needed")
}

fn nothing_leaks() -> Outcome {
    let mut linux = start();
    let report = linux.report(|launch| launch.directory = "/usr".into());
    let has = |line: &str| {
        assert!(
            report.lines().any(|l| l == line),
            "{line:?} is not in {report}"
        )
    };
    // The last one is the look at the directory itself, closed when it is told.
    has("fds [0, 1, 2, 200]");
    has("cwd /usr");
    has("leads true");
    has("env ONE=1");
    has("env ABIDE_UNIT=test");
    has("SigBlk:\t0000000000000000");
    has("SigIgn:\t0000000000001000"); // SIGPIPE, which Rust programs ignore themselves
    has("Umask:\t0027");
    let mut names: Vec<&str> = report
        .lines()
        .filter_map(|l| l.strip_prefix("env ")?.split('=').next())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "ABIDE_UNIT",
            "HOME",
            "LOGNAME",
            "ONE",
            "PATH",
            "SHELL",
            "USER"
        ]
    );
    Ok(())
}

fn user() -> Outcome {
    if !rustix::process::geteuid().is_root() {
        let mut linux = start();
        let other = Launch {
            user: Some("root".into()),
            ..launch(&["exit", "0"])
        };
        let error = linux.start_run(1, other).expect_err("only root may");
        assert!(error.contains("only root may change"), "{error}");
        return Err(Skipped(
            "only root can run programs as another user; that it is refused was seen",
        ));
    }
    let mut linux = start();
    let report = linux.report(|launch| {
        launch.user = Some("nobody".into());
        // The test's own file may lie where nobody can go.
        launch.command = match &launch.command {
            abide_model::Command::Argv(argv) => {
                let file = argv.last().expect("the file").clone();
                abide_model::Command::Shell(format!(
                    "cat /proc/self/status > {file}; echo env $USER $HOME >> {file}"
                ))
            }
            abide_model::Command::Shell(_) => unreachable!(),
        };
    });
    assert!(
        report.contains("Uid:\t65534\t65534\t65534\t65534"),
        "{report}"
    );
    assert!(
        report.contains("Gid:\t65534\t65534\t65534\t65534"),
        "{report}"
    );
    assert!(report.contains("Groups:\t65534 \n"), "{report}");
    assert!(report.contains("env nobody /nonexistent"), "{report}");
    Ok(())
}

fn limits() -> Outcome {
    let all = start().report(|launch| launch.cpu_affinity = Some("1023".parse().expect("a list")));
    let cpus = |report: &str| {
        let list = report
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.expect("it is there").trim().to_owned()
    };
    let first = cpus(&all).split([',', '-']).next().map(str::to_owned);
    let first = first.expect("one at least");
    let report = start().report(|launch| {
        launch.priority = Some(5);
        // The last is hardly there, and is left out then.
        launch.cpu_affinity = Some(format!("{first},1023").parse().expect("a list"));
        launch.limits.process = vec![
            Rlimit {
                kind: RlimitKind::OpenFiles,
                value: Some(321),
            },
            Rlimit {
                kind: RlimitKind::CoreSize,
                value: Some(0),
            },
        ];
    });
    let has = |name: &str, value: &str| {
        let line = report
            .lines()
            .find(|l| l.starts_with(name))
            .expect("it is there");
        let values: Vec<&str> = line[name.len()..].split_whitespace().take(2).collect();
        assert_eq!(values, [value, value], "{line}");
    };
    has("Max open files", "321");
    has("Max core file size", "0");
    assert!(report.contains("nice 5"), "{report}");
    assert_eq!(cpus(&report), first, "of {}", cpus(&all));
    Ok(())
}

fn words_of_failures() -> Outcome {
    let mut linux = start();
    let place = tempfile::tempdir().expect("a directory");
    let script = place.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("a file");
    let plain = place.path().join("plain");
    std::fs::write(&plain, "text").expect("a file");
    let command = |path: &Path| abide_model::Command::Argv(vec![path.display().to_string()]);
    let mut refused = |change: &dyn Fn(&mut Launch), wanted: &[&str]| {
        let mut launch = launch(&["exit", "0"]);
        change(&mut launch);
        let error = linux.start_run(1, launch).expect_err("it cannot start");
        for wanted in wanted {
            assert!(error.contains(wanted), "{wanted:?} is not in {error:?}");
        }
    };
    refused(
        &|l| l.directory = "/no/such/place".into(),
        &["enter the directory /no/such/place", "make it"],
    );
    refused(
        &|l| l.directory = "/etc/passwd".into(),
        &["not a directory"],
    );
    refused(
        &|l| l.user = Some("no-such-user".into()),
        &["there is no such user"],
    );
    refused(
        &|l| l.command = command(Path::new("no-such-program")),
        &["cannot execute no-such-program", "PATH"],
    );
    refused(
        &|l| l.command = command(&plain),
        &["not executable", "chmod +x"],
    );
    let all: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, all.clone()).expect("its mode");
    refused(
        &|l| l.command = command(&script),
        &["its interpreter /no/such/interpreter does not exist"],
    );
    std::fs::set_permissions(&plain, all).expect("its mode");
    refused(&|l| l.command = command(&plain), &["exec format error"]);
    refused(
        &|l| l.command = abide_model::Command::Argv(vec![]),
        &["empty command"],
    );
    Ok(())
}

fn stopped() -> Outcome {
    let mut linux = start();
    let pid = linux.daemon_pid();
    linux.signal_daemon(rustix::process::Signal::STOP);
    // The answer comes when it was continued.
    assert!(linux.table().is_empty());
    assert_eq!(linux.daemon_pid(), pid);
    Ok(())
}

fn forwarded() -> Outcome {
    let mut linux = start();
    kill(
        linux.keeper.as_ref().expect("it runs").id(),
        rustix::process::Signal::HUP,
    );
    assert_eq!(linux.ask(&Ask::Signals), Tell::Signals(vec![Signal::HUP]));
    Ok(())
}

fn second_keeper() -> Outcome {
    let linux = start();
    let first = linux.keeper.as_ref().expect("it runs").id();
    assert_eq!(lock::keeper(linux.home.path()), Some(first));
    let output = keeper_command(linux.home.path()).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("process {first} already serves it")),
        "{text}"
    );
    Ok(())
}

pub fn to_launch(home: &Path) -> keeper::Launch {
    keeper::Launch {
        home: home.to_owned(),
        daemon: vec!["daemon".into(), home.into()],
    }
}

/// Becomes a keeper in the foreground.
pub fn become_keeper(home: &Path) -> std::io::Error {
    keeper::become_keeper(&to_launch(home))
}

fn detached() -> Outcome {
    let home = tempfile::tempdir().expect("a directory");
    let starting = keeper::start_detached(&to_launch(home.path()), &home.path().join("log"))
        .expect("it starts");
    let keeper = starting.keeper();
    starting.wait(PATIENCE).expect("it is ready");
    let daemon = lock::holder(home.path()).expect("it holds the home");
    let session = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid"));
        rustix::process::getsid(pid)
            .expect("it lives")
            .as_raw_nonzero()
            .get()
    };
    assert_eq!(session(keeper), i32::try_from(keeper).expect("a pid"));
    assert_eq!(session(daemon), i32::try_from(daemon).expect("a pid"));
    assert_eq!(
        std::fs::read_link(format!("/proc/{keeper}/cwd")).expect("proc"),
        Path::new("/")
    );
    Linux::find(home).leave_detached();
    Ok(())
}

fn refuses() -> Outcome {
    let home = tempfile::tempdir().expect("a directory");
    // A daemon of another kind holds the home.
    let _held = lock::acquire(home.path(), PATIENCE).expect("it is free");
    let starting = keeper::start_detached(&to_launch(home.path()), &home.path().join("log"))
        .expect("it starts");
    let error = starting
        .wait(PATIENCE)
        .expect_err("the home is taken")
        .to_string();
    assert!(
        error.contains(&format!("process {} already serves it", std::process::id())),
        "{error}"
    );
    wait_for("the keeper's end", || {
        lock::keeper(home.path()).is_none().then_some(())
    });
    Ok(())
}
