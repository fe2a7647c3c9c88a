//! What the program tells its manager, and how it gets there.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use abide_host::notify::{Notifier, watchdog};
use abide_host::scm::{self, Asked, Connection, Ending, Said};

pub(crate) use abide_host::notify::Word;

use crate::starter::Starter;

/// How long a manager that does not read is waited for. Long enough for one that is being replaced.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the manager, if it left one.
#[derive(Debug)]
pub(crate) struct Link {
    way: Way,
    limit: Option<Duration>,
}

#[derive(Debug)]
enum Way {
    /// Nobody listens.
    Nowhere,
    /// sd_notify(3).
    Notify(Notifier),
    /// The Service Control Manager.
    Scm(Connection),
    /// What is wrong with what the environment says; told with each word.
    Broken(String),
}

impl Link {
    /// By the environment, or as the Service Control Manager knows it.
    ///
    /// # Errors
    /// That manager started it, and cannot be spoken to.
    pub(crate) fn find(starter: Starter, settings: scm::Settings) -> io::Result<Self> {
        if starter == Starter::Scm
            && let Some(connection) = scm::connect(settings)?
        {
            return Ok(Self {
                way: Way::Scm(connection),
                limit: None,
            });
        }
        let way = match Notifier::from_environment() {
            None => Way::Nowhere,
            Some(Ok(notifier)) => Way::Notify(notifier.patient(PATIENCE)),
            Some(Err(error)) => Way::Broken(error.to_string()),
        };
        Ok(Self {
            way,
            limit: watchdog(std::process::id()),
        })
    }

    /// Whether the Service Control Manager is at the other end.
    pub(crate) fn is_of_scm(&self) -> bool {
        matches!(self.way, Way::Scm(_))
    }

    /// What the service was started with, beside the arguments of the process.
    pub(crate) fn arguments(&self) -> &[OsString] {
        match &self.way {
            Way::Scm(connection) => connection.arguments(),
            _ => &[],
        }
    }

    /// Who hears what the Service Control Manager asks.
    pub(crate) fn listen(&self, listener: impl FnMut(Asked) + Send + 'static) {
        if let Way::Scm(connection) = &self.way {
            connection.listen(listener);
        }
    }

    /// Says what only the Service Control Manager understands.
    pub(crate) fn say(&self, said: Said) {
        if let Way::Scm(connection) = &self.way {
            connection.say(said);
        }
    }

    /// The body has ended, with this exit code. To be said last; saying it again does nothing.
    pub(crate) fn end(&self, code: u8) {
        if let Way::Scm(connection) = &self.way {
            connection.end(Ending::Code(code.into()));
        }
    }

    /// Whether beats arrive somewhere.
    pub(crate) fn takes_beats(&self) -> bool {
        matches!(self.way, Way::Notify(_))
    }

    /// The program is taken for one that hangs after so long without a beat.
    pub(crate) fn beat_limit(&self) -> Option<Duration> {
        self.limit
    }

    /// In one message. Nothing happens where nobody listens; ends after five seconds where the
    /// manager does not read.
    pub(crate) fn tell(&self, words: &[Word<'_>]) -> io::Result<()> {
        match &self.way {
            Way::Nowhere => Ok(()),
            Way::Notify(notifier) => notifier.tell(words),
            Way::Broken(why) => Err(io::Error::other(why.clone())),
            Way::Scm(connection) => {
                words
                    .iter()
                    .filter_map(said)
                    .for_each(|said| connection.say(said));
                Ok(())
            }
        }
    }
}

/// What of it the Service Control Manager has a word for.
fn said(word: &Word<'_>) -> Option<Said> {
    match word {
        Word::Ready => Some(Said::Ready),
        Word::Stopping => Some(Said::Stopping),
        Word::Extend(by) => Some(Said::More(*by)),
        Word::Reloading | Word::Status(_) | Word::Beat => None,
    }
}
