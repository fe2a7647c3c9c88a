//! Carrying out what the core wants.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Change, Effect, Input, Outcome, Sweep};
use abide_model::{
    EffectId, EventKind, Now, Operation, RunId, Signal, StopAction, UnitId, UnitName,
};
use abide_platform::fault::point;
use abide_platform::pipe::End;
use abide_platform::spawn::{Order, Stages};
use abide_platform::{stop, text, tree};

use super::run::{Daemon, Message};
use super::streams;
use super::unit::{Main, Run};
use crate::assist::{Purpose, Report};
use crate::events::last_ids;
use crate::store::Entry;

impl Daemon {
    /// Carries out one effect, or has it wait for what it must come after.
    pub(super) fn perform(&mut self, id: EffectId, effect: Effect, now: Now) {
        if let Effect::Spawn {
            after: Some(after), ..
        }
        | Effect::RunHook {
            after: Some(after), ..
        }
        | Effect::Reply {
            after: Some(after), ..
        } = &effect
            && let Some(waiting) = self.unwritten.get_mut(after)
        {
            waiting.push((id, effect));
            self.awaited = true;
            return;
        }
        match effect {
            Effect::Spawn { unit, run, .. } => self.spawn(id, effect, unit, run),
            Effect::Probe { unit, run } => self.probe(id, unit, run),
            Effect::RunHook {
                unit, run, hook, ..
            } => {
                // Its output goes where the unit's does.
                if self.is_prepared(unit, (id, &effect)) {
                    self.run_hook(id, unit, run, hook);
                }
            }
            Effect::CancelHook { unit, run, hook } => {
                self.cancel_hook(unit, run, hook);
            }
            Effect::Reload { unit, run } => self.reload_unit(id, unit, run),
            Effect::Advance(unit) => self.advance(unit),
            Effect::Revert(unit) => self.revert(unit),
            Effect::Settled(unit) => self.settle_version(unit),
            Effect::WatchSocket(unit) => {
                if self.is_prepared(unit, (id, &effect)) {
                    self.watch_socket(unit);
                }
            }
            Effect::UnwatchSocket(unit) => self.unwatch_socket(unit),
            Effect::LookIdle { unit, .. } => self.look_idle(id, unit),
            Effect::WatchReady { unit, run } => self.watch_ready(unit, run),
            Effect::AskStop {
                unit,
                run,
                action,
                within,
            } => self.ask_stop(id, (unit, run), action, within),
            Effect::WatchTree { unit, run } => self.sweep(unit, run, tree::Sweep::Watch),
            Effect::KillTree { unit, run, sweep } => {
                let sweep = match sweep {
                    Sweep::Prompt => tree::Sweep::Prompt,
                    Sweep::Thorough => tree::Sweep::Thorough,
                };
                self.sweep(unit, run, sweep);
            }
            Effect::Signal { unit, run, signal } => self.send_signal(unit, run, signal),
            Effect::Persist { change, durable } => self.persist(id, change, durable),
            Effect::Publish(unit) => {
                self.dirty.insert(unit);
            }
            Effect::PublishOperation(operation) => self.operation_changed(operation, now.mono),
            Effect::Event { unit, run, kind } => {
                let name = unit
                    .and_then(|id| self.units.get(id))
                    .map(|u| u.name.clone());
                if matches!(kind, EventKind::DaemonStopping) {
                    self.board.update_daemon(|daemon| daemon.stopping = true);
                }
                match (unit, name) {
                    (Some(id), Some(name)) if matches!(kind, EventKind::Exited { .. }) => {
                        self.record_exit(now, id, name, run, kind);
                    }
                    (_, name) => self.events.queue(now.wall, name, run, kind, None),
                }
            }
            Effect::Reply {
                request, answer, ..
            } => {
                let answer = answer.and_then(|id| {
                    self.core
                        .operation(id)
                        .map(|operation| Operation::clone(operation))
                        .ok_or(abide_model::Refusal::ShuttingDown)
                });
                if let Some(reply) = self.replies.remove(&request) {
                    reply.send(answer);
                } else if let Err(refusal) = answer {
                    self.warn(None, refusal.to_string());
                }
            }
            Effect::Forget(unit) => self.forget(unit),
            Effect::Halt => self.halted = true,
        }
    }

    /// Tells of an exit, with the traces that the run was at when it ended.
    fn record_exit(
        &self,
        now: Now,
        id: UnitId,
        name: UnitName,
        run: Option<RunId>,
        kind: EventKind,
    ) {
        let since = self.core.unit(id).and_then(|view| view.started);
        let Some(since) = since.map(|started| started.wall) else {
            return self.events.queue(now.wall, Some(name), run, kind, None);
        };
        let capture = self.capture.clone();
        let unit = self.units.get(id);
        let encoding = unit.map(|unit| unit.spec.log.encoding).unwrap_or_default();
        let source = abide_log::Source {
            unit: name.clone(),
            dir: self.home.unit_logs(&name),
            text: abide_log::Text::new(encoding, text::read),
        };
        let complete = move |kind: &mut EventKind| {
            if let EventKind::Exited { trace_ids, .. } = kind {
                *trace_ids = last_ids(&capture, id, source, since);
            }
        };
        let complete: crate::events::Complete = Box::new(complete);
        self.events
            .queue(now.wall, Some(name), run, kind, Some(complete));
    }

    fn persist(&mut self, id: EffectId, change: Change, durable: bool) {
        if let Change::Unit(record) = &change
            && let Some(unit) = self.units.get_mut(record.id)
            && !unit.untaken.is_empty()
        {
            let taken = std::mem::take(&mut unit.untaken);
            self.takes
                .insert(id, taken.into_iter().map(|run| (record.id, run)).collect());
        }
        self.unwritten.insert(id, Vec::new());
        self.store.write(Entry::Core(change), durable, Some(id));
    }

    fn spawn(&mut self, id: EffectId, effect: Effect, unit_id: UnitId, run: RunId) {
        // It waited for a write, for FIFOs or for sockets, and its run was ended meanwhile: nobody would
        // know of its process.
        if !self.core.awaits(id) {
            return;
        }
        if !self.is_prepared(unit_id, (id, &effect)) {
            return;
        }
        match self.order(unit_id, run) {
            Ok(order) => {
                point("spawn.ordered");
                self.spawning.insert((unit_id, run), id);
                self.started = true;
                self.workers.submit(order);
            }
            Err(reason) => {
                self.input(Input::Done {
                    effect: id,
                    outcome: Outcome::SpawnFailed { reason },
                });
            }
        }
    }

    /// Everything that a spawn worker needs for one run.
    fn order(&mut self, unit_id: UnitId, run: RunId) -> Result<Order, String> {
        let beats = self.beats_url();
        let passed = self.passed(unit_id)?;
        let unit = self.units.get_mut(unit_id).ok_or("the unit is gone")?;
        let streams = unit.streams.as_ref().ok_or("its FIFOs are gone")?;
        let fifos = streams.held();
        let last = unit.run.as_ref().map(|last| &last.tree);
        let tree = self.trees.run_after(last, &unit.name, unit_id, run);
        let capture = self.capture.clone();
        let mut variables = vec![("ABIDE_UNIT".to_owned(), unit.name.to_string())];
        if unit.spec.policy.heartbeat.is_some()
            && let Some(url) = beats
        {
            variables.push(("ABIDE_HEARTBEAT_URL".to_owned(), url));
        }
        if let Some(socket) = &unit.notify {
            variables.push((
                abide_platform::notify::VARIABLE.to_owned(),
                socket.address().to_owned(),
            ));
            if let Some(heartbeat) = &unit.spec.policy.heartbeat {
                // Programs say that they live at half of this time (sd_watchdog_enabled(3)).
                let limit = heartbeat.every.saturating_mul(2).as_micros();
                variables.push(("WATCHDOG_USEC".to_owned(), limit.to_string()));
            }
        }
        let mut fresh = Run::new(run, tree.clone(), Main::Spawning);
        if unit.spec.policy.ready.is_some() {
            fresh.mark = Some(self.capture.mark(unit_id));
        }
        self.system_logs
            .begins(unit_id, run, || self.capture.mark(unit_id));
        // Its descriptors are closed once this one is on its way.
        self.past.extend(unit.run.replace(fresh));
        unit.beat = None;
        if unit.facts.status_text.is_some() {
            Arc::make_mut(&mut unit.facts).status_text = None;
        }
        let launch = Arc::new(unit.spec.launch());
        let record = self.home.unit_run(&unit.name).join("record");
        let ready_fd = self
            .ready_pipe(unit_id, run)
            .map_err(|e| format!("cannot make its readiness pipe: {e}"))?;
        let input = self
            .input_pipe(unit_id, run)
            .map_err(|e| format!("cannot make the pipe of its standard input: {e}"))?;
        Ok(Order {
            variables,
            sockets: passed.named,
            stdin: input.or(passed.stdin),
            ready_fd,
            fifos,
            stages: Stages::from_fn(move || capture.stages_for_run(unit_id)),
            record: Some(record),
            keeper: Some(self.keeper.socket()),
            ..Order::new(unit_id, run, launch, tree)
        })
    }

    /// Takes one step of a stop. The step before it is over.
    fn ask_stop(
        &mut self,
        effect: EffectId,
        (unit, run): (UnitId, RunId),
        action: StopAction,
        within: Duration,
    ) {
        self.prober.stop(unit);
        self.assistants.cancel(unit, run, Purpose::Stop);
        point("stop.ask");
        let signal = match action {
            StopAction::Signal(signal) => signal,
            StopAction::Command(command) => {
                let commands = Some(vec![(command, within)]);
                return self.assist(effect, unit, run, Purpose::Stop, commands);
            }
            StopAction::EndOfInput => {
                let outcome = self.end_input(unit, run);
                point("stop.asked");
                return self.input(Input::Done { effect, outcome });
            }
        };
        let tree = self.units.get(unit).and_then(|u| u.run(run));
        let outcome = match tree.map(|run| run.tree.clone()) {
            Some(tree) if stop::ASKING_BLOCKS => return self.ask_elsewhere(effect, tree, signal),
            Some(tree) => asked(&tree, signal),
            None => Outcome::Failed {
                reason: "there is no such run".into(),
            },
        };
        point("stop.asked");
        self.input(Input::Done { effect, outcome });
    }

    /// Asks all of a run for something, where that takes a while.
    pub(super) fn ask_elsewhere(&mut self, effect: EffectId, tree: tree::RunTree, signal: Signal) {
        let mailbox = self.mailbox.clone();
        let job = move || mailbox.send(Message::Done(effect, asked(&tree, signal)));
        if let Err(error) = self.jobs.submit(job) {
            let outcome = Outcome::Failed {
                reason: format!("start a thread: {error}"),
            };
            self.input(Input::Done { effect, outcome });
        }
    }

    /// Sends a signal to the main process of a run. Where a program is asked in other ways, it is the whole run that
    /// is asked.
    fn send_signal(&self, unit: UnitId, run: RunId, signal: Signal) {
        let Some(current) = self.units.get(unit).and_then(|u| u.run(run)) else {
            return;
        };
        let failed = move |error: io::Error| format!("{signal} could not be sent: {error}");
        let sent = if stop::ASKING_BLOCKS {
            let (tree, mailbox) = (current.tree.clone(), self.mailbox.clone());
            self.jobs.submit(move || {
                if let Err(error) = stop::ask(&tree, signal) {
                    let text = failed(error);
                    mailbox.send(Message::Report(Report::Warning { unit, text }));
                }
            })
        } else {
            let handle = current.handle.as_ref();
            handle.map_or(Ok(()), |handle| handle.signal(signal))
        };
        if let Err(error) = sent {
            self.warn(Some(unit), failed(error));
        }
    }

    fn forget(&mut self, id: UnitId) {
        self.hosting.forget(id);
        self.prober.stop(id);
        self.capture.remove(id);
        self.system_logs.forget(id);
        self.handle.beats().forget(id);
        self.unwatch_socket(id);
        self.drop_sockets(id);
        self.drop_notify(id);
        self.drop_all_stored(id);
        let Some(unit) = self.units.remove(id) else {
            return;
        };
        for stream in abide_log::Stream::ALL {
            for end in [End::Reader, End::Writer] {
                self.keeper.release(streams::end_key(end, id, stream));
            }
        }
        for run in unit.untaken {
            self.keeper.taken(id, run);
        }
        self.trees.forget(&unit.name);
        self.board.forget(id);
        self.dirty.remove(&id);
        self.forget_source_if_empty(&unit.spec.file);
        // A unit of the same name may be there again: its FIFOs are not ours to remove.
        if self.units.id_of(&unit.name).is_none() {
            let dir = self.home.unit_run(&unit.name);
            let job = move || {
                if let Err(error) = std::fs::remove_dir_all(&dir)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(path = %dir.display(), %error, "cannot remove");
                }
            };
            if let Err(error) = self.files.submit(job) {
                tracing::warn!(unit = %unit.name, %error, "cannot remove its FIFOs");
            }
        }
    }
}

/// Asks all of a run for something.
fn asked(tree: &tree::RunTree, signal: Signal) -> Outcome {
    match stop::ask(tree, signal) {
        Ok(None) => Outcome::Ok,
        Ok(Some(how)) => Outcome::Asked { how },
        Err(error) => Outcome::Failed {
            reason: error.to_string(),
        },
    }
}
