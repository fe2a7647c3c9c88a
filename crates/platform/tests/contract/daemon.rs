//! A daemon that does as the test says, over a socket in its home: one line asks, one line tells.

#![allow(unsafe_code)] // one kill of itself

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use abide_model::{
    ExitStatus, Launch, Listen, ListenAddress, RunId, Signal, SocketPass, SocketSpec, UnitId,
};
use abide_platform::identity::{Handle, Identity, Record};
use abide_platform::keeper::{
    self, EXIT_YIELDED, KeeperEvent, Key, Link, LinkError, RunEntry, Successor, Table, tell_starter,
};
use abide_platform::notify::NotifySocket;
use abide_platform::signals::Signals;
use abide_platform::spawn::{Order, spawn};
use abide_platform::tree::{Answer, RunTree, Sweep, SweepEvent, Sweeper, Trees};
use abide_platform::{clock, listen, lock, usage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::linux::{to_launch, wait_for};

/// Every wait of a test ends by then.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
    /// As `Spawn`, with these sockets: those that are held, or else new ones.
    Pass {
        run: u64,
        launch: Box<Launch>,
        listen: Vec<Listen>,
        how: How,
    },
    /// Waits until the run with a ready descriptor has said so.
    Ready,
    /// How many connections to them there are.
    Connected {
        addresses: Vec<ListenAddress>,
    },
    /// Where the sockets of the table listen.
    Listening,
    /// The address of the notify socket, which is held, or else new.
    Notify,
    /// Waits for the next message.
    Message {
        run: u64,
    },
    /// Another main process, also in the record.
    Main {
        run: u64,
        pid: u32,
    },
    /// Whether a process belongs to a run.
    Contains {
        run: u64,
        pid: u32,
    },
    /// Waits for a stop or continuation of a run.
    Change {
        run: u64,
    },
    /// A signal to all of a run.
    Signal {
        run: u64,
        signal: i32,
    },
    Signals,
    /// Asks the keeper for this file as the daemon, and waits for what becomes of it.
    Upgrade {
        file: std::path::PathBuf,
        renew: bool,
    },
    /// Waits until the keeper says whether it has executed the daemon's file.
    Renewed,
    /// How this daemon was started.
    Start,
    /// Ends as a program with a mistake does.
    Crash,
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
    Addresses(Vec<ListenAddress>),
    Message {
        text: String,
        pid: u32,
        descriptors: usize,
        member: Option<bool>,
    },
    Member(Option<bool>),
    Stopped(i32),
    Continued,
    Signals(Vec<Signal>),
    Pid(u32),
    Start {
        safe_mode: bool,
        rolled_back: Option<String>,
    },
    Done,
}

/// How a program finds its sockets, and what else it finds.
#[derive(Serialize, Deserialize, Debug, Default)]
pub struct How {
    pub stdin: bool,
    pub ready: Option<u32>,
}

struct Daemon {
    link: Link,
    table: Table,
    trees: Trees,
    sweeper: Sweeper,
    swept: Receiver<SweepEvent>,
    known: BTreeMap<u64, RunTree>,
    exits: BTreeMap<u64, RunEntry>,
    /// Stops and continuations.
    /// What stopped and went on, of which run.
    changes: VecDeque<(u64, Tell)>,
    answers: VecDeque<KeeperEvent>,
    ready: Option<io::PipeReader>,
    notify: Option<NotifySocket>,
    signals: Signals,
    home: std::path::PathBuf,
}

/// Ends if another daemon is to go on.
fn unless_replaced<T>(result: Result<T, LinkError>) -> T {
    match result {
        Ok(value) => value,
        Err(LinkError::Replaced) => exit(0),
        Err(error) => panic!("{error}"),
    }
}

/// Says that it is there, and waits for the test to take its word back.
fn pause(home: &Path, name: &str) {
    let asked = home.join(name);
    if asked.exists() {
        let there = home.join(format!("{name}-there"));
        std::fs::write(&there, std::process::id().to_string()).expect("a file");
        wait_for("going on", || (!asked.exists()).then_some(()));
        std::fs::remove_file(there).expect("its file");
    }
}

pub fn main(home: &Path) -> ! {
    let launch = to_launch(home);
    if let Some(successor) = Successor::here() {
        succeed(&successor, home, &launch);
        unless_replaced(successor.turn(&launch));
        if home.join("fail-late").exists() {
            exit(4);
        }
    }
    let lock = match lock::acquire(home, PATIENCE) {
        Ok(lock) => lock,
        Err(e) => {
            tell_starter(&e.to_string());
            exit(1)
        }
    };
    abide_platform::spawn::keep_tables_small(std::os::fd::AsFd::as_fd(&lock));
    let signals = Signals::new(&[Signal::TERM, Signal::HUP]).expect("signals");
    pause(home, "pause");
    let (mut link, table) = unless_replaced(Link::connect(&launch));
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
        changes: VecDeque::new(),
        answers: VecDeque::new(),
        ready: None,
        notify: None,
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

/// Does as the test wants before it takes over.
fn succeed(successor: &Successor, home: &Path, launch: &keeper::Launch) {
    if home.join("fail-early").exists() {
        exit(3);
    }
    if home.join("abort-early").exists() {
        std::process::abort();
    }
    unless_replaced(successor.prepared(launch));
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
                job: None,
                outputs: Vec::new(),
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
            let upgrade = matches!(ask, Ask::Upgrade { .. });
            let tell = self.answer(ask);
            self.link.flush();
            let mut line = serde_json::to_string(&tell).expect("json");
            line.push('\n');
            if (&mut &*stream).write_all(line.as_bytes()).is_err() {
                return;
            }
            if upgrade && tell == Tell::Done {
                pause(&self.home, "linger");
                exit(EXIT_YIELDED);
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
            fifos: Vec::new(),
            stdout: None,
            stderr: None,
            read_ends: vec![Arc::new(open())],
            stages: abide_platform::spawn::Stages::default(),
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
            Ask::Pass {
                run,
                launch,
                listen,
                how,
            } => {
                let mut order = self.order(run, *launch);
                let mut sockets = self.sockets(listen);
                if how.stdin {
                    order.stdin = Some(sockets.remove(0).0);
                }
                order.sockets = sockets;
                if let Some(number) = how.ready {
                    let (reader, writer) = io::pipe().expect("a pipe");
                    self.ready = Some(reader);
                    order.ready_fd = Some((number, writer.into()));
                }
                match spawn(&order) {
                    Ok(spawned) => Tell::Spawned { pid: spawned.pid },
                    Err(e) => Tell::Refused(e.to_string()),
                }
            }
            Ask::Ready => {
                let mut text = [0; 10];
                let ready = self.ready.as_mut().expect("a ready descriptor was passed");
                wait_for_input(ready);
                let read = io::Read::read(ready, &mut text).expect("a pipe");
                Tell::Content(Some(String::from_utf8_lossy(&text[..read]).into_owned()))
            }
            Ask::Connected { addresses } => {
                let count = listen::connected(&addresses).expect("proc can be read");
                Tell::Count(count as u64)
            }
            Ask::Listening => Tell::Addresses(
                self.table
                    .descriptors
                    .iter()
                    .filter(|(key, _)| key.kind == SOCKET)
                    .filter_map(|(_, fd)| listen::address_of(fd))
                    .collect(),
            ),
            Ask::Notify => {
                let address = self.notify().address().to_owned();
                Tell::Content(Some(address))
            }
            Ask::Message { run } => {
                let tree = self.known.get(&run).cloned();
                let socket = self.notify();
                wait_for_input(socket);
                let message = socket.peek().expect("it works").expect("a message");
                socket.consume().expect("it works");
                let pid = message.sender.expect("the kernel says").pid;
                Tell::Message {
                    text: String::from_utf8(message.text).expect("text"),
                    pid,
                    descriptors: message.descriptors.len(),
                    member: tree.and_then(|tree| tree.contains(pid)),
                }
            }
            Ask::Main { run, pid } => {
                let identity = match Handle::open(pid) {
                    Ok(handle) => handle.identity(),
                    Err(_) => Identity {
                        pid,
                        ..Identity::default()
                    },
                };
                let record = self.home.join(format!("record-{run}"));
                let changed = Record::change_main(&record, RunId(run), &identity);
                assert!(changed.expect("records can be written"));
                self.known[&run].change_main(pid);
                self.link.main_changed(UNIT, RunId(run), pid);
                self.exits.remove(&run);
                Tell::Done
            }
            Ask::Contains { run, pid } => {
                let tree = self.known.get(&run).expect("the run is known");
                Tell::Member(tree.contains(pid))
            }
            Ask::Change { run } => loop {
                if let Some((of, change)) = self.changes.pop_front() {
                    // Who ends is let go on first, which may be told of a run that is over.
                    if of == run {
                        return change;
                    }
                } else {
                    self.hear("nothing stops or goes on");
                }
            },
            Ask::Signal { run, signal } => {
                let tree = self.known.get(&run).expect("the run is known");
                tree.signal(Signal(signal)).expect("it may be signalled");
                Tell::Done
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
                Tell::Count(tree.map_or(0, |tree| {
                    usage::sample(&[tree], usage::Figures::default())[0].processes
                }))
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
                poll(&mut fds, Some(&POLL_PATIENCE)).expect("poll");
                Tell::Signals(std::iter::from_fn(|| self.signals.take()).collect())
            }
            Ask::Upgrade { file, renew } => {
                let file = std::fs::File::open(file).expect("a file");
                self.link.upgrade(file.as_fd(), renew).expect("it is asked");
                match self.told() {
                    KeeperEvent::Yield => Tell::Done,
                    KeeperEvent::UpgradeFailed(why) => Tell::Refused(why.to_string()),
                    other => panic!("{other:?}"),
                }
            }
            Ask::Renewed => match self.told() {
                KeeperEvent::Renewed { .. } => Tell::Done,
                KeeperEvent::NotRenewed { errno } => Tell::Refused(errno.to_string()),
                other => panic!("{other:?}"),
            },
            Ask::Start => Tell::Start {
                safe_mode: self.table.safe_mode,
                rolled_back: self.table.rolled_back.map(|why| why.to_string()),
            },
            Ask::Crash => std::process::abort(),
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
            self.hear(&format!("run {run} does not end"));
        }
    }

    /// What the keeper says next of an upgrade.
    fn told(&mut self) -> KeeperEvent {
        while self.answers.is_empty() {
            self.hear("the keeper says nothing");
        }
        self.answers.pop_front().expect("there is one")
    }

    /// Waits for the keeper to say something.
    fn hear(&mut self, or_else: &str) {
        let mut fds = [PollFd::new(&self.link, PollFlags::IN)];
        assert_ne!(poll(&mut fds, Some(&POLL_PATIENCE)), Ok(0), "{or_else}");
        while let Some(event) = self.link.recv() {
            match event {
                KeeperEvent::Exit(entry) => {
                    // That of an earlier main process says nothing.
                    let tree = self.known.get(&entry.run.0);
                    if tree.is_none_or(|tree| tree.main() == Some(entry.pid)) {
                        self.exits.insert(entry.run.0, entry);
                    }
                }
                KeeperEvent::Stopped { run, signal, .. } => {
                    self.changes.push_back((run.0, Tell::Stopped(signal.0)));
                }
                KeeperEvent::Continued { run, .. } => {
                    self.changes.push_back((run.0, Tell::Continued));
                }
                KeeperEvent::Lost => panic!("the keeper is gone"),
                answer => self.answers.push_back(answer),
            }
        }
    }

    fn sockets(&mut self, listen: Vec<Listen>) -> Vec<(Arc<OwnedFd>, String)> {
        let spec = SocketSpec {
            listen,
            pass: SocketPass::Fds,
            backlog: 128,
            mode: 0o600,
            owner: None,
            group: None,
        };
        let mut sockets = Vec::new();
        for (sub, which) in (0..).zip(&spec.listen) {
            let held = self.table.descriptors.iter().find(|(key, fd)| {
                key.kind == SOCKET && listen::address_of(fd).as_ref() == Some(&which.address)
            });
            let fd = match held {
                Some((_, fd)) => fd.try_clone().expect("a descriptor"),
                None => {
                    let fd = listen::bind(&spec, which, None).expect("it is free");
                    let key = Key {
                        kind: SOCKET,
                        unit: UNIT.0,
                        sub,
                    };
                    self.link.hold(key, fd.as_fd()).expect("a descriptor");
                    fd
                }
            };
            sockets.push((Arc::new(fd), which.name.clone()));
        }
        sockets
    }

    fn notify(&mut self) -> &NotifySocket {
        let key = Key {
            kind: NOTIFY,
            unit: UNIT.0,
            sub: 0,
        };
        let held = self.table.descriptors.iter().find(|(k, _)| *k == key);
        let (link, home) = (&mut self.link, &self.home);
        self.notify.get_or_insert_with(|| match held {
            Some((_, fd)) => {
                let fd = fd.try_clone().expect("a descriptor");
                NotifySocket::from_held(fd).expect("it is one")
            }
            None => {
                let socket = NotifySocket::bind(Some(&home.join("notify")), "unused", None);
                let socket = socket.expect("it is bound");
                link.hold(key, socket.as_fd()).expect("a descriptor");
                socket
            }
        })
    }
}

/// Kinds of keys.
const SOCKET: u32 = 2;
const NOTIFY: u32 = 3;

const POLL_PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

fn wait_for_input(fd: &impl AsFd) {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    assert_ne!(poll(&mut fds, Some(&POLL_PATIENCE)), Ok(0), "nothing comes");
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
