//! The manager that started abide: what it is told, and when a home that hosts one unit for it is done.
//!
//! ```text
//!  coming ── every unit came up, or did not ──► up ── down is asked for ──► leaving
//!    │ EXTEND_TIMEOUT_USEC                      │ WATCHDOG=1                   │ STOPPING=1, EXTEND_TIMEOUT_USEC
//!    ╰─ READY=1 at its end
//!
//!  hosting one unit:  READY=1 only when it is ready; it failed for good, or ended: leaving, with its exit code
//! ```
//!
//! The keeper is the main process in the manager's eyes, and says nothing: the daemon speaks for it, so that what the
//! manager hears comes from the process that decides. A daemon that dies is not seen by the manager; the next one goes
//! on speaking, and the watchdog bites only if none comes.
//!
//! Nobody waits here for a manager that does not read: what it did not hear it is told anew, from the state as it is by
//! then.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_core::{Command, Input};
use abide_host::notify::{Notifier, Word, watchdog};
use abide_model::{
    ActualState, DesiredState, ExitStatus, MachineEvent, Mono, UnitId, UnitName, Wall,
};

use super::run::Daemon;

/// How often the manager is asked for more time, and for how much.
const ASK: Duration = Duration::from_secs(10);
const MORE: Word<'static> = Word::Extend(Duration::from_secs(30));

/// When something that was not heard is told anew: at first, and at the latest. The pause doubles.
const AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

/// The exit code where a unit gives none of its own.
const FAILED: i32 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Coming,
    Up,
    Leaving,
}

/// What there is to tell, and what was told.
#[derive(Debug)]
pub(super) struct Hosting {
    /// `None`: nobody listens.
    notifier: Option<Notifier>,
    watchdog: Option<Duration>,
    /// The unit that this home is there for.
    unit: Option<UnitName>,
    phase: Phase,
    /// Files of the command line are being read.
    loading: bool,
    /// Why they were not taken.
    refused: Option<String>,
    /// Units that are on their way up.
    pending: BTreeSet<UnitId>,
    /// When the manager is to hear something again.
    ask: Option<Mono>,
    beat: Option<Mono>,
    /// What was said last.
    said: String,
    /// Something was not heard: when it is told anew, and the pause before.
    again: Option<(Mono, Duration)>,
    /// The code to leave with.
    pub code: i32,
}

impl Hosting {
    /// `main`: the keeper; `notify`: where it listens to be told of, if the environment does not say that.
    pub(super) fn new(
        main: u32,
        notify: Option<&str>,
        unit: Option<UnitName>,
        loading: bool,
        now: Mono,
    ) -> Self {
        let notifier =
            match notify.map_or_else(Notifier::from_environment, |at| Some(Notifier::at(at))) {
                None => None,
                Some(Ok(notifier)) => Some(notifier.speaking_for(main)),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the service manager cannot be told anything");
                    None
                }
            };
        let watchdog = watchdog(main).filter(|_| notifier.is_some());
        Self {
            ask: notifier
                .as_ref()
                .filter(|_| unit.is_none())
                .map(|_| now.after(ASK)),
            beat: watchdog.map(|_| now),
            notifier,
            watchdog,
            unit,
            phase: Phase::Coming,
            loading,
            refused: None,
            pending: BTreeSet::new(),
            said: String::new(),
            again: None,
            code: 0,
        }
    }

    /// Nobody listens, and there is no unit to end with.
    fn idle(&self) -> bool {
        self.notifier.is_none() && self.unit.is_none()
    }

    /// This home is there for a single unit.
    pub(super) fn is_of_one(&self) -> bool {
        self.unit.is_some()
    }

    fn tell(&mut self, words: &[Word<'_>], now: Mono) {
        let Some(notifier) = &self.notifier else {
            return;
        };
        if let Err(error) = notifier.tell(words) {
            tracing::debug!(%error, "the service manager does not hear");
            let pause = self.again.map_or(AGAIN.0, |(_, pause)| pause);
            self.again = Some((now.after(pause), pause));
        }
    }

    /// Tells what is new of it.
    fn status(&mut self, text: &str, now: Mono) {
        if text != self.said {
            text.clone_into(&mut self.said);
            self.tell(&[Word::Status(text)], now);
        }
    }

    /// When to be called.
    pub(super) fn due(&self) -> Option<Mono> {
        let again = self.again.map(|(at, _)| at);
        [self.ask, self.beat, again].into_iter().flatten().min()
    }

    /// Tells what is due.
    fn time(&mut self, now: Mono) {
        if self.ask.is_some_and(|at| at <= now) {
            self.ask = Some(now.after(ASK));
            self.tell(&[MORE], now);
        }
        if let Some(every) = self.watchdog
            && self.beat.is_some_and(|at| at <= now)
        {
            // Half of it, as sd_watchdog_enabled(3) advises.
            self.beat = Some(now.after(every / 2));
            self.tell(&[Word::Beat], now);
        }
        if let Some((at, pause)) = self.again
            && at <= now
        {
            self.again = None;
            self.tell_anew(now);
            if let Some((at, next)) = &mut self.again {
                *next = (pause * 2).min(AGAIN.1);
                *at = now.after(*next);
            }
        }
    }

    /// All that holds now, which includes whatever was not heard.
    fn tell_anew(&mut self, now: Mono) {
        let said = std::mem::take(&mut self.said);
        let phase = match self.phase {
            Phase::Coming => None,
            Phase::Up => Some(Word::Ready),
            Phase::Leaving => Some(Word::Stopping),
        };
        let words = [
            phase,
            self.ask.map(|_| MORE),
            self.watchdog.map(|_| Word::Beat),
            Some(Word::Status(&said)),
        ];
        let words: Vec<_> = words.into_iter().flatten().collect();
        self.tell(&words, now);
        self.said = said;
    }

    fn up(&mut self, status: &str, now: Mono) {
        self.phase = Phase::Up;
        self.ask = None;
        status.clone_into(&mut self.said);
        self.tell(&[Word::Ready, Word::Status(status)], now);
    }

    /// It is none of ours any more.
    pub(super) fn forget(&mut self, unit: UnitId) {
        self.pending.remove(&unit);
    }

    /// Everything goes down.
    pub(super) fn leaving(&mut self, now: Mono) {
        if self.phase != Phase::Leaving {
            self.phase = Phase::Leaving;
            self.ask = self.notifier.as_ref().map(|_| now.after(ASK));
            self.said = "stopping".to_owned();
            self.tell(&[Word::Stopping, Word::Status("stopping")], now);
        }
    }
}

impl Daemon {
    /// The files of the command line were read and taken, or not.
    pub(super) fn on_files_read(&mut self, refused: Option<String>, first: bool) {
        self.hosting.loading = false;
        self.hosting.refused = refused;
        if self.hosting.unit.is_none() {
            return;
        }
        if self.hosting.refused.is_some() {
            self.hosting.code = FAILED;
            self.leave();
        } else if first {
            // Also one that was stopped by hand, or had failed: the manager wants it up now.
            let units: Vec<UnitId> = self.units.iter().map(|(id, _)| id).collect();
            let request = self.request();
            let command = Command::Start(units);
            self.input(Input::Command { request, command });
        }
    }

    /// The manager has told of something that happened to the machine. Where a single unit is hosted, its service was told.
    pub(super) fn on_happened(&self, event: MachineEvent, at: Wall) {
        let mut names = self.units.iter().map(|(_, unit)| &unit.name);
        let unit = match (&self.hosting.unit, names.next(), names.next()) {
            (Some(_), Some(only), None) => Some(only.clone()),
            _ => None,
        };
        self.events.queue(at, unit, None, event.into(), None);
    }

    /// Takes everything down, as nobody waits for an answer.
    pub(super) fn leave(&mut self) {
        self.hosting.leaving(abide_platform::clock::now().mono);
        let request = self.request();
        self.input(Input::Command {
            request,
            command: Command::Down,
        });
    }

    /// A unit has changed.
    pub(super) fn note_for_manager(&mut self, id: UnitId) {
        if self.hosting.idle() || self.hosting.phase != Phase::Coming {
            return;
        }
        let comes = self.core.unit(id).is_some_and(|view| match view.state {
            ActualState::Starting | ActualState::Stopping => true,
            ActualState::Stopped => view.desired == DesiredState::Up,
            // One that waits has no deadline, so that nobody waits for it; while what it waits for comes
            // up, that is waited for.
            _ => self.hosting.unit.is_some() && !view.ready && view.state != ActualState::Exited,
        });
        if comes {
            self.hosting.pending.insert(id);
        } else {
            self.hosting.pending.remove(&id);
        }
    }

    /// After everything that happened: tells the manager what it is to know.
    pub(super) fn tell_manager(&mut self, now: Mono) {
        if self.hosting.idle() {
            return;
        }
        self.hosting.time(now);
        if self.hosting.phase == Phase::Leaving || self.hosting.loading {
            return;
        }
        if self.hosting.unit.is_some() {
            self.tell_of_unit(now);
        } else if self.hosting.phase == Phase::Coming && self.hosting.pending.is_empty() {
            let status = self.summary();
            self.hosting.up(&status, now);
        }
    }

    /// "12 units, 11 of them up".
    fn summary(&self) -> String {
        let all = self.units.iter().count();
        let up = self
            .units
            .iter()
            .filter(|(id, _)| self.core.unit(*id).is_some_and(|view| view.ready))
            .count();
        let units = if all == 1 { "unit" } else { "units" };
        match &self.hosting.refused {
            Some(reason) => {
                format!("{all} {units}, {up} up; configuration was not taken: {reason}")
            }
            None => format!("{all} {units}, {up} up"),
        }
    }

    /// Hosting: the service's life is the unit's.
    fn tell_of_unit(&mut self, now: Mono) {
        let views: Vec<_> = self
            .units
            .iter()
            .filter_map(|(id, _)| self.core.unit(id))
            .collect();
        let Some(first) = views.first() else { return };
        let ended = views.iter().all(|view| match view.state {
            ActualState::Failed | ActualState::Exited => true,
            ActualState::Stopped => view.desired == DesiredState::Down,
            _ => false,
        });
        let well = views.iter().all(|view| view.state != ActualState::Failed);
        let code = if well {
            0
        } else {
            let exits = views.iter().filter_map(|view| view.last_exit);
            exits
                .map(|exit| code(&exit.status))
                .find(|code| *code != 0)
                .unwrap_or(FAILED)
        };
        let status = match &first.reason {
            Some(reason) => format!("{}: {reason}", first.state),
            None => first.state.to_string(),
        };
        // A task that is done before anybody asked was ready, too.
        let ready = self.hosting.pending.is_empty() && well;
        if self.hosting.phase == Phase::Coming && ready {
            self.hosting.up(&status, now);
        } else {
            self.hosting.status(&status, now);
        }
        if ended {
            self.hosting.code = code;
            self.leave();
        }
    }
}

/// As shells have it.
fn code(status: &ExitStatus) -> i32 {
    match status {
        ExitStatus::Code(code) => code & 0xff,
        ExitStatus::Signal { signal, .. } => 128 + signal.0,
        ExitStatus::SpawnFailed(_) => 127,
        ExitStatus::Unknown => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::Signal;
    use abide_platform::notify::NotifySocket;
    use abide_platform::poll::{Events, Interest, Poll};

    #[test]
    fn a_unit_s_end_becomes_an_exit_code_as_in_shells() {
        assert_eq!(code(&ExitStatus::Code(3)), 3);
        let killed = ExitStatus::Signal {
            signal: Signal(9),
            core: false,
        };
        assert_eq!(code(&killed), 137);
        assert_eq!(code(&ExitStatus::SpawnFailed("no".into())), 127);
    }

    #[test]
    fn without_a_manager_nothing_is_due() {
        let hosting = Hosting {
            notifier: None,
            ..Hosting::new(1, None, None, false, Mono(1))
        };
        assert!(hosting.idle());
        let silent = Hosting {
            notifier: None,
            watchdog: None,
            ask: None,
            beat: None,
            again: None,
            ..hosting
        };
        assert_eq!(silent.due(), None);
    }

    #[test]
    fn what_a_busy_manager_did_not_hear_it_is_told_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!("abide-test-{}-hosting", std::process::id());
        let path = folder.path().join("notify");
        let socket = NotifySocket::bind(Some(&path), &name, None).expect("it is bound");
        let unit = "web".parse().ok();
        let me = std::process::id();
        let mut hosting = Hosting::new(me, Some(socket.address()), unit, false, Mono(1));
        assert!(hosting.notifier.is_some(), "it is spoken to");
        let mut now = Mono(1);
        // It reads nothing, until there is no room.
        for number in 0.. {
            hosting.status(&format!("coming, {number}"), now);
            if hosting.due().is_some() {
                break;
            }
        }
        hosting.up("running", now);
        let mut heard = Vec::new();
        let poll = Poll::new().expect("it is made");
        poll.add(&socket, 0, Interest::Input).expect("it is added");
        loop {
            // It reads what is there before it is told anew: then there is room.
            while let Some(message) = socket.recv().expect("it works") {
                heard.push(String::from_utf8(message.text).expect("text"));
            }
            if heard.iter().any(|text| text.contains("READY=1")) {
                break;
            }
            match hosting.due() {
                Some(due) => {
                    assert!(due > now, "it is not told without end");
                    now = due;
                    hosting.time(now);
                }
                None => poll.wait(&mut Events::new()).expect("it comes"),
            }
        }
        let last = heard.last().expect("it was heard");
        assert_eq!(last.trim(), "READY=1\nSTATUS=running");
        assert_eq!(hosting.due(), None, "it was heard");
    }
}
