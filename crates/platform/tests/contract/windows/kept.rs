//! A keeper with its daemon, and what only they can show.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use abide_model::{ExitStatus, Launch, MachineEvent};
use abide_platform::identity::Handle;
use abide_platform::keeper::{StartError, start_detached};
use abide_platform::tree::TERMINATED;
use abide_platform::{keeper, lock};

use super::daemon::{Ask, Tell, launch_of};
use super::{LONG, Test, in_directory, launch, wait_for};
use crate::clauses::settles;
use crate::platform::{Platform, Program};

pub const ALL: &[Test] = &[
    (
        "who_starts_a_daemon_in_the_background_is_told_when_it_is_ready",
        ready,
    ),
    (
        "who_starts_a_daemon_is_told_why_it_refuses_or_that_it_ended",
        refused,
    ),
    ("a_home_has_one_keeper", one_keeper),
    (
        "a_daemon_makes_a_new_keeper_and_hands_over_what_the_dead_one_held",
        handed_over,
    ),
    (
        "when_keeper_and_daemon_are_both_killed_what_runs_lives_on_and_is_found_again",
        both,
    ),
    (
        "what_happens_to_the_machine_is_told_to_the_daemon_that_is_there_or_comes_next",
        happened,
    ),
    (
        "a_daemon_that_keeps_crashing_comes_in_safe_mode_and_one_that_was_killed_does_not",
        safe_mode,
    ),
];

/// A keeper and a daemon with a home of their own.
pub struct Kept {
    pub home: tempfile::TempDir,
    /// Started by this test; `None`: by a daemon.
    pub keeper: Option<Child>,
    pub stream: Option<BufReader<TcpStream>>,
}

pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "{what} does not happen");
        std::thread::yield_now();
    }
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn act_keeper(home: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our file"));
    command.arg("act-keeper").arg(home).stdin(Stdio::null());
    command
}

pub fn kill(pid: u32) {
    let process = Handle::open(pid).expect("it lives");
    process.terminate(1).expect("it ends");
    process.exit(Some(LONG)).expect("asked").expect("it ended");
}

/// In the keeper's process: tells it what happens to the machine, as the Service Control Manager's thread of it does. First
/// what a file in the home says, then what comes by standard input, if that file is there: three numbers a line.
pub fn tell_what_happens(home: &Path) {
    let tell = |line: &str| {
        let numbers: Vec<u32> = line.split(' ').flat_map(str::parse).collect();
        let event = MachineEvent::from_numbers(numbers[0], numbers[1], numbers[2]);
        keeper::happened(event.expect("there is such an event")).expect("it is told");
    };
    let Ok(before) = std::fs::read_to_string(home.join("before")) else {
        return;
    };
    before.lines().for_each(tell);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            tell(&line.expect("it is read"));
        }
    });
}

impl Kept {
    pub fn start() -> Self {
        Self::begin(home(), Stdio::null())
    }

    fn begin(home: tempfile::TempDir, stdin: Stdio) -> Self {
        let mut keeper = act_keeper(home.path());
        let keeper = keeper.stdin(stdin).spawn().expect("a keeper");
        let mut kept = Self {
            home,
            keeper: Some(keeper),
            stream: None,
        };
        kept.connect();
        kept
    }

    pub fn connect(&mut self) {
        let file = self.home.path().join("ctl");
        self.stream = eventually("a daemon", || {
            let keeper = self.keeper.as_mut();
            let ended = keeper.and_then(|keeper| keeper.try_wait().expect("our child"));
            assert!(ended.is_none(), "the keeper ended with {ended:?}");
            let port = std::fs::read_to_string(&file).ok()?.parse().ok()?;
            let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            Some(Some(BufReader::new(stream)))
        });
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

    /// So that the next connection is to the next daemon.
    pub fn forget_daemon(&mut self) {
        std::fs::remove_file(self.home.path().join("ctl")).expect("it is there");
    }

    pub fn daemon_pid(&self) -> u32 {
        lock::holder(self.home.path()).expect("a daemon has the home")
    }

    pub fn keeper_pid(&self) -> u32 {
        lock::keeper(self.home.path()).expect("a keeper has the home")
    }

    fn start_of_daemon(&mut self) -> (bool, Option<ExitStatus>) {
        match self.ask(&Ask::Start) {
            Tell::Start { safe_mode, died } => (safe_mode, died),
            other => panic!("{other:?}"),
        }
    }

    /// The daemon ends with this code, and another one comes.
    fn daemon_ends(&mut self, code: i32) {
        self.forget_daemon();
        assert_eq!(self.say(&Ask::End { code }), None);
        self.connect();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.stream.is_none() {
            return;
        }
        let keeper = lock::keeper(self.home.path()).and_then(|pid| Handle::open(pid).ok());
        if std::thread::panicking() {
            // Whatever else is left ends with the prefix.
            let _ = keeper.map(|keeper| keeper.terminate(1));
            return;
        }
        for run in 1..=10 {
            self.say(&Ask::Kill { run });
        }
        self.say(&Ask::Leave { code: 0 });
        if let Some(keeper) = keeper {
            keeper.exit(Some(LONG)).expect("asked").expect("it ends");
        }
    }
}

fn words(program: &Program) -> Launch {
    match program {
        Program::Exit(code) => launch(&["exit", &code.to_string()]),
        Program::Signalled(_) => unreachable!("nothing dies by signals here"),
        Program::Idle => launch(&["idle"]),
        Program::Escapee => launch(&["escape"]),
        Program::Hopper => launch(&["hop"]),
        Program::Missing => in_directory(
            abide_model::Command::Argv(vec!["/no/such/program".to_owned()]),
            &std::env::temp_dir(),
        ),
    }
}

impl Platform for Kept {
    fn spawn(&mut self, run: u64, program: Program) -> Result<u32, String> {
        let launch = Box::new(words(&program));
        match self.ask(&Ask::Spawn { run, launch }) {
            Tell::Spawned { pid } => Ok(pid),
            Tell::Refused(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn killed(&self) -> ExitStatus {
        ExitStatus::Code(TERMINATED.cast_signed())
    }

    fn spawn_and_die(&mut self, run: u64, program: Program) {
        let launch = Box::new(words(&program));
        self.forget_daemon();
        assert_eq!(self.say(&Ask::SpawnAndDie { run, launch }), None);
        self.connect();
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        match self.ask(&Ask::Exit { run }) {
            Tell::Exit(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self, run: u64) {
        assert_eq!(self.ask(&Ask::Take { run }), Tell::Done);
    }

    fn table(&mut self) -> Vec<u64> {
        match self.ask(&Ask::Table) {
            Tell::Runs(runs) => runs,
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
        let content = content.to_owned();
        assert_eq!(self.ask(&Ask::Hold { key, content }), Tell::Done);
    }

    fn held(&mut self, key: u64) -> Option<String> {
        match self.ask(&Ask::Held { key }) {
            Tell::Content(content) => content,
            other => panic!("{other:?}"),
        }
    }

    fn daemon_dies(&mut self) {
        self.forget_daemon();
        kill(self.daemon_pid());
        self.connect();
    }

    fn leave(&mut self, code: i32) -> i32 {
        assert_eq!(self.say(&Ask::Leave { code }), None);
        self.stream = None;
        let keeper = self.keeper.as_mut().expect("it was started");
        keeper.wait().expect("our child").code().expect("a code")
    }
}

fn ready() {
    let home = home();
    let log = home.path().join("daemon.log");
    let starting = start_detached(&launch_of(home.path()), &log).expect("it starts");
    let keeper = starting.keeper();
    starting.wait(LONG).expect("it becomes ready");
    assert_eq!(lock::keeper(home.path()), Some(keeper));
    let mut kept = Kept {
        home,
        keeper: None,
        stream: None,
    };
    kept.connect();
    kept.spawn(1, Program::Exit(3)).expect("it starts");
    assert_eq!(kept.exit(1), ExitStatus::Code(3));
}

fn refused() {
    for (manner, words) in [
        ("refuse", "cannot begin: a test wants it so"),
        ("silent", "start the daemon: it ended before it was ready"),
    ] {
        let home = home();
        std::fs::write(home.path().join("manner"), manner).expect("a file");
        let log = home.path().join("daemon.log");
        let starting = start_detached(&launch_of(home.path()), &log).expect("it starts");
        let keeper = Handle::open(starting.keeper());
        let error = starting.wait(LONG).expect_err("it does not become ready");
        assert_eq!(matches!(error, StartError::Refused(_)), manner == "refuse");
        assert!(error.to_string().starts_with(words), "{error}");
        // It may have gone already.
        if let Ok(keeper) = keeper {
            keeper.exit(Some(LONG)).expect("asked").expect("it ends");
        }
        assert_eq!(lock::keeper(home.path()), None);
    }
}

fn one_keeper() {
    let kept = Kept::start();
    let log = kept.home.path().join("daemon.log");
    let starting = start_detached(&launch_of(kept.home.path()), &log).expect("it starts");
    let error = starting.wait(LONG).expect_err("there is one");
    let words = format!("process {} already serves it", kept.keeper_pid());
    assert!(error.to_string().contains(&words), "{error}");
}

fn handed_over() {
    let mut kept = Kept::start();
    kept.spawn(1, Program::Exit(3)).expect("it starts");
    kept.spawn(2, Program::Escapee).expect("it starts");
    let idle = kept.spawn(3, Program::Idle).expect("it starts");
    for run in [1, 2] {
        kept.exit(run);
    }
    kept.hold(5, "five");
    for _ in 0..2 {
        let keeper = kept.keeper_pid();
        kill(keeper);
        // The daemon that lost its keeper has removed its own.
        eventually("another keeper", || {
            lock::keeper(kept.home.path()).filter(|pid| *pid != keeper)
        });
        kept.keeper = None;
        kept.connect();
        assert_eq!(kept.table(), [1, 2, 3]);
        assert_eq!(kept.exit(1), ExitStatus::Code(3));
        // The one that gets away may still be on its way.
        settles(&mut kept, 2, 1);
        settles(&mut kept, 3, 1);
        assert_eq!(kept.held(5).as_deref(), Some("five"));
    }
    let idle = Handle::open(idle).expect("it is the same process");
    kept.kill_tree(3);
    assert!(!idle.alive());
    kept.take(1);
    kept.daemon_dies();
    assert_eq!(kept.table(), [2, 3]);
}

fn both() {
    let mut kept = Kept::start();
    let pid = kept.spawn(3, Program::Idle).expect("it starts");
    // So that it makes no new keeper.
    let stream = kept.stream.as_mut().expect("connected").get_mut();
    let line = serde_json::to_string(&Ask::Hang).expect("json") + "\n";
    stream.write_all(line.as_bytes()).expect("written");
    wait_for(&kept.home.path().join("hangs"));
    let daemon = kept.daemon_pid();
    kill(kept.keeper_pid());
    kill(daemon);
    kept.forget_daemon();
    let keeper = act_keeper(kept.home.path()).spawn().expect("a keeper");
    kept.keeper = Some(keeper);
    kept.connect();
    assert_eq!(kept.table(), [0; 0]);
    settles(&mut kept, 3, 1);
    let idle = Handle::open(pid).expect("it is the same process");
    kept.kill_tree(3);
    assert_eq!(kept.exit(3), kept.killed());
    assert!(!idle.alive());
}

fn happened() {
    // Before there is a daemon: the last 64 of 70.
    let home = home();
    let before: Vec<String> = (0..70).map(|session| format!("14 5 {session}")).collect();
    std::fs::write(home.path().join("before"), before.join("\n")).expect("it is written");
    let mut kept = Kept::begin(home, Stdio::piped());
    let told = kept.ask(&Ask::Happened { count: 64 });
    assert_eq!(told, Tell::Happened(before[6..].to_vec()));

    // To the one that is there, of this and of another kind; and to the next one, only what is new.
    let keeper = kept.keeper.as_mut().expect("ours");
    let mut stdin = keeper.stdin.take().expect("piped");
    for (lines, count) in [("14 7 2\n13 4 0\n", 2), ("14 9999 3\n", 1)] {
        stdin.write_all(lines.as_bytes()).expect("it listens");
        let told = kept.ask(&Ask::Happened { count });
        let lines = lines.lines().map(str::to_owned).collect();
        assert_eq!(told, Tell::Happened(lines));
        kept.daemon_ends(9);
    }
}

fn safe_mode() {
    let mut kept = Kept::start();
    for _ in 0..6 {
        kept.daemon_ends(9);
        assert_eq!(
            kept.start_of_daemon(),
            (false, Some(ExitStatus::Code(9))),
            "somebody killed it"
        );
    }
    for crash in 1..=5 {
        let code = keeper::EXIT_FAILED;
        kept.daemon_ends(code);
        let died = Some(ExitStatus::Code(code));
        assert_eq!(kept.start_of_daemon(), (crash == 5, died));
    }
}
