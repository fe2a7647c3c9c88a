//! `[monitor]`: services of other machines report here, and it is told when one falls silent.
//!
//! ```text
//!  POST /heartbeat ──beat──► Machine ──► status, metrics
//!                               │ poll_timeout, outputs
//!                               ▼
//!                  follow: events, hook `on_silent`, state/remotes.json
//! ```

mod file;
mod hook;
mod machine;
mod pattern;

pub use machine::{
    Heard, Key, MAX_REMOTES, Machine, NotTaken, Output, RemoteView, Rule, Said, Saved,
};
pub use pattern::{Service, key};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_model::api::BeatRequest;
use abide_model::{EventKind, MonitorSpec, Mono};
use abide_platform::clock;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::assist::Assistants;
use crate::board::Board;
use crate::handle::Handle;
use hook::Silence;

/// What changed is written so long after the change: whole changes soon, times of beats seldom.
const WRITE_SOON: Duration = Duration::from_secs(1);
const WRITE_SELDOM: Duration = Duration::from_secs(60);

/// How long what is on the disk is waited for when the daemon begins.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// How long a write is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Services of other machines: what everybody shares.
#[derive(Debug, Default)]
pub struct Remotes {
    state: Mutex<State>,
    /// There is something to do before the time that `follow` knows of.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    machine: Machine,
    spec: Option<(PathBuf, MonitorSpec)>,
    write_at: Option<Mono>,
}

impl State {
    /// Returns whether `follow` has to hear of it.
    fn write_within(&mut self, now: Mono, time: Duration) -> bool {
        let at = now.after(time);
        if self.write_at.is_some_and(|planned| planned <= at) {
            return false;
        }
        self.write_at = Some(at);
        true
    }
}

impl Remotes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether beats of this service would be taken.
    #[must_use]
    pub fn accepts(&self, key: &Key) -> bool {
        self.lock().machine.accepts(key)
    }

    /// A beat came.
    ///
    /// # Errors
    /// It is nobody's that may report here.
    pub fn beat(
        &self,
        key: &Key,
        beat: &BeatRequest,
        drift_ms: Option<i64>,
    ) -> Result<(), NotTaken> {
        let now = clock::now();
        let mut state = self.lock();
        let heard = state.machine.beat(now, key, beat, drift_ms)?;
        let time = match heard {
            Heard::New | Heard::Back => WRITE_SOON,
            Heard::Again => WRITE_SELDOM,
        };
        let sooner = state.write_within(now.mono, time);
        if sooner || heard != Heard::Again {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Forgets one, until it reports again.
    pub fn forget(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let known = state.machine.forget(key);
        if known && state.write_within(clock::now().mono, WRITE_SOON) {
            self.changed.notify_one();
        }
        known
    }

    /// All, ordered by name and host.
    #[must_use]
    pub fn views(&self) -> Vec<RemoteView> {
        self.lock().machine.views(clock::now())
    }

    /// How many there are, and how many of them are silent; `None`: there is no `[monitor]`.
    #[must_use]
    pub fn counts(&self) -> Option<(u64, u64)> {
        let state = self.lock();
        state.spec.as_ref().map(|_| state.machine.counts())
    }

    /// Where the `[monitor]` table stands.
    #[must_use]
    pub fn source(&self) -> Option<(PathBuf, u32)> {
        let state = self.lock();
        state
            .spec
            .as_ref()
            .map(|(file, spec)| (file.clone(), spec.line))
    }

    /// Takes over another configuration.
    fn configure(&self, spec: Option<(PathBuf, MonitorSpec)>) -> Result<(), String> {
        let mut state = self.lock();
        if state.spec == spec {
            return Ok(());
        }
        let mut mistakes = Vec::new();
        let rule = spec.as_ref().map(|(_, spec)| Rule {
            services: spec
                .services
                .iter()
                .filter_map(|text| match Service::new(text) {
                    Ok(service) => Some(service),
                    Err(error) => {
                        mistakes.push(format!("{text:?}: {error}"));
                        None
                    }
                })
                .collect(),
            every: spec.every,
            misses: spec.misses,
        });
        state.machine.configure(rule);
        let had = state.spec.is_some();
        state.spec = spec;
        if had {
            state.write_within(clock::now().mono, WRITE_SOON);
        }
        match &*mistakes {
            [] => Ok(()),
            _ => Err(mistakes.join(", ")),
        }
    }
}

/// Does what time and configuration ask for, until `ending`.
pub async fn follow(
    remotes: Arc<Remotes>,
    handle: Handle,
    path: PathBuf,
    assistants: Option<Assistants>,
    mut ending: watch::Receiver<bool>,
) {
    let mut changes = handle.board().watch_daemon();
    let hooks = hook::Hooks::new(handle.clone(), assistants);
    let mut restored = false;
    let mut writer = Writer {
        path: path.clone(),
        under_way: None,
    };
    loop {
        changes.borrow_and_update();
        let wanted = wanted(handle.board());
        let begins = wanted.is_some();
        if let Err(error) = remotes.configure(wanted) {
            let text = format!("some services of [monitor] mean nobody: {error}");
            record(&handle, EventKind::Warning { text });
        }
        if begins && !restored {
            restored = true;
            restore(&remotes, &handle, &path).await;
        }
        let now = clock::now();
        let (outputs, next, write) = {
            let mut state = remotes.lock();
            state.machine.handle_timeout(now);
            let outputs: Vec<_> = std::iter::from_fn(|| state.machine.poll_output()).collect();
            if !outputs.is_empty() {
                // At once, though after it is told: a daemon that dies in between tells it again,
                // which is better than not at all.
                state.write_within(now.mono, Duration::ZERO);
            }
            let write = state.write_at.filter(|at| *at <= now.mono);
            if write.is_some() {
                state.write_at = None;
            }
            let deadlines = [state.machine.poll_timeout(), state.write_at];
            (outputs, deadlines.into_iter().flatten().min(), write)
        };
        for output in outputs {
            tell(&remotes, &handle, &hooks, output);
        }
        if write.is_some() {
            writer.write(&remotes).await;
        }
        let due = async {
            match next {
                Some(at) => tokio::time::sleep(at.since(clock::now().mono)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = remotes.changed.notified() => {}
            changed = changes.changed() => if changed.is_err() { break },
            // An error: the sender is gone, which is the end as well.
            _ = ending.wait_for(|ending| *ending) => break,
        }
    }
    if remotes.lock().write_at.is_some() {
        writer.write(&remotes).await;
    }
}

fn wanted(board: &Board) -> Option<(PathBuf, MonitorSpec)> {
    let sources = board.daemon().sources;
    sources
        .into_iter()
        .find_map(|source| Some((source.file, source.settings.monitor?)))
}

fn tell(remotes: &Remotes, handle: &Handle, hooks: &hook::Hooks, output: Output) {
    match output {
        Output::Silent { key, missed, last } => {
            let spec = remotes.lock().spec.clone();
            if let Some((file, spec)) = spec
                && let Some(hook) = spec.on_silent
            {
                hooks.run(Silence {
                    key: key.clone(),
                    last,
                    hook,
                    file,
                });
            }
            let kind = EventKind::RemoteSilent {
                service: key.service.to_string(),
                host: key.host,
                missed,
            };
            record(handle, kind);
        }
        Output::Back { key } => {
            let kind = EventKind::RemoteBack {
                service: key.service.to_string(),
                host: key.host,
            };
            record(handle, kind);
        }
    }
}

fn record(handle: &Handle, kind: EventKind) {
    handle.events().record(clock::now().wall, None, None, kind);
}

async fn restore(remotes: &Remotes, handle: &Handle, path: &std::path::Path) {
    let from = path.to_owned();
    let read = tokio::task::spawn_blocking(move || file::read(&from));
    let read = match tokio::time::timeout(READ_WITHIN, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => Err(std::io::Error::other(error)),
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    };
    match read {
        Ok(saved) => remotes.lock().machine.restore(clock::now(), saved),
        Err(error) => {
            let text = format!(
                "what was known of services of other machines is lost: {}: {error}; each is known again when it reports",
                path.display()
            );
            record(handle, EventKind::Warning { text });
        }
    }
}

/// Writes, one file at a time. A disk that hangs delays what is told by [`PATIENCE`] at most.
struct Writer {
    path: PathBuf,
    under_way: Option<JoinHandle<std::io::Result<()>>>,
}

impl Writer {
    async fn write(&mut self, remotes: &Remotes) {
        if !self.done().await {
            // Once more, when there may be more to write.
            remotes.lock().write_within(clock::now().mono, WRITE_SELDOM);
            return;
        }
        let saved = remotes.lock().machine.save();
        let path = self.path.clone();
        let write = tokio::task::spawn_blocking(move || file::write(&path, saved));
        self.under_way = Some(write);
        self.done().await;
    }

    /// Waits a little for the write that is under way; whether there is none any more.
    async fn done(&mut self) -> bool {
        let Some(write) = &mut self.under_way else {
            return true;
        };
        let Ok(written) = tokio::time::timeout(PATIENCE, write).await else {
            return false;
        };
        self.under_way = None;
        if let Err(error) = written.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            // It is tried again with the next change.
            tracing::warn!(path = %self.path.display(), %error, "what is known of other machines is not written");
        }
        true
    }
}
