//! A daemon that does as the test says, over a socket in its home: one line asks, one line tells.

#![allow(unsafe_code)] // one kill of itself

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use abide_model::{ExitStatus, Launch, RunId, Signal, UnitId};
use abide_platform::identity::{Identity, Record};
use abide_platform::keeper::{KeeperEvent, Key, Link, RunEntry, Table, tell_starter};
use abide_platform::signals::Signals;
use abide_platform::spawn::{Order, spawn};
use abide_platform::tree::{Answer, RunTree, Sweep, SweepEvent, Sweeper, Trees};
use abide_platform::{clock, lock, usage};
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

/// Every wait of a test ends by then.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const UNIT: UnitId = UnitId(7);

#[derive(Serialize, Deserialize, Debug)]
pub enum Ask {
    Spawn { run: u64, launch: Box<Launch> },
    SpawnAndDie { run: u64, launch: Box<Launch> },
    Exit { run: u64 },
    Take { run: u64 },
    Table,
    Kill { run: u64 },
    Processes { run: u64 },
    Hold { key: u64, content: String },
    Held { key: u64 },
    Signals,
    Leave { code: i32 },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
pub enum Tell {
    Spawned { pid: u32 },
    Refused(String),
    Exit(ExitStatus),
    Runs(Vec<u64>),
    Count(u64),
    Content(Option<String>),
    Signals(Vec<Signal>),
    Pid(u32),
    Done,
}

struct Daemon {
    link: Link,
    table: Table,
    trees: Trees,
    sweeper: Sweeper,
    swept: Receiver<SweepEvent>,
    known: BTreeMap<u64, RunTree>,
    exits: BTreeMap<u64, RunEntry>,
    signals: Signals,
    home: std::path::PathBuf,
}

pub fn main(home: &Path) -> ! {
    let lock = match lock::acquire(home, PATIENCE) {
        Ok(lock) => lock,
        Err(e) => {
            tell_starter(&e.to_string());
            exit(1)
        }
    };
    let signals = Signals::new(&[Signal::TERM, Signal::HUP]).expect("signals");
    let (mut link, table) = Link::connect().expect("a keeper");
    let groups = home.join("groups").exists();
    let trees = if groups {
        Trees::new(home)
    } else {
        Trees::without_groups(home)
    };
    if groups && let Err(e) = trees.group() {
        tell_starter(&format!("group: {e}"));
        exit(2);
    }
    let (events, swept) = channel();
    let sweeper = Sweeper::start(move |event| drop(events.send(event))).expect("a thread");
    let socket = home.join("ctl");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket");
    link.ready();
    let mut daemon = Daemon {
        link,
        table,
        trees,
        sweeper,
        swept,
        known: BTreeMap::new(),
        exits: BTreeMap::new(),
        signals,
        home: home.to_owned(),
    };
    daemon.adopt();
    loop {
        let (stream, _) = listener.accept().expect("a test");
        daemon.serve(&stream);
        let _ = &lock;
    }
}

impl Daemon {
    fn adopt(&mut self) {
        for entry in &self.table.runs {
            let record = Record::read(&self.home.join(format!("record-{}", entry.run.0)));
            let record = record.expect("records can be read").unwrap_or(Record {
                unit: UNIT,
                run: entry.run,
                process: Identity {
                    pid: entry.pid,
                    boot: clock::boot(),
                    ..Identity::default()
                },
                tagged: true,
                leader: None,
                group: None,
            });
            let tree = self.trees.adopt(&name(entry.run), &record);
            self.known.insert(entry.run.0, tree);
            if entry.exit().is_some() {
                self.exits.insert(entry.run.0, *entry);
            }
        }
    }

    fn serve(&mut self, stream: &UnixStream) {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let ask: Ask = serde_json::from_str(&line).expect("a question");
            let tell = self.answer(ask);
            let mut line = serde_json::to_string(&tell).expect("json");
            line.push('\n');
            if (&mut &*stream).write_all(line.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn order(&mut self, run: u64, launch: Launch) -> Order {
        let tree = self.trees.run(UNIT, &name(RunId(run)), RunId(run));
        self.known.insert(run, tree.clone());
        let open = || -> OwnedFd { std::fs::File::open("/dev/null").expect("null").into() };
        Order {
            unit: UNIT,
            run: RunId(run),
            launch: Arc::new(launch),
            variables: vec![("ABIDE_UNIT".into(), "test".into())],
            sockets: Vec::new(),
            stdin: None,
            ready_fd: None,
            stdout: None,
            stderr: None,
            read_ends: vec![Arc::new(open())],
            tree,
            record: Some(self.home.join(format!("record-{run}"))),
            keeper: Some(self.link.socket()),
        }
    }

    fn answer(&mut self, ask: Ask) -> Tell {
        match ask {
            Ask::Spawn { run, launch } => {
                let order = self.order(run, *launch);
                match spawn(&order) {
                    Ok(spawned) => Tell::Spawned { pid: spawned.pid },
                    Err(e) => Tell::Refused(e.to_string()),
                }
            }
            Ask::SpawnAndDie { run, launch } => {
                let order = self.order(run, *launch);
                let tree = order.tree.clone();
                std::thread::spawn(move || spawn(&order));
                while tree.leader().is_none() {
                    std::hint::spin_loop();
                }
                // SAFETY: ends this process.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                unreachable!()
            }
            Ask::Exit { run } => Tell::Exit(self.exit(run)),
            Ask::Take { run } => {
                self.link.taken(UNIT, RunId(run));
                Tell::Done
            }
            Ask::Table => Tell::Runs(self.table.runs.iter().map(|e| e.run.0).collect()),
            Ask::Kill { run } => {
                let Some(tree) = self.known.get(&run).cloned() else {
                    return Tell::Done;
                };
                if self.sweeper.kill(&tree, Sweep::Thorough) == Answer::Pending {
                    loop {
                        match self.swept.recv_timeout(PATIENCE).expect("it ends") {
                            SweepEvent::Empty { run: RunId(r), .. } if r == run => break,
                            SweepEvent::Empty { .. } => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
                Tell::Done
            }
            Ask::Processes { run } => {
                let tree = self.known.get(&run).cloned();
                Tell::Count(tree.map_or(0, |tree| usage::sample(&[tree])[0].processes))
            }
            Ask::Hold { key, content } => {
                let path = self.home.join("content");
                std::fs::write(&path, content).expect("a file");
                let file = std::fs::File::open(&path).expect("a file");
                std::fs::remove_file(&path).expect("a file");
                self.link
                    .hold(keyed(key), file.as_fd())
                    .expect("a descriptor");
                Tell::Done
            }
            Ask::Held { key } => {
                let fd = self
                    .table
                    .descriptors
                    .iter()
                    .find(|(k, _)| *k == keyed(key));
                Tell::Content(fd.map(|(_, fd)| {
                    let file = std::fs::File::from(fd.try_clone().expect("a descriptor"));
                    let mut bytes = vec![0; 100];
                    let read = std::os::unix::fs::FileExt::read_at(&file, &mut bytes, 0);
                    bytes.truncate(read.expect("content"));
                    String::from_utf8(bytes).expect("text")
                }))
            }
            Ask::Signals => {
                let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
                poll(
                    &mut fds,
                    Some(&rustix::event::Timespec {
                        tv_sec: 20,
                        tv_nsec: 0,
                    }),
                )
                .expect("poll");
                Tell::Signals(std::iter::from_fn(|| self.signals.take()).collect())
            }
            Ask::Leave { code } => {
                self.trees.remove();
                self.link.leaving();
                exit(code)
            }
        }
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        loop {
            if let Some(status) = self.exits.get(&run).and_then(RunEntry::exit) {
                return status;
            }
            let mut fds = [PollFd::new(&self.link, PollFlags::IN)];
            let patience = rustix::event::Timespec {
                tv_sec: 20,
                tv_nsec: 0,
            };
            assert_ne!(
                poll(&mut fds, Some(&patience)),
                Ok(0),
                "run {run} does not end"
            );
            while let Some(event) = self.link.recv() {
                match event {
                    KeeperEvent::Exit(entry) => drop(self.exits.insert(entry.run.0, entry)),
                    KeeperEvent::Stopped { .. } | KeeperEvent::Continued { .. } => {}
                    KeeperEvent::Lost => panic!("the keeper is gone"),
                }
            }
        }
    }
}

fn keyed(key: u64) -> Key {
    Key {
        kind: 1,
        unit: UNIT.0,
        sub: key,
    }
}

fn name(run: RunId) -> abide_model::UnitName {
    abide_model::UnitName::new(&format!("test-{}", run.0)).expect("a name")
}
