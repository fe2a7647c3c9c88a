//! What is done on behalf of a unit beside its runs: hooks, reloads, questions whether it is ready and
//! well. It is carried out by [`crate::assist`] and [`crate::probe`], which answer through the inbox.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use abide_core::{Effect, Input, Outcome};
use abide_model::{
    Command, EffectId, EventKind, HookKind, ProbeKind, ReloadAction, RunId, Signal, UnitId,
};
use abide_platform::stop;

use super::run::Daemon;
use super::unit::Unit;
use crate::assist::{About, Job, Purpose, Report, variables};
use crate::probe::{BeatFile, ReadyWatch, Round, Subject};

impl Daemon {
    /// Runs a unit's hooks of one kind.
    pub(super) fn run_hook(&mut self, effect: EffectId, id: UnitId, run: RunId, hook: HookKind) {
        let commands = self.units.get(id).map(|unit| {
            let hooks = unit.spec.policy.hooks.of(hook);
            hooks
                .map(|hook| (hook.command.clone(), hook.timeout))
                .collect()
        });
        self.assist(effect, id, run, Purpose::Hook(hook), commands);
    }

    /// Ends hooks, also those that have not begun: they wait for a write, for FIFOs or sockets.
    pub(super) fn cancel_hook(&mut self, id: UnitId, run: RunId, hook: HookKind) {
        let is_it = |effect: &Effect| match effect {
            Effect::RunHook {
                unit,
                run: of,
                hook: kind,
                ..
            } => (*unit, *of, *kind) == (id, run, hook),
            _ => false,
        };
        let preparing = self.units.get_mut(id).and_then(|u| u.preparing.as_mut());
        let waiting = self
            .unwritten
            .values_mut()
            .chain(preparing)
            .chain([&mut self.waiting_for_sockets]);
        let mut never_begun = Vec::new();
        for effects in waiting {
            effects.retain(|(effect, what)| {
                let it = is_it(what);
                if it {
                    never_begun.push(*effect);
                }
                !it
            });
        }
        for effect in never_begun {
            let reason = "cancelled before it began".into();
            let outcome = Outcome::Failed { reason };
            self.input(Input::Done { effect, outcome });
        }
        self.assistants.cancel(id, run, Purpose::Hook(hook));
    }

    /// Tells a program to read its configuration again.
    pub(super) fn reload_unit(&mut self, effect: EffectId, id: UnitId, run: RunId) {
        let reload = self
            .units
            .get(id)
            .and_then(|u| u.spec.policy.reload.clone());
        match reload.map(|reload| (reload.action, reload.within)) {
            Some((ReloadAction::Command(command), within)) => {
                let commands = Some(vec![(command, within)]);
                self.assist(effect, id, run, Purpose::Reload, commands);
            }
            Some((ReloadAction::Signal(signal), _)) => {
                self.reload_by_signal(effect, id, run, signal);
            }
            None => {
                let reason = "it has no `reload` any more".into();
                let outcome = Outcome::Failed { reason };
                self.input(Input::Done { effect, outcome });
            }
        }
    }

    /// By a signal to the main process. Where a program is asked in other ways, it is the whole run that is asked.
    fn reload_by_signal(&mut self, effect: EffectId, id: UnitId, run: RunId, signal: Signal) {
        let Some(current) = self.units.get(id).and_then(|u| u.run(run)) else {
            let reason = "there is no such run".into();
            let outcome = Outcome::Failed { reason };
            return self.input(Input::Done { effect, outcome });
        };
        let sent = match (stop::can_reload(signal), &current.handle) {
            (Err(absent), _) => Err(absent.error()),
            (Ok(()), _) if stop::ASKING_BLOCKS => {
                let tree = current.tree.clone();
                return self.ask_elsewhere(effect, tree, signal);
            }
            (Ok(()), Some(handle)) => handle.signal(signal),
            (Ok(()), None) => Err(io::ErrorKind::NotFound.into()),
        };
        let outcome = match sent {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed {
                reason: format!("{signal} could not be sent: {error}"),
            },
        };
        self.input(Input::Done { effect, outcome });
    }

    pub(super) fn assist(
        &mut self,
        effect: EffectId,
        id: UnitId,
        run: RunId,
        purpose: Purpose,
        commands: Option<Vec<(Command, Duration)>>,
    ) {
        let hook = match purpose {
            Purpose::Hook(hook) => Some(hook),
            Purpose::Reload | Purpose::Stop => None,
        };
        let (Some(unit), Some(commands)) = (self.units.get(id), commands) else {
            let reason = "the unit is gone".into();
            let outcome = Outcome::Failed { reason };
            return self.input(Input::Done { effect, outcome });
        };
        let ends = unit.streams.as_ref().map(super::streams::Streams::writers);
        let (stdout, stderr) = match ends {
            Some(Ok(ends)) => ends,
            Some(Err(error)) => {
                // Better run without than not at all.
                let text = format!("the output of its command cannot be kept: {error}");
                self.warn(Some(id), text);
                (None, None)
            }
            None => (None, None),
        };
        let mut variables = self.told(id, run, hook);
        if let Some(socket) = &unit.notify {
            variables.push((
                abide_platform::notify::VARIABLE.into(),
                socket.address().to_owned(),
            ));
        }
        self.assistants.run(Job {
            effect,
            unit: id,
            name: unit.name.clone(),
            run,
            purpose,
            commands,
            launch: Arc::new(unit.spec.launch()),
            variables,
            stdout,
            stderr,
        });
    }

    /// What a command on behalf of the unit finds in its environment.
    fn told(&self, id: UnitId, run: RunId, hook: Option<HookKind>) -> Vec<(String, String)> {
        let Some(view) = self.core.unit(id) else {
            return Vec::new();
        };
        variables(&About {
            unit: view.name,
            hook,
            run,
            restarts: view.restarts,
            exit: view.last_exit,
            main: view.pid,
        })
    }

    /// One round of health checks.
    pub(super) fn probe(&mut self, effect: EffectId, id: UnitId, run: RunId) {
        let round = self.units.get(id).and_then(|unit| {
            let current = unit.run(run)?;
            Some(Round {
                effect,
                subject: self.subject(id, unit, run),
                check: unit.spec.policy.health.clone()?,
                tree: current.tree.clone(),
                began: current.began,
            })
        });
        match round {
            Some(round) => self.prober.probe_once(round),
            None => {
                let reason = "there is nothing to check".into();
                let outcome = Outcome::Failed { reason };
                self.input(Input::Done { effect, outcome });
            }
        }
    }

    fn subject(&self, id: UnitId, unit: &Unit, run: RunId) -> Subject {
        let policy = &unit.spec.policy;
        let ready = policy.ready.as_ref();
        let commands = ready.is_some_and(|ready| matches!(ready.probe, ProbeKind::Exec(_)))
            || policy.health.as_ref().is_some_and(|health| {
                let mut probes = health.probes.iter();
                probes.any(|probe| matches!(probe, abide_model::HealthProbe::Exec(_)))
            });
        Subject {
            unit: id,
            name: unit.name.clone(),
            run,
            launch: Arc::new(unit.spec.launch()),
            variables: if commands {
                self.told(id, run, None)
            } else {
                Vec::new()
            },
        }
    }

    /// Begins to ask whether the run is ready, as far as it does not say so by itself.
    pub(super) fn watch_ready(&mut self, id: UnitId, run: RunId) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let Some(ready) = &unit.spec.policy.ready else {
            return;
        };
        if matches!(ready.probe, ProbeKind::Notify | ProbeKind::Fd(_)) {
            return;
        }
        let current = unit.run(run);
        let watch = ReadyWatch {
            subject: self.subject(id, unit, run),
            probe: ready.probe.clone(),
            since: current.map_or_else(SystemTime::now, |r| r.since),
            mark: current.and_then(|r| r.mark.clone()),
            encoding: unit.spec.log.encoding,
        };
        self.prober.watch_ready(watch);
    }

    /// Begins to look at the file that the unit touches instead of reporting in.
    pub(super) fn watch_beat_file(&mut self, id: UnitId, run: RunId) {
        let watch = self.units.get(id).and_then(|unit| {
            let heartbeat = unit.spec.policy.heartbeat.as_ref()?;
            let file = heartbeat.file.as_ref()?;
            Some(BeatFile {
                unit: id,
                run,
                path: unit.spec.around().directory.join(file),
                every: heartbeat.every,
                since: unit.run(run)?.since,
            })
        });
        if let Some(watch) = watch {
            self.prober.watch_beats(watch);
        }
    }

    /// Goes on looking for the runs that an earlier daemon began.
    pub(super) fn watch_beat_files(&mut self) {
        let units = self.units.iter();
        let runs: Vec<_> = units
            .filter_map(|(id, unit)| Some((id, unit.run.as_ref()?.run)))
            .collect();
        for (id, run) in runs {
            self.watch_beat_file(id, run);
        }
    }

    /// An answer of assistants or probes.
    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::Done { effect, result } => {
                let outcome = match result {
                    Ok(()) => Outcome::Ok,
                    Err(reason) => Outcome::Failed { reason },
                };
                self.input(Input::Done { effect, outcome });
            }
            Report::Ready { unit, run } => self.input(Input::Ready { unit, run }),
            Report::NotYet { unit, run, reason } => {
                let current = self.units.get_mut(unit).and_then(|u| u.run_mut(run));
                if let Some(current) = current {
                    current.not_ready = Some(reason);
                    self.dirty.insert(unit);
                }
            }
            Report::Beat { unit, run } => self.take_beat(unit, run),
            Report::Warning { unit, text } => {
                self.event(Some(unit), None, EventKind::Warning { text });
            }
        }
    }
}
