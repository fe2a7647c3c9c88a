//! A daemon whose driver does everything at once and starts nothing.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use abide_core::{Command, Explanation, PlanChange, PlanStep};
use abide_daemon::api::{Api, ApiConfig, Doors};
use abide_daemon::board::{BeatView, Board, DaemonInfo, Keep, SourceInfo, UnitEntry, UnitView};
use abide_daemon::capture::{Capture, StreamSpec};
use abide_daemon::events::EventLog;
use abide_daemon::handle::{ConfigSource, Handle, Request, Requests};
use abide_daemon::home::Home;
use abide_model::{
    ActualState, DesiredState, EventKind, Health, Operation, OperationId, OperationKind,
    OperationState, OperationStep, Refusal, RunId, Spec, StepState, UnitId, UnitName, Wall,
};
use abide_platform::pipe::Output;
use serde_json::Value;

use super::client::{self, Answer};
use super::system::native;

pub struct Fake {
    pub api: Option<Api>,
    pub board: Arc<Board>,
    pub events: Arc<EventLog>,
    pub capture: Capture,
    pub home: PathBuf,
    /// Commands that the driver was given, as text.
    pub asked: Arc<Mutex<Vec<String>>>,
    /// Held as the keeper does it.
    outputs: Mutex<Vec<Output>>,
    _dir: tempfile::TempDir,
}

pub fn start() -> Fake {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("home");
    let home = Home::new(path.clone());
    home.create().expect("a home");
    let board = Arc::new(Board::new(DaemonInfo {
        hosted: None,
        version: "0.1.0".into(),
        build: None,
        pid: std::process::id(),
        keeper_pid: Some(1),
        home: path.clone(),
        started_at: Wall(1_767_225_600_000_000_000),
        stopping: false,
        recovered: None,
        recoveries: 0,
        listen: Vec::new(),
        sources: Vec::new(),
    }));
    let events = Arc::new(EventLog::open(&home.events()).expect("an event log"));
    let (wake, woken) = channel();
    let wake = Mutex::new(wake);
    let (handle, requests) = Handle::new(Arc::clone(&board), Arc::clone(&events), move || {
        // The driver of a test that is over is gone.
        let _ = wake.lock().expect("no panic").send(());
    });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let driver = Driver {
        board: Arc::clone(&board),
        events: Arc::clone(&events),
        asked: Arc::clone(&asked),
        next: 1,
    };
    std::thread::spawn(move || driver.run(&requests, &woken));
    let capture = Capture::start((), |_| {}).expect("a capture");
    let config = ApiConfig {
        home,
        handle,
        capture: Some(capture.clone()),
        assistants: None,
        doors: Doors::default(),
        ended: None,
    };
    let api = Api::start(config).expect("an API");
    Fake {
        api: Some(api),
        board,
        events,
        capture,
        home: path,
        asked,
        outputs: Mutex::default(),
        _dir: dir,
    }
}

impl Fake {
    pub fn get(&self, path: &str) -> Answer {
        client::send(client::socket(&self.home), "GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        client::send(client::socket(&self.home), "POST", path, &[], Some(body))
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.home.join("token"))
            .expect("a token")
            .trim()
            .to_owned()
    }

    /// Publishes a unit that runs, or does not.
    pub fn add(&self, id: u32, name: &str, change: impl FnOnce(&mut Spec, &mut UnitView)) {
        let mut spec = spec(name);
        let mut view = UnitView::stopped(true);
        view.desired = DesiredState::Up;
        view.state = ActualState::Running;
        view.ready = true;
        view.pid = Some(4242);
        view.run = Some(RunId(1));
        change(&mut spec, &mut view);
        self.board.publish(entry(UnitId(id), spec, view));
    }

    /// What a unit would write to.
    pub fn output(&self, name: &str) -> File {
        let unit = self.board.unit(name).expect("a unit");
        let home = Home::new(self.home.clone());
        let dir = home.unit_run(&unit.name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let output = Output::make(&dir, "out", None).expect("a pipe");
        let stream = StreamSpec {
            unit: unit.id,
            name: unit.name.clone(),
            stream: abide_log::Stream::Out,
            log: abide_model::LogSpec::clone(&unit.spec.log),
            dir: home.unit_logs(&unit.name),
            fifo: Arc::clone(output.reader()),
            stage: None,
            program: None,
        };
        self.capture.add(stream).expect("captured");
        let writer = output.writer().expect("an end");
        self.outputs.lock().expect("no panic").push(output);
        File::from(writer)
    }

    /// Waits until all that a unit wrote is in its segments.
    pub fn flush(&self, name: &str) {
        let unit = self.board.unit(name).expect("a unit");
        let (done, wait) = channel();
        self.capture
            .flush(unit.id, move || done.send(()).expect("somebody waits"));
        wait.recv_timeout(client::PATIENCE).expect("flushed");
    }

    /// A unit that owes beats.
    pub fn add_beating(&self, id: u32, name: &str) {
        self.add(id, name, |spec, view| {
            let every = std::time::Duration::from_secs(5);
            spec.policy.heartbeat = Some(abide_model::Heartbeat {
                every,
                misses: 3,
                file: None,
            });
            view.heartbeat = Some(BeatView::default());
            view.health = Health::Healthy;
        });
    }

    /// Listens on a free port.
    pub fn listen(&self) -> SocketAddr {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        self.board.update_daemon(|daemon| daemon.listen = vec![any]);
        // The daemon's own answer says when it is there.
        for _ in 0..10_000 {
            let daemon = self.get("/v1/daemon").json();
            if let Some(address) = daemon["listen"][0].as_str() {
                return address.parse().expect("an address");
            }
        }
        panic!("the API does not listen");
    }

    pub fn commands(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

pub fn entry(id: UnitId, spec: Spec, view: UnitView) -> UnitEntry {
    UnitEntry {
        id,
        name: spec.name.clone(),
        spec: Arc::new(Keep::default().keep(spec)),
        view,
        limits_unsupported: Vec::new(),
        tree: None,
        facts: abide_daemon::board::UnitFacts::none(),
    }
}

pub fn spec(name: &str) -> Spec {
    let text = native("[service.x]\ncommand = [\"/bin/sleep\", \"1000\"]\ndirectory = \"/\"\n");
    let document = abide_config::parse(
        &text,
        "/x/abide.toml".as_ref(),
        &abide_config::Caller::default(),
    );
    let mut spec = document
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .units
        .remove(0)
        .spec;
    spec.name = name.parse().expect("a name");
    spec
}

struct Driver {
    board: Arc<Board>,
    events: Arc<EventLog>,
    asked: Arc<Mutex<Vec<String>>>,
    next: u64,
}

impl Driver {
    fn run(mut self, requests: &Requests, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            while let Some(request) = requests.next() {
                self.take(request);
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Command { command, reply } => {
                self.asked
                    .lock()
                    .expect("no panic")
                    .push(format!("{command:?}"));
                reply.send(self.command(command));
            }
            Request::Apply {
                kind,
                sources,
                reply,
                ..
            } => reply.send(Ok(self.apply(kind, sources))),
            Request::Upgrade { reply, .. } => {
                reply.send(Err(Refusal::NotUpgraded("nothing: this is a test".into())));
            }
            Request::KeepDoor(..) | Request::DropDoor(_) => {}
            Request::Plan { sources, reply } => {
                let specs = sources.iter().flat_map(|source| &source.specs);
                let steps = specs.map(|spec| match self.board.unit(spec.name.as_str()) {
                    Some(old) => PlanStep {
                        id: old.id,
                        unit: spec.name.clone(),
                        change: if old.spec.is(spec) {
                            PlanChange::Unchanged
                        } else {
                            PlanChange::Change { restarts: true }
                        },
                    },
                    None => PlanStep {
                        id: UnitId(0),
                        unit: spec.name.clone(),
                        change: PlanChange::Add { starts: true },
                    },
                });
                reply.send(Ok(steps.collect()));
            }
            Request::Explain { reply, .. } => reply.send(Ok(Explanation {
                state: ActualState::Waiting,
                desired: DesiredState::Up,
                cause: "it waits for what it requires".into(),
                waits_for: vec![("db".parse().expect("a name"), "failed: exit 1".into())],
                changes: vec!["`abide start db`".into()],
                lines: Vec::new(),
            })),
        }
    }

    fn command(&mut self, command: Command) -> Result<Operation, Refusal> {
        let (kind, ids) = match command {
            Command::Start(ids) => (OperationKind::Start, ids),
            Command::Stop(ids) => (OperationKind::Stop, ids),
            Command::RestartRolling { units, .. } => (OperationKind::Restart, units),
            Command::Reload(ids) => (OperationKind::Reload, ids),
            Command::Signal(ids, _) => (OperationKind::Reset, ids),
            Command::Remove(ids) => (OperationKind::Remove, ids),
            Command::DownSource(source) => {
                let units = self.board.units();
                let of = units
                    .iter()
                    .filter(|unit| unit.spec.file.as_os_str() == source.as_str());
                (OperationKind::DownFile, of.map(|unit| unit.id).collect())
            }
            Command::Down => (OperationKind::Down, Vec::new()),
            Command::Apply { .. } => unreachable!("it has its own request"),
            Command::Restart(ids)
            | Command::Reset(ids)
            | Command::Enable(ids)
            | Command::Disable(ids) => (OperationKind::Restart, ids),
        };
        let units = ids.iter().filter_map(|id| self.board.unit_by_id(*id));
        let names: Vec<_> = units.map(|unit| unit.name.clone()).collect();
        if matches!(kind, OperationKind::Remove | OperationKind::DownFile) {
            ids.iter().for_each(|id| self.board.forget(*id));
        }
        Ok(self.done(kind, names))
    }

    fn apply(&mut self, kind: OperationKind, sources: Vec<ConfigSource>) -> Operation {
        let mut names = Vec::new();
        for source in sources {
            for unit in self.board.units() {
                let gone = !source.specs.iter().any(|spec| spec.name == unit.name);
                if *unit.spec.file == *source.file && gone {
                    self.board.forget(unit.id);
                }
            }
            for spec in source.specs {
                names.push(spec.name.clone());
                let known = self.board.unit(spec.name.as_str()).map(|unit| unit.id);
                let id = known.unwrap_or_else(|| {
                    self.next += 1;
                    UnitId(1000 + u32::try_from(self.next).expect("small"))
                });
                self.board.publish(entry(id, spec, UnitView::stopped(true)));
            }
            self.board.update_daemon(|daemon| {
                daemon.sources.retain(|old| old.file != source.file);
                daemon.sources.push(SourceInfo {
                    file: source.file,
                    environment: source.environment,
                    settings: source.settings,
                    argument: source.argument,
                    scale: source.scale,
                });
                daemon.listen = daemon
                    .sources
                    .iter()
                    .flat_map(|source| source.settings.listen.clone())
                    .collect();
            });
        }
        self.done(kind, names)
    }

    fn done(&mut self, kind: OperationKind, names: Vec<UnitName>) -> Operation {
        self.next += 1;
        for name in &names {
            self.events
                .record(Wall(0), Some(name.clone()), None, EventKind::Changed);
        }
        let steps = names.into_iter().map(|unit| OperationStep {
            unit,
            state: StepState::Done,
            note: None,
        });
        let operation = Operation {
            id: OperationId(self.next),
            kind,
            since: Wall(0),
            state: OperationState::Done,
            steps: steps.collect(),
            rolling: None,
        };
        self.board.publish_operation(operation.clone());
        operation
    }
}
