//! Handing messages over, and a receiver that is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use abide_host::log::{Client, Entry, SendError};
use abide_model::{EventKind, LogTarget, UnitName};
use abide_platform::clock;

use super::{Context, target};

/// How long a receiver that takes nothing is waited for before it is looked whether to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver that is restarted is not worth an event.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// Between two tries, where nobody says when.
const PAUSE: Duration = Duration::from_secs(5);

/// Losses are told of no more often than this.
const TELL_LOSS_EVERY: Duration = Duration::from_secs(60);

/// Nothing can be handed over now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stopped;

/// A client, and what is told of it.
pub(super) struct Sender {
    target: LogTarget,
    /// As it is shown.
    to: String,
    context: Context,
    client: Option<Client>,
    away: Option<Away>,
    /// What the client has counted as lost, as far as that is taken over.
    counted: u64,
    loss_told: Option<Instant>,
}

struct Away {
    since: Instant,
    retry_at: Instant,
    told: bool,
}

impl Sender {
    pub fn new(target: LogTarget, context: Context) -> Self {
        let to = target.way.to_string();
        context.board.system_logs().note(&to, |_| {});
        Self {
            target,
            to,
            context,
            client: None,
            away: None,
            counted: 0,
            loss_told: None,
        }
    }

    /// When it is worth a try again; `None`: now.
    pub fn retry_at(&self) -> Option<Instant> {
        self.away.as_ref().map(|away| away.retry_at)
    }

    /// Hands it over. Waits for a receiver that is full, until `ending`.
    pub fn deliver(&mut self, entry: &Entry<'_>, ending: &AtomicBool) -> Result<(), Stopped> {
        let Some(client) = self.client() else {
            let none = "there is neither journald nor a syslog on this machine";
            return Err(self.is_away(Instant::now() + PAUSE, none));
        };
        let patience = || match ending.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        let mut begun = false;
        loop {
            let done = match begun {
                false => client.send(entry, patience()),
                true => client.flush(patience()),
            };
            match done {
                Ok(()) if begun => break,
                Ok(()) => begun = true,
                Err(SendError::Full) if ending.load(Ordering::Relaxed) => return Err(Stopped),
                Err(SendError::Full) => {}
                Err(SendError::Away { retry_at, reason }) => {
                    return Err(self.is_away(retry_at, &reason));
                }
            }
        }
        self.is_there();
        Ok(())
    }

    fn client(&mut self) -> Option<&mut Client> {
        if self.client.is_none() {
            let destination = target::destination(&self.target, &self.context.home)?;
            let identity = target::identity(&self.target);
            self.client = Some(Client::new(destination, identity));
            self.counted = 0;
        }
        self.client.as_mut()
    }

    fn is_there(&mut self) {
        let lost = self
            .client
            .as_ref()
            .map_or(0, |client| client.counts().lost);
        let fresh = lost - std::mem::replace(&mut self.counted, lost);
        let now = clock::now().wall;
        self.context.board.system_logs().note(&self.to, |standing| {
            standing.sent += 1;
            standing.last = Some(now);
            standing.away = None;
        });
        if fresh > 0 {
            self.lose(None, 0, fresh, "the receiver says that it did not arrive");
        }
        if self.away.take().is_some_and(|away| away.told) {
            self.tell(
                None,
                EventKind::SystemLogBack {
                    to: self.to.clone(),
                },
            );
        }
    }

    fn is_away(&mut self, retry_at: Instant, reason: &str) -> Stopped {
        let now = Instant::now();
        let away = self.away.get_or_insert(Away {
            since: now,
            retry_at,
            told: false,
        });
        away.retry_at = retry_at;
        let tell = !away.told && now.duration_since(away.since) >= TELL_AFTER;
        away.told |= tell;
        self.context.board.system_logs().note(&self.to, |standing| {
            if standing.away.as_deref() != Some(reason) {
                standing.away = Some(reason.to_owned());
            }
        });
        if self.target.way == abide_model::LogWay::Auto {
            // It may be another one by then.
            self.client = None;
        }
        if tell {
            tracing::warn!(to = %self.to, reason, "the system log cannot be reached");
            self.tell(
                None,
                EventKind::SystemLogAway {
                    to: self.to.clone(),
                    reason: reason.to_owned(),
                },
            );
        }
        Stopped
    }

    /// Counts what will never be sent.
    pub fn lose(&mut self, unit: Option<&UnitName>, bytes: u64, messages: u64, reason: &str) {
        let standing = self.context.board.system_logs().note(&self.to, |standing| {
            standing.lost_bytes += bytes;
            standing.lost_messages += messages;
        });
        let now = Instant::now();
        let recently = |told: Instant| now.duration_since(told) < TELL_LOSS_EVERY;
        if self.loss_told.is_some_and(recently) {
            return;
        }
        self.loss_told = Some(now);
        self.tell(
            unit.cloned(),
            EventKind::SystemLogLost {
                to: self.to.clone(),
                bytes: standing.lost_bytes,
                messages: standing.lost_messages,
                reason: reason.to_owned(),
            },
        );
    }

    fn tell(&self, unit: Option<UnitName>, kind: EventKind) {
        let now = clock::now().wall;
        self.context.events.record(now, unit, None, kind);
    }

    /// It is not sent to any more.
    pub fn close(&self) {
        self.context.board.system_logs().forget(&self.to);
    }
}
