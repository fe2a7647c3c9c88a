//! A daemon that does as the test says, over a loopback port whose number is in its home: one line asks, one
//! line tells.

#![allow(unsafe_code)] // one wait for a handle

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::process::exit;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_model::{ExitStatus, Launch, RunId, UnitId};
use abide_platform::Handle;
use abide_platform::identity::{self, Probe, Record};
use abide_platform::keeper::{
    self, EXIT_REFUSED, EXIT_YIELDED, KeeperEvent, Key, Link, LinkError, Successor, Table,
    tell_starter,
};
use abide_platform::lock;
use abide_platform::spawn::{Order, Spawned, spawn};
use abide_platform::tree::{RunTree, Trees};
use serde::{Deserialize, Serialize};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForSingleObject};

use super::LONG;

pub const UNIT: UnitId = UnitId(7);

#[derive(Serialize, Deserialize, Debug)]
pub enum Ask {
    Spawn {
        run: u64,
        launch: Box<Launch>,
    },
    SpawnAndDie {
        run: u64,
        launch: Box<Launch>,
    },
    Exit {
        run: u64,
    },
    Take {
        run: u64,
    },
    Table,
    Kill {
        run: u64,
    },
    Processes {
        run: u64,
    },
    Hold {
        key: u64,
        content: String,
    },
    Held {
        key: u64,
    },
    Start,
    /// What happened to the machine since this was asked last; waits for so many events.
    Happened {
        count: usize,
    },
    /// Asks the keeper for this file as the daemon, and waits for what becomes of it.
    Upgrade {
        file: std::path::PathBuf,
    },
    /// The file that this daemon runs.
    File,
    /// Why this is the daemon of before, if an upgrade failed.
    RolledBack,
    /// Writes a file, and then neither answers nor hears anything.
    Hang,
    End {
        code: i32,
    },
    Leave {
        code: i32,
    },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
pub enum Tell {
    Spawned {
        pid: u32,
    },
    Refused(String),
    Exit(ExitStatus),
    Runs(Vec<u64>),
    Count(u64),
    Content(Option<String>),
    Happened(Vec<String>),
    Start {
        safe_mode: bool,
        died: Option<ExitStatus>,
    },
    Done,
}

/// A run of this daemon's, or of one before.
struct Run {
    main: Option<identity::Handle>,
    exit: Option<ExitStatus>,
    tree: Option<RunTree>,
}

struct Daemon {
    link: Link,
    trees: Trees,
    table: Table,
    runs: BTreeMap<u64, Run>,
    home: std::path::PathBuf,
    /// What happened to the machine, as three numbers each.
    happened: Vec<String>,
}

pub fn launch_of(home: &Path) -> keeper::Launch {
    keeper::Launch {
        home: home.to_owned(),
        daemon: vec!["daemon".into(), home.into()],
    }
}

pub fn main(home: &Path) -> ! {
    match std::fs::read_to_string(home.join("manner")).as_deref() {
        Ok("refuse") => {
            tell_starter("cannot begin: a test wants it so");
            exit(EXIT_REFUSED);
        }
        Ok("silent") => exit(3),
        _ => {}
    }
    let launch = launch_of(home);
    if let Some(successor) = Successor::here() {
        follow(successor, home, &launch);
    }
    let _lock = match lock::acquire(home, LONG) {
        Ok(lock) => lock,
        Err(error) => {
            tell_starter(&format!("cannot {error}"));
            exit(EXIT_REFUSED);
        }
    };
    let (link, table) = unless_replaced(Link::connect(&launch));
    let mut daemon = Daemon {
        link,
        trees: Trees::reporting().expect("a port"),
        table,
        runs: BTreeMap::new(),
        home: home.to_owned(),
        happened: Vec::new(),
    };
    daemon.adopt();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let (new, file) = (home.join("ctl.new"), home.join("ctl"));
    std::fs::write(&new, port.to_string()).expect("a file");
    abide_platform::file::replace(&new, &file).expect("its name");
    daemon.link.ready();
    let daemon = Arc::new(Mutex::new(daemon));
    watch_keeper(Arc::clone(&daemon), launch);
    loop {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
            let ask = serde_json::from_str(&line).expect("a question");
            let upgrade = matches!(ask, Ask::Upgrade { .. });
            let tell = daemon.lock().expect("no panic").answer(ask);
            let yields = upgrade && tell == Tell::Done;
            let mut tell = serde_json::to_string(&tell).expect("json");
            tell.push('\n');
            if reader.get_mut().write_all(tell.as_bytes()).is_err() {
                break;
            }
            if yields {
                pause(home, "linger");
                exit(EXIT_YIELDED);
            }
            line.clear();
        }
    }
}

/// Ends if another daemon is to go on.
fn unless_replaced<T>(result: Result<T, LinkError>) -> T {
    match result {
        Ok(value) => value,
        Err(LinkError::Replaced) => exit(0),
        Err(error) => panic!("cannot {error}"),
    }
}

/// Says that it is there, and waits for the test to take its word back.
fn pause(home: &Path, name: &str) {
    let asked = home.join(name);
    if asked.exists() {
        super::programs::say(
            home.join(format!("{name}-there")),
            &std::process::id().to_string(),
        );
        while asked.exists() {
            std::thread::yield_now();
        }
    }
}

/// Takes over from another daemon, or fails as the test wants.
fn follow(successor: Successor, home: &Path, launch: &keeper::Launch) {
    if home.join("fail-early").exists() {
        exit(3);
    }
    pause(home, "hesitate");
    unless_replaced(successor.prepared(launch));
    super::programs::say(home.join("prepared"), &std::process::id().to_string());
    unless_replaced(successor.turn(launch));
    if home.join("fail-late").exists() {
        exit(4);
    }
}

/// Makes a new keeper when this one is gone.
fn watch_keeper(daemon: Arc<Mutex<Daemon>>, launch: keeper::Launch) {
    let event = daemon
        .lock()
        .expect("no panic")
        .link
        .as_handle()
        .as_raw_handle() as usize;
    std::thread::spawn(move || {
        loop {
            // SAFETY: the daemon's link, whose handle this is, is never dropped.
            unsafe { WaitForSingleObject(event as _, INFINITE) };
            let mut daemon = daemon.lock().expect("no panic");
            while let Some(event) = daemon.link.recv() {
                daemon.note(event);
                if event == KeeperEvent::Lost {
                    // Unless the test did.
                    let _ = std::fs::remove_file(daemon.home.join("ctl"));
                    let held = daemon.table.descriptors.iter();
                    let held: Vec<_> = held.map(|(key, h)| (*key, h.as_handle())).collect();
                    keeper::hand_over(&launch, &held).expect("a new keeper");
                    exit(0);
                }
            }
        }
    });
}

fn key(number: u64) -> Key {
    Key {
        kind: 1,
        unit: 0,
        sub: number,
    }
}

impl Daemon {
    fn record(&self) -> std::path::PathBuf {
        self.home.join("record")
    }

    /// What the keeper knows, and with the run of the record also its job.
    fn adopt(&mut self) {
        let record = Record::read(&self.record()).expect("it can be read");
        for entry in &self.table.runs {
            assert_eq!(entry.unit, UNIT);
            let main = keeper::main_process(UNIT, entry.run).expect("it can be asked");
            let pid = main.as_ref().map(|main| main.identity().pid);
            assert_eq!(pid, Some(entry.pid));
            let recorded = record.as_ref().filter(|record| record.run == entry.run);
            let alive = recorded.map(identity::probe);
            let tree = self.trees.known(UNIT, &super::name(), entry.run, entry.pid);
            assert!(!matches!(alive, Some(Probe::NotOurs | Probe::Doubtful(_))));
            let run = Run {
                main,
                exit: entry.exit(),
                tree: Some(tree),
            };
            self.runs.insert(entry.run.0, run);
        }
        // Known by its own record only: keeper and daemon were both killed.
        if let Some(record) = record
            && !self.runs.contains_key(&record.run.0)
            && let Probe::Alive(main) = identity::probe(&record)
        {
            assert!(record.job.is_some());
            let tree = self.trees.adopt(&super::name(), &record);
            let run = Run {
                main: Some(main),
                exit: None,
                tree: Some(tree),
            };
            self.runs.insert(record.run.0, run);
        }
    }

    fn answer(&mut self, ask: Ask) -> Tell {
        let told = match ask {
            Ask::Spawn { run, launch } => match self.spawn(run, *launch) {
                Ok(pid) => Tell::Spawned { pid },
                Err(error) => Tell::Refused(error),
            },
            Ask::SpawnAndDie { run, launch } => {
                self.spawn(run, *launch).expect("it starts");
                die()
            }
            Ask::Exit { run } => Tell::Exit(self.exit(run)),
            Ask::Take { run } => {
                self.link.taken(UNIT, RunId(run));
                self.runs.remove(&run);
                Tell::Done
            }
            Ask::Table => Tell::Runs(self.table.runs.iter().map(|e| e.run.0).collect()),
            Ask::Kill { run } => {
                let tree = self.runs.get(&run).and_then(|run| run.tree.as_ref());
                let ended = tree.map(|tree| tree.kill(LONG).expect("it can be ended"));
                assert_ne!(ended, Some(false));
                Tell::Done
            }
            Ask::Processes { run } => {
                let tree = self.runs.get(&run).and_then(|run| run.tree.as_ref());
                let pids = tree.map(|tree| tree.processes().expect("counted").len());
                Tell::Count(pids.unwrap_or(0) as u64)
            }
            Ask::Hold { key, content } => {
                self.hold(key, &content);
                Tell::Done
            }
            Ask::Held { key } => Tell::Content(self.held(key)),
            Ask::Start => Tell::Start {
                safe_mode: self.table.safe_mode,
                died: self.table.died.as_ref().map(|death| death.status.clone()),
            },
            Ask::Happened { count } => {
                while self.happened.len() < count {
                    let event = self.told();
                    self.note(event);
                }
                Tell::Happened(std::mem::take(&mut self.happened))
            }
            Ask::Upgrade { file } => {
                let file = std::fs::File::open(file).expect("a file");
                let asked = self.link.upgrade(file.as_handle(), false);
                asked.expect("it is asked");
                match self.told() {
                    KeeperEvent::Yield => Tell::Done,
                    KeeperEvent::UpgradeFailed(why) => Tell::Refused(why.to_string()),
                    other => panic!("{other:?}"),
                }
            }
            Ask::File => {
                let file = std::env::current_exe().expect("it has one");
                Tell::Content(Some(file.display().to_string()))
            }
            Ask::RolledBack => Tell::Content(self.table.rolled_back.map(|why| why.to_string())),
            Ask::Hang => {
                super::programs::say(self.home.join("hangs"), "now");
                loop {
                    std::thread::park();
                }
            }
            Ask::End { code } => exit(code),
            Ask::Leave { code } => {
                self.link.leaving();
                exit(code);
            }
        };
        self.link.flush();
        told
    }

    fn note(&mut self, event: KeeperEvent) {
        if let KeeperEvent::Happened { event, at } = event {
            let (control, event, session) = event.numbers();
            let now = abide_platform::clock::now().wall;
            assert!(at <= now && now < at.after(LONG), "{at:?} is no time");
            self.happened.push(format!("{control} {event} {session}"));
        }
    }

    /// What the keeper says next.
    fn told(&mut self) -> KeeperEvent {
        loop {
            if let Some(event) = self.link.recv() {
                return event;
            }
            let event = self.link.as_handle().as_raw_handle();
            // SAFETY: the link, whose handle this is, is here.
            unsafe { WaitForSingleObject(event, INFINITE) };
        }
    }

    fn spawn(&mut self, run: u64, launch: Launch) -> Result<u32, String> {
        let tree = self.trees.run(UNIT, &super::name(), RunId(run));
        let order = Order {
            keeper: Some(self.link.socket()),
            record: Some(self.record()),
            ..Order::new(UNIT, RunId(run), Arc::new(launch), tree.clone())
        };
        let Spawned {
            pid,
            handle,
            warnings,
            ..
        } = spawn(&order).map_err(|error| error.to_string())?;
        assert_eq!(warnings, Vec::<String>::new());
        let run_of = Run {
            main: Some(handle),
            exit: None,
            tree: Some(tree),
        };
        self.runs.insert(run, run_of);
        Ok(pid)
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        let run = &self.runs[&run];
        if let Some(status) = &run.exit {
            return status.clone();
        }
        let main = run.main.as_ref().expect("it lives or is held");
        main.exit(Some(LONG)).expect("asked").expect("it ends")
    }

    fn hold(&mut self, number: u64, content: &str) {
        // Another file each time.
        let count = self.table.descriptors.len();
        let path = self.home.join(format!("held-{number}-{count}"));
        std::fs::write(&path, content).expect("a file");
        let file = std::fs::File::open(&path).expect("it is there");
        let file = Handle::from(file);
        self.link.hold(key(number), file.as_handle()).expect("held");
        let held = &mut self.table.descriptors;
        held.retain(|(known, _)| *known != key(number));
        held.push((key(number), file));
    }

    fn held(&mut self, number: u64) -> Option<String> {
        let held = self.table.descriptors.iter();
        let (_, handle) = held.into_iter().find(|(known, _)| *known == key(number))?;
        let file = std::fs::File::from(handle.try_clone().expect("a copy"));
        let mut bytes = [0; 100];
        let length = file.seek_read(&mut bytes, 0).expect("read");
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

/// As somebody who is killed: nothing is closed in order.
fn die() -> ! {
    let own = identity::Handle::open(std::process::id()).expect("this process");
    own.terminate(9).expect("it ends");
    loop {
        std::thread::park_timeout(Duration::MAX);
    }
}
