//! A supervisor with a scripted world around it: by default every program starts at once, obeys
//! when asked to stop, and leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use abide_core::{
    Change, Command, Effect, Input, Observed, ObservedState, Outcome, Saved, Supervisor, UnitDef,
    UnitRecord,
};
use abide_model::{
    ActualState, Backoff, EffectId, EventKind, ExitStatus, HookKind, Mono, Now, Operation,
    OperationId, OperationKind, Policy, Refusal, RequestId, Restart, RunId, Signal, StopPlan,
    SuccessExit, UnitId, UnitName, UnitType, Wall,
};

pub const SECOND: Duration = Duration::from_secs(1);

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn name(text: &str) -> UnitName {
    UnitName::new(text).expect("valid name")
}

/// A service with every default, and no jitter so that waits are known.
pub fn policy() -> Policy {
    let Backoff::Exponential(mut curve) = Backoff::default() else {
        panic!("the default grows")
    };
    curve.jitter = 0.0;
    Policy {
        unit_type: UnitType::Service,
        enabled: true,
        restart: Restart::Always,
        success_exit: SuccessExit::default(),
        backoff: Backoff::Exponential(curve),
        give_up: None,
        stop: StopPlan::default(),
        reload: None,
        ready: None,
        heartbeat: None,
        health: None,
        hooks: abide_model::Hooks::default(),
        socket: None,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        launch_digest: 1,
    }
}

pub fn requires(names: &[&str]) -> Policy {
    Policy {
        requires: names.iter().map(|n| name(n)).collect(),
        ..policy()
    }
}

pub fn failed(reason: &str) -> Outcome {
    Outcome::Failed {
        reason: reason.into(),
    }
}

/// What becomes of a hook.
#[derive(Clone, Copy)]
pub enum Hooked {
    Fails,
    /// It is not answered.
    Hangs,
}

pub struct Bench {
    pub core: Supervisor,
    pub now: Now,
    ids: BTreeMap<UnitName, UnitId>,
    alive: BTreeMap<UnitId, (RunId, u32)>,
    last_pid: u32,
    last_request: u64,
    spawns: BTreeMap<(UnitId, RunId), EffectId>,
    /// Everything that was emitted since the last look.
    pub log: Vec<Effect>,
    pub records: BTreeMap<UnitId, UnitRecord>,
    pub operations: BTreeMap<OperationId, Operation>,
    pub halted: bool,
    /// Units whose programs ignore being asked to stop.
    pub stubborn: BTreeSet<UnitId>,
    /// No step of a stop reaches these.
    pub unaskable: BTreeSet<UnitId>,
    /// Units whose spawn is not answered.
    pub hanging: BTreeSet<UnitId>,
    /// Units whose kill is not answered.
    pub unkillable: BTreeSet<UnitId>,
    /// Others of its tree outlive its main process.
    pub lingering: BTreeSet<UnitId>,
    /// Units to whose sockets somebody is connected.
    pub busy: BTreeSet<UnitId>,
    /// Hooks that do not simply succeed.
    pub hooks: BTreeMap<(UnitId, HookKind), Hooked>,
    hook_effects: BTreeMap<(UnitId, HookKind), EffectId>,
    /// How each round of health checks and each reload is answered; `None`: it is not.
    pub answer: Option<Outcome>,
    /// The last order of such a kind to each unit.
    pub probes: BTreeMap<UnitId, EffectId>,
    pub reloads: BTreeMap<UnitId, EffectId>,
    /// Every answer to a command.
    pub replies: BTreeMap<RequestId, Result<OperationId, Refusal>>,
}

impl Bench {
    pub fn new() -> Self {
        let now = Now {
            mono: Mono(1_000_000_000),
            wall: Wall(1_700_000_000_000_000_000),
        };
        Self {
            core: Supervisor::new(1, now),
            now,
            ids: BTreeMap::new(),
            alive: BTreeMap::new(),
            last_pid: 100,
            last_request: 0,
            spawns: BTreeMap::new(),
            log: Vec::new(),
            records: BTreeMap::new(),
            operations: BTreeMap::new(),
            halted: false,
            stubborn: BTreeSet::new(),
            unaskable: BTreeSet::new(),
            hanging: BTreeSet::new(),
            unkillable: BTreeSet::new(),
            lingering: BTreeSet::new(),
            busy: BTreeSet::new(),
            hooks: BTreeMap::new(),
            hook_effects: BTreeMap::new(),
            answer: None,
            probes: BTreeMap::new(),
            reloads: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }

    /// A bench with these units, applied from one file.
    pub fn with(units: &[(&str, Policy)]) -> Self {
        let mut bench = Self::new();
        bench.apply("abide.toml", units).expect("taken");
        bench
    }

    pub fn id(&self, unit: &str) -> UnitId {
        self.ids[&name(unit)]
    }

    pub fn defs(&mut self, units: &[(&str, Policy)]) -> Vec<UnitDef> {
        units
            .iter()
            .map(|(unit, policy)| {
                let next = UnitId(u32::try_from(self.ids.len()).expect("few units") + 1);
                let id = *self.ids.entry(name(unit)).or_insert(next);
                UnitDef {
                    id,
                    name: name(unit),
                    policy: policy.clone(),
                }
            })
            .collect()
    }

    pub fn apply(
        &mut self,
        source: &str,
        units: &[(&str, Policy)],
    ) -> Result<OperationId, Refusal> {
        let sources = vec![(source.to_string(), self.defs(units))];
        self.command(Command::Apply {
            kind: OperationKind::Up,
            sources,
            rolling: None,
        })
    }

    pub fn command(&mut self, command: Command) -> Result<OperationId, Refusal> {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.input(Input::Command { request, command });
        self.replies
            .get(&request)
            .cloned()
            .expect("each command is answered")
    }

    pub fn start(&mut self, unit: &str) -> OperationId {
        self.command(Command::Start(vec![self.id(unit)]))
            .expect("taken")
    }

    pub fn stop(&mut self, unit: &str) -> OperationId {
        self.command(Command::Stop(vec![self.id(unit)]))
            .expect("taken")
    }

    pub fn restart(&mut self, unit: &str) -> OperationId {
        self.command(Command::Restart(vec![self.id(unit)]))
            .expect("taken")
    }

    pub fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.carry_out();
    }

    /// Carries out effects until there are none.
    pub fn carry_out(&mut self) {
        while let Some((id, effect)) = self.core.poll_effect() {
            self.log.push(effect.clone());
            self.carry_out_one(id, effect);
        }
    }

    fn done(&mut self, effect: EffectId, outcome: Outcome) {
        self.core.handle(self.now, Input::Done { effect, outcome });
    }

    fn carry_out_one(&mut self, id: EffectId, effect: Effect) {
        if let Effect::Spawn { unit, run, .. } = effect {
            self.spawns.insert((unit, run), id);
        }
        if let Effect::RunHook { unit, hook, .. } = effect {
            self.hook_effects.insert((unit, hook), id);
        }
        match effect {
            Effect::Spawn { unit, run, .. } if !self.hanging.contains(&unit) => {
                assert!(!self.alive.contains_key(&unit), "two live runs of {unit}");
                self.last_pid += 1;
                self.alive.insert(unit, (run, self.last_pid));
                self.done(id, Outcome::Spawned { pid: self.last_pid });
            }
            Effect::AskStop { unit, .. } if self.unaskable.contains(&unit) => {
                let reason = "it has no window".to_owned();
                self.done(id, Outcome::Failed { reason });
            }
            Effect::AskStop { unit, .. } => {
                self.done(id, Outcome::Ok);
                if !self.stubborn.contains(&unit) {
                    self.end(
                        unit,
                        ExitStatus::Signal {
                            signal: Signal::TERM,
                            core: false,
                        },
                    );
                }
            }
            Effect::WatchTree { unit, run } if !self.lingering.contains(&unit) => {
                self.core.handle(self.now, Input::TreeEmpty { unit, run });
            }
            Effect::KillTree { unit, run, .. } if !self.unkillable.contains(&unit) => {
                self.end(
                    unit,
                    ExitStatus::Signal {
                        signal: Signal::KILL,
                        core: false,
                    },
                );
                self.core.handle(self.now, Input::TreeEmpty { unit, run });
            }
            Effect::Probe { unit, .. } | Effect::Reload { unit, .. } => {
                let orders = if matches!(effect, Effect::Probe { .. }) {
                    &mut self.probes
                } else {
                    &mut self.reloads
                };
                orders.insert(unit, id);
                if let Some(outcome) = self.answer.clone() {
                    self.done(id, outcome);
                }
            }
            Effect::LookIdle { unit, .. } => {
                let outcome = if self.busy.contains(&unit) {
                    Outcome::Failed {
                        reason: "somebody is connected".into(),
                    }
                } else {
                    Outcome::Ok
                };
                self.done(id, outcome);
            }
            Effect::RunHook { unit, hook, .. } => {
                let outcome = match self.hooks.get(&(unit, hook)) {
                    None => Outcome::Ok,
                    Some(Hooked::Fails) => Outcome::Failed {
                        reason: "exit 1".into(),
                    },
                    Some(Hooked::Hangs) => return,
                };
                self.done(id, outcome);
            }
            Effect::Persist { change, .. } => {
                match change {
                    Change::Unit(record) => {
                        let text = serde_json::to_string(&record).expect("written");
                        let record: UnitRecord = serde_json::from_str(&text).expect("read back");
                        self.records.insert(record.id, record);
                    }
                    Change::Forgotten(unit) => {
                        self.records.remove(&unit);
                    }
                    Change::Operation(operation) => {
                        self.operations.insert(operation.id, *operation);
                    }
                    Change::OperationEnded(operation) => {
                        self.operations.remove(&operation);
                    }
                    Change::Halted => self.halted = true,
                }
                self.done(id, Outcome::Ok);
            }
            Effect::Reply {
                request, answer, ..
            } => {
                assert!(
                    self.replies.insert(request, answer).is_none(),
                    "answered twice"
                );
            }
            _ => {}
        }
    }

    fn end(&mut self, unit: UnitId, status: ExitStatus) {
        if let Some((run, _)) = self.alive.remove(&unit) {
            self.core
                .handle(self.now, Input::Exited { unit, run, status });
        }
    }

    /// The spawn of the unit's current run, which was not answered.
    pub fn spawn_of(&self, unit: &str) -> EffectId {
        self.spawns[&(self.id(unit), self.run(unit))]
    }

    /// The unit's last round of health checks is answered.
    pub fn probed(&mut self, unit: &str, outcome: Outcome) {
        let effect = self.probes[&self.id(unit)];
        self.input(Input::Done { effect, outcome });
    }

    /// What the program of the unit's current run says, or what is said of that run.
    pub fn said(&mut self, unit: &str, input: impl FnOnce(UnitId, RunId) -> Input) {
        let input = input(self.id(unit), self.run(unit));
        self.input(input);
    }

    /// How many effects of this kind there were since the last look.
    pub fn effects(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.log.iter().filter(|effect| wanted(effect)).count()
    }

    /// What `abide why` says.
    pub fn why(&self, unit: &str) -> String {
        let why = self.core.explain(self.id(unit), self.now);
        why.expect("known").lines.join("\n")
    }

    /// The last order to run the unit's hooks of this kind.
    pub fn hook_of(&self, unit: &str, hook: HookKind) -> EffectId {
        self.hook_effects[&(self.id(unit), hook)]
    }

    /// The unit's process is gone, and nobody saw it end.
    pub fn forget_process(&mut self, unit: &str) {
        let id = self.id(unit);
        self.alive.remove(&id);
    }

    /// Time passes while there is no daemon.
    pub fn skip(&mut self, time: Duration) {
        self.set_mono(self.now.mono.after(time));
    }

    /// The unit's main process ends by itself.
    pub fn exit(&mut self, unit: &str, code: i32) {
        let id = self.id(unit);
        assert!(self.alive.contains_key(&id), "{unit} does not live");
        self.end(id, ExitStatus::Code(code));
        self.carry_out();
    }

    pub fn ready(&mut self, unit: &str) {
        let id = self.id(unit);
        let run = self.run(unit);
        self.input(Input::Ready { unit: id, run });
    }

    pub fn beat(&mut self, unit: &str) {
        let id = self.id(unit);
        let run = self.run(unit);
        self.input(Input::Beat { unit: id, run });
    }

    pub fn run(&self, unit: &str) -> RunId {
        self.core
            .unit(self.id(unit))
            .expect("known")
            .run
            .expect("has run")
    }

    pub fn pid(&self, unit: &str) -> Option<u32> {
        self.alive.get(&self.id(unit)).map(|(_, pid)| *pid)
    }

    /// Lets time pass, stopping at each deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono.after(time);
        while let Some((due, _)) = self.core.poll_timeout().mono
            && due <= end
        {
            self.set_mono(due.max(self.now.mono));
            self.core.handle_timeout(self.now);
            let next = self.core.poll_timeout().mono;
            assert!(
                next.is_none_or(|(at, _)| at > self.now.mono),
                "a deadline is left: {next:?}"
            );
            self.carry_out();
        }
        self.set_mono(end);
    }

    fn set_mono(&mut self, mono: Mono) {
        self.now = Now {
            mono,
            wall: self.now.wall_at(mono),
        };
    }

    pub fn state(&self, unit: &str) -> ActualState {
        self.core.unit(self.id(unit)).expect("known").state
    }

    pub fn restarts(&self, unit: &str) -> u64 {
        self.core.unit(self.id(unit)).expect("known").restarts
    }

    pub fn reason(&self, unit: &str) -> String {
        self.core
            .unit(self.id(unit))
            .expect("known")
            .reason
            .unwrap_or_default()
    }

    pub fn operation(&self, id: OperationId) -> &Operation {
        self.core.operation(id).expect("kept")
    }

    /// The units that were spawned (`+`) and asked to stop or killed (`-`) since the last look.
    pub fn moves(&mut self) -> Vec<String> {
        let names: BTreeMap<UnitId, &UnitName> = self.ids.iter().map(|(n, id)| (*id, n)).collect();
        let mut moves: Vec<String> = Vec::new();
        for effect in std::mem::take(&mut self.log) {
            match effect {
                Effect::Spawn { unit, .. } => moves.push(format!("+{}", names[&unit])),
                Effect::AskStop { unit, .. } => moves.push(format!("-{}", names[&unit])),
                _ => {}
            }
        }
        moves
    }

    pub fn events(&self, wanted: impl Fn(&EventKind) -> bool) -> usize {
        let is = |e: &&Effect| matches!(e, Effect::Event { kind, .. } if wanted(kind));
        self.log.iter().filter(is).count()
    }

    /// The daemon dies; what was written down and what lives is all that is left of it.
    pub fn daemon_dies(&mut self, same_boot: bool) {
        if !same_boot {
            self.alive.clear();
        }
        let observed = self
            .alive
            .iter()
            .map(|(unit, (run, pid))| Observed {
                unit: *unit,
                run: *run,
                state: ObservedState::Alive { pid: *pid },
            })
            .collect();
        self.resume(same_boot, observed);
    }

    pub fn resume(&mut self, same_boot: bool, observed: Vec<Observed>) {
        let saved = Saved {
            units: self.records.values().cloned().collect(),
            operations: self.operations.values().cloned().collect(),
            same_boot,
            halted: self.halted,
            seed: 2,
        };
        self.halted = false;
        self.log.clear();
        self.core = Supervisor::resume(saved, observed, self.now);
        self.carry_out();
    }
}
