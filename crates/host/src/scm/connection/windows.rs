//! The machine, the system's threads and the program, put together.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use abide_platform::service_control::{self, Line, Service};

pub use abide_platform::service_control::started_by_manager;

use crate::scm::{Api, Asked, Control, Ending, Message, Said, Settings, Status, answer, drive};

/// How long the manager may take to hear that the service has stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// This process as a service that the manager has started.
#[derive(Debug)]
pub struct Connection {
    name: OsString,
    arguments: Vec<OsString>,
    to: Sender<Message>,
    /// Disconnected when the manager was told that the service has stopped.
    stopped: Mutex<Receiver<()>>,
}

/// Tells the manager that this process, which it started, is here: it is starting from now on. `None`: the manager did
/// not start it. Once in the life of a process.
///
/// The calling thread goes on: the manager is attended to by two others.
///
/// # Errors
/// Those of starting a thread and of StartServiceCtrlDispatcher.
pub fn connect(settings: Settings) -> io::Result<Option<Connection>> {
    let (to, inbox) = channel();
    let (begun, beginning) = channel();
    let (running, stopped) = channel();
    let process = Process {
        settings,
        to: to.clone(),
        once: Mutex::new(Some(Once {
            inbox,
            begun: begun.clone(),
            _running: running,
        })),
    };
    thread::Builder::new()
        .name("abide-scm".into())
        .spawn(move || {
            let served = service_control::serve(Box::new(process));
            // It has begun long ago, unless this says that it cannot.
            let _begun = begun.send(served.map(|_| None));
        })?;
    let first = beginning.recv().map_err(io::Error::other)?;
    Ok(first?.map(|(name, arguments)| Connection {
        name,
        arguments,
        to,
        stopped: Mutex::new(stopped),
    }))
}

impl Connection {
    /// The name under which the manager has this service.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// The arguments that the service was started with (`sc start NAME ARGUMENTS`), which are not those of the process.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Says something of the service.
    pub fn say(&self, said: Said) {
        // Nobody hears what is said of a service that has stopped.
        let _late = self.to.send(Message::Said(said));
    }

    /// Who hears what is asked from now on, on a thread of its own; what was asked before is heard at once.
    pub fn listen(&self, listener: impl FnMut(Asked) + Send + 'static) {
        let _late = self.to.send(Message::Listener(Box::new(listener)));
    }

    /// It has ended: returns when the manager has been told. This process should end then.
    pub fn end(&self, ending: Ending) {
        self.say(Said::Ended(ending));
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        // The end of the line is what is waited for.
        let _end = stopped.recv_timeout(PATIENCE);
    }
}

/// The service's name, and the arguments of its start.
type Start = (OsString, Vec<OsString>);

/// What the system's threads have.
struct Process {
    settings: Settings,
    to: Sender<Message>,
    once: Mutex<Option<Once>>,
}

struct Once {
    inbox: Receiver<Message>,
    begun: Sender<io::Result<Option<Start>>>,
    /// Dropped when the service has stopped.
    _running: Sender<()>,
}

impl Service for Process {
    fn run(&self, arguments: Vec<OsString>, line: Line) {
        let once = self
            .once
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The system calls it once.
        let Some(once) = once else { return };
        // Whoever waits for it is there until it has come.
        let begun = (line.name().to_owned(), arguments);
        let _waiting = once.begun.send(Ok(Some(begun)));
        drive(self.settings.clone(), &mut Manager(line), &once.inbox);
    }

    fn control(&self, control: u32, event: u32, session: u32) -> u32 {
        let control = Control::from_numbers(control, event, session);
        // After the end nobody is asked any more.
        let _late = self.to.send(Message::Control(control));
        answer(&self.settings, control)
    }
}

struct Manager(Line);

impl Api for Manager {
    fn report(&mut self, status: &Status) -> io::Result<()> {
        let (exit, specific) = status.exit();
        self.0.report(&service_control::Status {
            state: status.state.number(),
            accepted: status.accepted.number(),
            exit,
            specific,
            checkpoint: status.checkpoint,
            hint: u32::try_from(status.hint.as_millis()).unwrap_or(u32::MAX),
        })
    }
}
