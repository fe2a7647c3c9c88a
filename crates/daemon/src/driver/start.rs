//! Coming up: what was written down, what the keeper holds and what still lives, put together.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_core::recording::Line;
use abide_core::{Saved, Supervisor};
use abide_model::{EventKind, Signal, UnitName};
use abide_platform::clock;
use abide_platform::fault::point;
use abide_platform::keeper::{Launch, Link, LinkError, Successor};
use abide_platform::lock::{self, LockError};
use abide_platform::pipe;
use abide_platform::poll::{Interest, Poll};
use abide_platform::random;
use abide_platform::signals::Signals;
use abide_platform::spawn::{Workers, keep_tables_small};
use abide_platform::timer::{CalendarWatch, Timer};
use abide_platform::tree::{Sweeper, Trees};
use abide_platform::{Borrowed, Lend};

use super::adopt::Short;
use super::apply::source_info;
use super::doors::Held;
use super::find::{Doubt, find};
use super::hosting::Hosting;
use super::inbox::inbox;
use super::job::Jobs;
use super::recorder::Recorder;
use super::recovery::{self, Census, Gap};
use super::room::Room;
use super::run::{Daemon, Message, token};
use super::sockets::Sockets;
use super::strangers::Strangers;
use super::streams;
use super::tidying::Tidying;
use super::unit::Units;
use super::watches::Watches;
use crate::api::{ApiConfig, Doors};
use crate::assist::Assistants;
use crate::board::{Board, DaemonInfo, Keep};
use crate::capture::Capture;
use crate::events::{EventLog, in_words};
use crate::handle::Handle as Front;
use crate::home::Home;
use crate::probe::Prober;
use crate::store::format::FORMAT;
use crate::store::{Entry, Image, Journal, Store, look};
use crate::system_log::SystemLogs;
use crate::upgrade::version_text;

/// How long to wait for what a daemon before us was spawning.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its home, absolute.
    pub home: PathBuf,
    /// Configuration files to agree with as soon as it is up, absolute.
    pub files: Vec<PathBuf>,
    /// The only unit of those files that this home is there for, hosted for a service manager.
    pub hosted: Option<UnitName>,
    /// Where whoever started the keeper listens; `None`: where the environment says.
    pub notify: Option<String>,
    /// Whoever started the keeper starts another one when it ends.
    pub managed: bool,
    /// This process's arguments, without the program's name.
    pub arguments: Vec<OsString>,
    /// The build of this executable, where that was known when it was built.
    pub build: Option<String>,
}

/// Why a daemon did not come up. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home cannot be used.
    #[error("{0}")]
    Home(io::Error),
    /// Somebody else has it.
    #[error("{0}")]
    Lock(#[from] LockError),
    /// There is no keeper, or it does not answer.
    #[error("{0}")]
    Keeper(#[from] LinkError),
    /// The state cannot be read.
    #[error("read the state in {dir}: {source}", dir = .dir.display())]
    State {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Whether a run lives cannot be told.
    #[error("{0}")]
    Doubt(#[from] Doubt),
    /// Not all that runs write can be taken on.
    #[error("{0}")]
    Short(#[from] Short),
    /// The kernel refuses something that nothing goes without.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A daemon that is ready to run, and what the API needs of it.
pub struct Started {
    /// To be run on this thread.
    pub daemon: Daemon,
    /// For the API.
    pub api: ApiConfig,
    /// The last daemons died quickly: the API is suspect, and not started.
    pub safe_mode: bool,
}

fn system<T>(what: &'static str, result: Result<T, impl Into<io::Error>>) -> Result<T, StartError> {
    result.map_err(|source| StartError::System {
        what,
        source: source.into(),
    })
}

impl Daemon {
    /// Takes the home over and picks up everything that an earlier daemon left. To be called on the
    /// first thread, before any other is started.
    ///
    /// # Errors
    /// [`StartError`]; nothing was changed then.
    pub fn start(options: &Options) -> Result<Started, StartError> {
        #[cfg(feature = "faults")]
        abide_log::on_fault_point(point);
        pipe::ignore_file_size_signal();
        let signals = system(
            "receive signals",
            Signals::new(&[Signal::TERM, Signal::INT, Signal::HUP, Signal(3)]),
        )?;
        let home = Home::new(options.home.clone());
        home.create().map_err(StartError::Home)?;
        let launch = Launch {
            home: home.root().to_owned(),
            daemon: options.arguments.clone(),
        };
        let successor = await_turn(&home, &launch)?;
        let lock = lock::acquire(home.root(), LOCK_WAIT)?;
        point("adopt.locked");
        // Before it has the descriptors of all units.
        keep_tables_small(lock.lend());
        let (mut keeper, table) = Link::connect(&launch)?;
        point("adopt.connected");
        let now = clock::now();
        let boot = clock::boot().to_string();

        let state = |source| StartError::State {
            dir: home.state(),
            source,
        };
        // Before it is opened, which counts as a change of it.
        let last_seen = recovery::last_seen(&home);
        let (journal, image, loss) = Journal::open(&home.state()).map_err(state)?;
        point("adopt.loaded");
        let events = Arc::new(EventLog::open(&home.events()).map_err(state)?);
        let poll = system("wait for anything", Poll::new())?;
        let (mailbox, inbox) = system("make a queue", inbox(&poll, token::INBOX))?;
        let to = |mailbox: &super::inbox::Mailbox<Message>| mailbox.clone();

        let (written, storing) = (to(&mailbox), to(&mailbox));
        let store = system(
            "start a thread",
            Store::start(
                journal,
                events.barrier(),
                move |w| written.send(Message::Written(w)),
                move |s| storing.send(Message::Storing(s)),
            ),
        )?;
        let done = to(&mailbox);
        let workers = system(
            "start a thread",
            Workers::start(move |unit, run, result| {
                done.send(Message::Spawned(unit, run, Box::new(result)));
            }),
        )?;
        let swept = to(&mailbox);
        let sweeper = system(
            "start a thread",
            Sweeper::start(move |event| swept.send(Message::Swept(event))),
        )?;
        let captured = to(&mailbox);
        let capture = system(
            "start the capture",
            Capture::start(
                streams::Stages(keeper.socket(), home.slots()),
                move |event| {
                    captured.send(Message::Capture(event));
                },
            ),
        )?;

        let board = Arc::new(Board::new(DaemonInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            build: options.build.clone(),
            pid: std::process::id(),
            keeper_pid: Some(table.keeper),
            home: home.root().to_owned(),
            started_at: now.wall,
            stopping: false,
            recoveries: table.starts.saturating_sub(1),
            recovered: None,
            listen: Vec::new(),
            sources: image.sources.iter().map(source_info).collect(),
            hosted: options.hosted.clone(),
        }));
        let wake = to(&mailbox);
        let (front, requests) = Front::new(Arc::clone(&board), Arc::clone(&events), move || {
            wake.send(Message::Requests)
        });

        let timer = system("make a timer", Timer::new())?;
        let calendar = system("watch the calendar", CalendarWatch::new())?;
        let wait_for = |object: Borrowed<'_>, token| {
            let added = poll.add(object, token, Interest::Input);
            system("wait for an event", added)
        };
        wait_for(keeper.lend(), token::KEEPER)?;
        wait_for(timer.lend(), token::TIMER)?;
        wait_for(calendar.lend(), token::CALENDAR)?;
        wait_for(signals.lend(), token::SIGNALS)?;

        let trees = Trees::new(home.root());
        let reports = to(&mailbox);
        let assistants = Assistants::new(trees.clone(), Some(keeper.socket()), move |report| {
            reports.send(Message::Report(report));
        });
        let prober = Prober::new(assistants.clone(), capture.clone(), home.clone());
        let specs = image.specs.values();
        let mut specs = specs.map(|spec| (&spec.launch, &spec.log));
        let scarce = Room::now(Some(table.keeper)).is_some_and(|room| room.is_scarce(&mut specs));
        let found = find(&home, &trees, &image, &table, scarce)?;
        point("adopt.found");
        for (unit, run) in &found.settled {
            keeper.taken(*unit, *run);
        }
        let saved = saved(&image, &boot);
        let same_boot = saved.same_boot;
        let gap = Gap {
            first: image.boot.is_none(),
            halted: saved.halted,
            same_boot,
            successor,
            last_seen,
            census: Census::of(&found.observed),
        };
        let beginning = gap.told(&table, now);
        if image.boot.as_deref() != Some(&*boot) || image.seed.is_none() || image.halted {
            store.write(
                Entry::Boot {
                    boot,
                    seed: saved.seed,
                },
                false,
                None,
            );
        }
        let mut recorder = system("begin the recording", Recorder::from_environment())?;
        if let Some(recorder) = &mut recorder {
            recorder.write(&Line::Resume {
                saved: saved.clone(),
                observed: found.observed.clone(),
                now,
            });
        }
        let core = Supervisor::resume(saved, found.observed, now);
        point("adopt.resumed");

        let system_logs = SystemLogs::new(home.clone(), Arc::clone(&events), Arc::clone(&board));
        let mut daemon = Daemon {
            home,
            core,
            units: Units::new(image.next_unit),
            keep: Keep::default(),
            sources: image.sources.clone(),
            leaving: BTreeSet::new(),
            poll,
            watches: Watches::default(),
            strangers: Strangers::default(),
            sockets: Sockets::default(),
            waiting_for_sockets: Vec::new(),
            nonce: draw_seed(),
            inbox,
            mailbox,
            requests,
            handle: front,
            timer,
            timer_set: None,
            tidying: Tidying::begun(now.mono),
            hosting: Hosting::new(
                table.keeper,
                options.notify.as_deref(),
                options.hosted.clone(),
                !options.files.is_empty(),
                now.mono,
            ),
            calendar,
            signals,
            keeper,
            keeper_pid: Some(table.keeper),
            keeper_lost: false,
            scarce,
            keeper_writable: false,
            trees,
            workers,
            sweeper,
            assistants,
            prober,
            capture,
            store,
            jobs: Jobs::new(16),
            files: Jobs::new(1),
            board,
            events,
            system_logs,
            recorder,
            beats: None,
            launch,
            managed: options.managed,
            unwritten: BTreeMap::new(),
            past: Vec::new(),
            write_by: None,
            started: false,
            awaited: false,
            takes: BTreeMap::new(),
            spawning: HashMap::new(),
            next_request: 0,
            replies: HashMap::new(),
            dirty: BTreeSet::new(),
            changed_operations: BTreeMap::new(),
            inputs: VecDeque::new(),
            at_work: false,
            halted: false,
            version: version_text(env!("CARGO_PKG_VERSION"), options.build.as_deref()),
            held: Held::default(),
            api_end: None,
            upgrade: None,
            yielded: false,
            upgraded: None,
            unmarked: image
                .format
                .as_ref()
                .is_none_or(|(format, _)| *format < FORMAT),
            _lock: lock,
        };
        daemon.take_units(&image, found.runs);
        for (unit, run) in found.ended {
            if let Some(unit) = daemon.units.get_mut(unit) {
                unit.untaken.push(run);
            }
        }
        daemon.dirty = daemon.units.iter().map(|(id, _)| id).collect();
        daemon.take_descriptors(table.descriptors, found.left, &image)?;
        point("adopt.streams");
        daemon.watch_beat_files();
        if same_boot {
            daemon.hunt_leftovers(&image);
        }
        daemon.begin_system_logs();
        daemon.sources_changed();
        daemon.serve_beats_if_wanted();
        daemon.take_note(table.rolled_back, gap.census.adopted);
        daemon.tell(loss, beginning, table.safe_mode);
        daemon.warn_of_limits();
        if !options.files.is_empty() {
            daemon.load_files(options.files.clone(), table.starts <= 1);
        }
        let doors = if table.safe_mode {
            daemon.close_doors();
            Doors::default()
        } else {
            let opened = daemon.doors();
            system("listen on the home's socket", opened)?
        };
        let ended = daemon.mailbox.clone();
        // Before the API answers: nobody is to see a home without its units.
        daemon.publish_dirty(clock::now());
        let api = ApiConfig {
            home: daemon.home.clone(),
            handle: daemon.handle.clone(),
            capture: Some(daemon.capture.clone()),
            assistants: Some(daemon.assistants.clone()),
            doors,
            ended: Some(Arc::new(move || ended.send(Message::ApiEnded))),
        };
        Ok(Started {
            daemon,
            api,
            safe_mode: table.safe_mode,
        })
    }

    fn tell(&self, loss: crate::store::Loss, beginning: EventKind, safe_mode: bool) {
        if matches!(beginning, EventKind::DaemonRecovered { .. }) {
            let words = in_words(&beginning);
            self.board
                .update_daemon(|daemon| daemon.recovered = Some(words));
        }
        // One that took over says so when it serves.
        if !matches!(self.upgraded, Some((_, EventKind::Upgraded { .. }))) {
            self.event(None, None, beginning);
        }
        if loss.damaged > 0 {
            self.warn(
                None,
                format!(
                    "{} lines of the state were damaged and are lost",
                    loss.damaged
                ),
            );
        }
        if loss.foreign > 0 {
            self.warn(
                None,
                format!(
                    "{} lines of the state are of a kind that this version has no word for, and are left out",
                    loss.foreign
                ),
            );
        }
        if loss.torn {
            self.warn(
                None,
                "the last line of the state was not whole, as after a loss of power; it is lost"
                    .into(),
            );
        }
        if safe_mode {
            self.warn(None, "safe mode: the last daemons died quickly, so this one runs without its API; units are supervised".into());
        }
    }
}

/// If this process is to take over from another daemon: does beside it what can be done, and waits until
/// it is gone. Says whether it was so.
fn await_turn(home: &Home, launch: &Launch) -> Result<bool, StartError> {
    let Some(successor) = Successor::here() else {
        return Ok(false);
    };
    // What would refuse later is to refuse now, while the other daemon is there.
    look(&home.state()).map_err(|source| StartError::State {
        dir: home.state(),
        source,
    })?;
    point("upgrade.prepare");
    successor.prepared(launch)?;
    point("upgrade.prepared");
    successor.turn(launch)?;
    point("upgrade.turn");
    Ok(true)
}

fn saved(image: &Image, boot: &str) -> Saved {
    Saved {
        units: image
            .units
            .values()
            .filter(|u| image.specs.contains_key(&u.id))
            .cloned()
            .collect(),
        operations: image.operations.values().cloned().collect(),
        same_boot: image.boot.as_deref() == Some(boot),
        halted: image.halted,
        seed: image.seed.unwrap_or_else(draw_seed),
    }
}

fn draw_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness jitter is the same in every home, which harms nobody.
    let _ = random::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
