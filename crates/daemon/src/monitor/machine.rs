//! Who reports here, and who has fallen silent: a state machine without clock and I/O.
//!
//! ```text
//!              beat                 every × misses without one
//!   (unknown) ─────► reporting ────────────────────────────────► silent
//!                     ▲  ▲ │ beat                                   │
//!                     │  └─┘                                        │ beat
//!                     └─────────────────────────────────────────────┘
//! ```
//!
//! A deadline that is looked at much too late was slept through by ourselves: then one more interval
//! is granted before anybody is called silent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use abide_model::api::BeatRequest;
use abide_model::{ActualState, DesiredState, Health, Mono, Now, UnitName, Wall};
use serde::{Deserialize, Serialize};

use super::pattern::Service;

/// Services that are remembered; more are refused.
pub const MAX_REMOTES: usize = 10_000;

/// A service of another machine. The same service of two machines is two.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// What it is called.
    pub service: UnitName,
    /// Its machine, where it says so.
    pub host: Option<String>,
}

/// `HOST/NAME`, or `NAME`.
impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}/{}", self.service),
            None => write!(f, "{}", self.service),
        }
    }
}

/// Who may report, and how often each owes it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Any of these.
    pub services: Vec<Service>,
    /// The interval.
    pub every: Duration,
    /// So many missed in a row is silence.
    pub misses: u32,
}

impl Rule {
    fn silence(&self) -> Duration {
        self.every.saturating_mul(self.misses)
    }

    fn accepts(&self, key: &Key) -> bool {
        self.services.iter().any(|service| service.matches(key))
    }
}

/// What a service last said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Said {
    /// When, by our clock.
    pub at: Wall,
    /// Its clock minus ours.
    pub drift_ms: Option<i64>,
    /// What it is.
    pub state: ActualState,
    /// Since when we know that.
    pub state_since: Wall,
    /// What is wanted of it there.
    pub desired: DesiredState,
    /// What checks say there; `Healthy` if it does not say.
    pub health: Health,
    /// Up and ready.
    pub ready: bool,
    /// Restarts there.
    pub restarts: u64,
    /// Its process there.
    pub pid: Option<u32>,
}

impl Said {
    fn new(beat: &BeatRequest, drift_ms: Option<i64>, at: Wall, before: Option<&Self>) -> Self {
        let state = beat.state.unwrap_or(ActualState::Running);
        let same = before.filter(|before| before.state == state);
        Self {
            at,
            drift_ms,
            state,
            state_since: same.map_or(at, |before| before.state_since),
            desired: beat.desired.unwrap_or(DesiredState::Up),
            health: beat.health.unwrap_or(Health::Healthy),
            ready: beat.ready.unwrap_or(state == ActualState::Running),
            restarts: beat.restarts.unwrap_or(0),
            pid: beat.pid,
        }
    }
}

#[derive(Clone, Debug)]
struct Remote {
    said: Said,
    /// The last beat, or since when its silence is counted.
    from: Mono,
    silent: bool,
    /// One more interval was granted since the last beat.
    excused: bool,
}

/// One that is remembered, as others see it.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoteView {
    /// Who.
    pub key: Key,
    /// What it last said.
    pub said: Said,
    /// Intervals missed in a row.
    pub missed: u32,
    /// It has fallen silent.
    pub silent: bool,
}

/// What is written down of one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// Who.
    #[serde(flatten)]
    pub key: Key,
    /// What it last said.
    #[serde(flatten)]
    pub said: Said,
    /// It had fallen silent.
    #[serde(default)]
    pub silent: bool,
}

/// What others have to hear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// It has not reported in time.
    Silent {
        /// Who.
        key: Key,
        /// So many intervals.
        missed: u32,
        /// When it was last heard.
        last: Wall,
    },
    /// It reports again.
    Back {
        /// Who.
        key: Key,
    },
}

/// What a beat was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The first of this service.
    New,
    /// The first after it was silent.
    Back,
    /// One of many.
    Again,
}

/// Why a beat was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// No pattern of `services` means it.
    Unwanted,
    /// [`MAX_REMOTES`] others are remembered.
    Full,
}

/// All services of other machines.
#[derive(Debug, Default)]
pub struct Machine {
    rule: Option<Rule>,
    remotes: BTreeMap<Key, Remote>,
    /// When to look at one, at the latest: a beat does not move it, the look does.
    due: BTreeSet<(Mono, Key)>,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// From now on this holds. Those that it does not mean are forgotten; of the others silence is
    /// counted as before, by the new measure.
    pub fn configure(&mut self, rule: Option<Rule>) {
        let accepts = |key: &Key| rule.as_ref().is_some_and(|rule| rule.accepts(key));
        self.remotes.retain(|key, _| accepts(key));
        self.due.clear();
        if let Some(rule) = &rule {
            for (key, remote) in self.remotes.iter().filter(|(_, remote)| !remote.silent) {
                let at = remote.from.after(rule.silence());
                self.due.insert((at, key.clone()));
            }
        }
        self.rule = rule;
    }

    /// Remembers what an earlier daemon knew; whoever was not silent has its whole time from now on.
    pub fn restore(&mut self, now: Now, saved: Vec<Saved>) {
        let Some(rule) = &self.rule else { return };
        for Saved { key, said, silent } in saved {
            let room = self.remotes.len() < MAX_REMOTES;
            if !room || self.remotes.contains_key(&key) || !rule.accepts(&key) {
                continue;
            }
            if !silent {
                let at = now.mono.after(rule.silence());
                self.due.insert((at, key.clone()));
            }
            let remote = Remote {
                said,
                from: now.mono,
                silent,
                excused: false,
            };
            self.remotes.insert(key, remote);
        }
    }

    /// Whether its beats would be taken.
    #[must_use]
    pub fn accepts(&self, key: &Key) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.accepts(key))
    }

    /// A beat came.
    ///
    /// # Errors
    /// It is nobody's that may report here.
    pub fn beat(
        &mut self,
        now: Now,
        key: &Key,
        beat: &BeatRequest,
        drift_ms: Option<i64>,
    ) -> Result<Heard, NotTaken> {
        let rule = self.rule.as_ref().ok_or(NotTaken::Unwanted)?;
        if let Some(remote) = self.remotes.get_mut(key) {
            remote.said = Said::new(beat, drift_ms, now.wall, Some(&remote.said));
            remote.from = now.mono;
            remote.excused = false;
            if std::mem::take(&mut remote.silent) {
                self.due
                    .insert((now.mono.after(rule.silence()), key.clone()));
                self.outputs.push_back(Output::Back { key: key.clone() });
                return Ok(Heard::Back);
            }
            return Ok(Heard::Again);
        }
        if !rule.accepts(key) {
            return Err(NotTaken::Unwanted);
        }
        if self.remotes.len() >= MAX_REMOTES {
            return Err(NotTaken::Full);
        }
        self.due
            .insert((now.mono.after(rule.silence()), key.clone()));
        let remote = Remote {
            said: Said::new(beat, drift_ms, now.wall, None),
            from: now.mono,
            silent: false,
            excused: false,
        };
        self.remotes.insert(key.clone(), remote);
        Ok(Heard::New)
    }

    /// Forgets one, until it reports again.
    pub fn forget(&mut self, key: &Key) -> bool {
        // What is due of it is dropped when it is looked at.
        self.remotes.remove(key).is_some()
    }

    /// Looks at those whose time is over.
    pub fn handle_timeout(&mut self, now: Now) {
        let Some(rule) = &self.rule else { return };
        while self.due.first().is_some_and(|(at, _)| *at <= now.mono) {
            let Some((_, key)) = self.due.pop_first() else {
                return;
            };
            let Some(remote) = self.remotes.get_mut(&key).filter(|it| !it.silent) else {
                continue;
            };
            let deadline = remote.from.after(rule.silence());
            if deadline > now.mono {
                self.due.insert((deadline, key));
                continue;
            }
            let late = now.mono.since(deadline);
            if late > rule.every / 2 + Duration::from_secs(1) && !remote.excused {
                remote.excused = true;
                let missed = rule.silence().saturating_sub(rule.every);
                let from = now.mono.0.saturating_sub(nanos(missed));
                remote.from = Mono(from);
                let deadline = remote.from.after(rule.silence());
                // Not in the past, however early in the machine's life it is.
                self.due
                    .insert((deadline.max(now.mono.after(rule.every)), key));
                continue;
            }
            remote.silent = true;
            self.outputs.push_back(Output::Silent {
                missed: missed(remote.from, now.mono, rule.every).max(rule.misses),
                last: remote.said.at,
                key,
            });
        }
    }

    /// When [`Machine::handle_timeout`] is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// What others have to hear, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All that are remembered, ordered by name and host.
    #[must_use]
    pub fn views(&self, now: Now) -> Vec<RemoteView> {
        let Some(rule) = &self.rule else {
            return Vec::new();
        };
        let view = |(key, remote): (&Key, &Remote)| {
            let n = missed(remote.from, now.mono, rule.every);
            RemoteView {
                key: key.clone(),
                said: remote.said.clone(),
                missed: if remote.silent { n.max(rule.misses) } else { n },
                silent: remote.silent,
            }
        };
        self.remotes.iter().map(view).collect()
    }

    /// What is to be written down.
    #[must_use]
    pub fn save(&self) -> Vec<Saved> {
        let saved = self.remotes.iter().map(|(key, remote)| Saved {
            key: key.clone(),
            said: remote.said.clone(),
            silent: remote.silent,
        });
        saved.collect()
    }

    /// How many are remembered, and how many of them are silent.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let silent = self.remotes.values().filter(|remote| remote.silent).count();
        (self.remotes.len() as u64, silent as u64)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn missed(from: Mono, now: Mono, every: Duration) -> u32 {
    let n = now.since(from).as_nanos() / every.as_nanos().max(1);
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
