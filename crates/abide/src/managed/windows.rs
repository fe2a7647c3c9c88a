mod not_begun;

use std::io;
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use abide_host::scm::{self, Asked, Connection, Ending, Said, Settings};
use abide_model::{MachineEvent, PowerEvent, SessionEvent, Signal};
use abide_platform::keeper::{self, Kept, Launch, become_keeper};
use abide_platform::notify::{Notice, NotifySocket, parse};
use abide_platform::poll::{Events, Interest, Poll};
use abide_platform::{random, service_control};

use crate::args::ManagedArgs;
use crate::args::install::ServiceControl;
use crate::daemon::Role;
use crate::failure::Failure;
use crate::term::Palette;

/// Whoever started this process.
#[derive(Debug)]
pub struct Manager {
    /// The Service Control Manager; `None`: a person, or some other program.
    scm: Option<Arc<Connection>>,
    controls: Vec<ServiceControl>,
}

impl Manager {
    /// To be called first: the Service Control Manager waits to hear of the process that it started.
    ///
    /// # Errors
    /// That manager cannot be spoken to.
    pub fn meet(args: &ManagedArgs) -> Result<Self, Failure> {
        // Asked first, as a process that is no service may have to wait for the answer of the dispatcher.
        let scm = if scm::started_by_manager() {
            let settings = Settings {
                reloads: true,
                sessions: true,
                power: true,
                custom: args.controls.iter().map(|control| control.code).collect(),
                ..Settings::default()
            };
            scm::connect(settings).map_err(|e| Failure::new(format!("cannot be a service: {e}")))?
        } else {
            None
        };
        Ok(Self {
            scm: scm.map(Arc::new),
            controls: args.controls.clone(),
        })
    }

    /// What is kept may take so long until it is ready.
    pub fn needs(&self, time: Duration) {
        if let Some(scm) = &self.scm {
            scm.say(Said::More(time));
        }
    }

    /// This process becomes the keeper. Returns only when it cannot.
    #[must_use]
    pub fn keep(&self, role: &Role, log: &Path) -> io::Error {
        let Some(scm) = &self.scm else {
            return become_keeper(&launch(role));
        };
        not_begun::forget(scm.name(), &role.home);
        match serve(scm, &self.controls, role.clone(), log) {
            Ok(Kept { code, refused }) => {
                if let Some(why) = refused {
                    not_begun::tell(scm.name(), Some(&role.home), &why);
                }
                scm.end(Ending::Code(code.cast_unsigned()));
                exit(code)
            }
            Err(error) => {
                if let Some(number) = error.raw_os_error() {
                    scm.end(Ending::Win32(number.cast_unsigned()));
                }
                error
            }
        }
    }

    /// It came to nothing: the administrator is told why, and the manager that it is so.
    pub fn failed(&self, failure: &Failure, home: Option<&Path>) {
        if let Some(scm) = &self.scm {
            not_begun::tell(scm.name(), home, &failure.render(Palette::plain()));
            scm.end(Ending::Code(failure.code as u32));
        }
    }
}

fn launch(role: &Role) -> Launch {
    Launch {
        home: role.home.clone(),
        daemon: role.arguments(),
    }
}

/// Keeps until all is over.
fn serve(
    scm: &Arc<Connection>,
    controls: &[ServiceControl],
    mut role: Role,
    log: &Path,
) -> io::Result<Kept> {
    let mut number = [0; 8];
    random::fill(&mut number)?;
    let name = format!("abide-scm-{:016x}", u64::from_ne_bytes(number));
    let socket = NotifySocket::bind(None, &name, None)?;
    role.notify = Some(socket.address().to_owned());
    let daemon = Arc::clone(scm);
    thread::Builder::new()
        .name("abide-words".into())
        .spawn(move || relay(&socket, &daemon))?;
    let controls = controls.to_vec();
    scm.listen(move |asked| {
        // The one that fails leaves the manager to its own time-outs.
        let _unheard = match asked {
            Asked::Session { event, session } => keeper::happened(MachineEvent::Session {
                change: SessionEvent::from_number(event),
                session,
            }),
            Asked::Power(event) => {
                keeper::happened(MachineEvent::Power(PowerEvent::from_number(event)))
            }
            asked => request(asked, &controls).map_or(Ok(()), keeper::ask),
        };
    });
    keeper::be_keeper(&launch(&role), log)
}

/// What the daemon is told of it, as a signal that says the same on Linux.
fn request(asked: Asked, controls: &[ServiceControl]) -> Option<Signal> {
    match asked {
        Asked::Stop(_) => Some(Signal::TERM),
        Asked::Reload => Some(Signal::HUP),
        Asked::Custom(code) => {
            let control = controls.iter().find(|control| control.code == code)?;
            Some(control.signal)
        }
        // Pauses are not accepted; the rest asks for nothing.
        Asked::Pause | Asked::Continue | Asked::Session { .. } | Asked::Power(_) => None,
    }
}

/// Tells the manager what the daemon says, whichever one it is at the time.
fn relay(socket: &NotifySocket, scm: &Connection) {
    let Ok(poll) = Poll::new() else { return };
    if poll.add(socket, 0, Interest::Input).is_err() {
        return;
    }
    let mut events = Events::new();
    // A pipe that cannot be read any more leaves the manager to its own time-outs.
    while poll.wait(&mut events).is_ok() {
        while let Ok(Some(message)) = socket.recv() {
            // The daemon is this process's child; programs that it keeps are not to speak for it.
            let sender = message
                .sender
                .and_then(|sender| service_control::parent(sender.pid));
            if sender != Some(std::process::id()) {
                continue;
            }
            for notice in parse(&message.text) {
                match notice {
                    Notice::Ready => scm.say(Said::Ready),
                    Notice::Stopping => scm.say(Said::Stopping),
                    Notice::ExtendTimeout(time) => scm.say(Said::More(time)),
                    _ => {}
                }
            }
        }
    }
}
