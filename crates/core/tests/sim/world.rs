//! A world for the supervisor: an operating system, a driver with its disk, and people.

mod around;
mod daemon;
mod rolling;
mod system;
mod vitals;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use abide_core::recording::{Line, Recorder};
use abide_core::{Change, Command, Effect, Input, Supervisor, UnitRecord};
use abide_model::{
    EffectId, ExitStatus, Mono, Now, Operation, OperationId, OperationKind, RequestId, RunId,
    Signal, UnitId, UnitName, UnitType, Wall,
};

use crate::history::{Action, Badness, History, Nature, Parts, UNITS, file, unit_name};
use crate::rng::Rng;
use crate::vitals::{Answers, Words};
use crate::watch::{Violation, Watch};
use around::Surroundings;

/// A history that takes more inputs than this turns on the spot.
const MOST_INPUTS: u64 = 100_000;

/// What a history broke.
#[derive(Clone, Debug)]
pub struct Failure {
    pub invariant: &'static str,
    pub detail: String,
    /// The action during which it broke; one past the last for the quiet time at the end.
    pub at: usize,
    pub trace: Vec<String>,
}

#[derive(Clone, Debug)]
struct Process {
    run: RunId,
    pid: u32,
    /// Its main process lives; if not, others of its tree do.
    main: bool,
    digest: u64,
    oneshot: bool,
    /// How often it said it owes a beat.
    owes: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Event {
    /// The driver hears something, if it is still the one that asked.
    Tell(u64, Input),
    /// A spawn is carried out.
    Spawn(u64, UnitId, RunId, EffectId),
    /// A main process ends.
    Die(UnitId, RunId, ExitStatus),
    /// A killed tree is gone.
    TreeDies(UnitId, RunId),
    Beat(UnitId, RunId),
    /// A hook ends, well or not.
    HookEnds(u64, EffectId, bool),
    /// A program takes the connections that wait.
    Takes(UnitId, RunId),
    /// The oldest write that is under way has its result.
    WriteDone(u64),
}

struct Write {
    effect: EffectId,
    change: Change,
    durable: bool,
    done: bool,
}

#[derive(Default)]
struct Disk {
    units: BTreeMap<UnitId, UnitRecord>,
    operations: BTreeMap<OperationId, Operation>,
    halted: bool,
}

impl Disk {
    fn write(&mut self, change: Change) {
        self.halted = false;
        match change {
            Change::Unit(record) => {
                self.units.insert(record.id, *record);
            }
            Change::Forgotten(unit) => {
                self.units.remove(&unit);
            }
            Change::Operation(operation) => {
                self.operations.insert(operation.id, *operation);
            }
            Change::OperationEnded(operation) => {
                self.operations.remove(&operation);
            }
            Change::Halted => self.halted = true,
        }
    }
}

pub struct World {
    core: Supervisor,
    now: Now,
    rng: Rng,
    /// Which daemon it is, counted from the first.
    life: u64,
    events: BTreeMap<(Mono, u64), Event>,
    last_event: u64,
    ids: BTreeMap<UnitName, UnitId>,
    last_id: u32,
    natures: BTreeMap<UnitName, Nature>,
    around: Surroundings,
    /// How rounds and reloads are answered, and what programs say of a reload.
    vitals: BTreeMap<UnitName, (Answers, Answers, Words)>,
    /// The history's.
    parts: Parts,
    processes: BTreeMap<UnitId, Process>,
    /// Ordered and not carried out.
    spawning: BTreeMap<(UnitId, RunId), (EffectId, Option<EffectId>)>,
    /// What the last ordered run of a unit is to execute.
    ordered: BTreeMap<(UnitId, RunId), (u64, bool)>,
    launches: BTreeMap<UnitId, rolling::Launch>,
    /// Versions that are no good.
    bad_versions: BTreeMap<u64, Badness>,
    killed: BTreeSet<(UnitId, RunId)>,
    kept_exits: BTreeMap<(UnitId, RunId), ExitStatus>,
    disk: Disk,
    journal: Vec<Write>,
    disk_full: bool,
    refused_writes: bool,
    /// Answers that wait for a write.
    held_replies: Vec<(RequestId, Option<EffectId>)>,
    past: Vec<Input>,
    dying: Option<(u64, bool, bool)>,
    halt: bool,
    last_pid: u32,
    last_request: u64,
    watch: Watch,
    trace: Vec<String>,
    inputs: u64,
    recorder: Option<Recorder>,
    traced: bool,
}

/// Runs a history to its end. Gives the number of inputs that the core took.
pub fn run(history: &History) -> Result<u64, Failure> {
    World::new(history.seed)
        .play(history)
        .map(|world| world.inputs)
}

/// The same, with a trace of what happened in the failure.
pub fn run_traced(history: &History) -> Result<u64, Failure> {
    let mut world = World::new(history.seed);
    world.traced = true;
    world.play(history).map(|world| world.inputs)
}

/// Runs a history and gives what was recorded of the daemon that lived last.
pub fn record(history: &History) -> Result<Vec<Line>, Failure> {
    let mut world = World::new(history.seed);
    world.recorder = Some(Recorder::new_run(history.seed, world.now));
    let world = world.play(history)?;
    Ok(world.recorder.map(Recorder::into_lines).unwrap_or_default())
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Now {
            mono: Mono(5_000_000_000),
            wall: Wall(1_700_000_000_000_000_000),
        };
        Self {
            core: Supervisor::new(seed, now),
            now,
            rng: Rng::new(seed ^ 0x5eed),
            life: 0,
            events: BTreeMap::new(),
            last_event: 0,
            ids: BTreeMap::new(),
            last_id: 0,
            natures: BTreeMap::new(),
            around: Surroundings::default(),
            vitals: BTreeMap::new(),
            parts: Parts::ALL,
            processes: BTreeMap::new(),
            spawning: BTreeMap::new(),
            ordered: BTreeMap::new(),
            launches: BTreeMap::new(),
            bad_versions: BTreeMap::new(),
            killed: BTreeSet::new(),
            kept_exits: BTreeMap::new(),
            disk: Disk::default(),
            journal: Vec::new(),
            disk_full: false,
            refused_writes: false,
            held_replies: Vec::new(),
            past: Vec::new(),
            dying: None,
            halt: false,
            last_pid: 1000,
            last_request: 0,
            watch: Watch::default(),
            trace: Vec::new(),
            inputs: 0,
            recorder: None,
            traced: false,
        }
    }

    fn play(mut self, history: &History) -> Result<Self, Failure> {
        self.parts = history.parts;
        for (at, action) in history.actions.iter().enumerate() {
            self.note(|| format!("== {action:?}"));
            self.guarded(at, |world| world.act(action))?;
        }
        let end = history.actions.len();
        self.note(|| "== quiet".into());
        self.guarded(end, Self::quiet)?;
        Ok(self)
    }

    fn guarded(
        &mut self,
        at: usize,
        step: impl FnOnce(&mut Self) -> Result<(), Violation>,
    ) -> Result<(), Failure> {
        let result = catch_unwind(AssertUnwindSafe(|| step(self)));
        let violation = match result {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(violation)) => violation,
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                    .unwrap_or_default();
                Violation {
                    invariant: "the core never panics",
                    detail: text,
                }
            }
        };
        let trace = std::mem::take(&mut self.trace);
        Err(Failure {
            invariant: violation.invariant,
            detail: violation.detail,
            at,
            trace,
        })
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if !self.traced {
            return;
        }
        let at = Duration::from_nanos(self.now.mono.0);
        self.trace
            .push(format!("{:>10.3} {}", at.as_secs_f64(), text()));
    }

    fn nature(&self, unit: UnitId) -> Nature {
        let name = self
            .ids
            .iter()
            .find(|(_, id)| **id == unit)
            .map(|(name, _)| name);
        name.and_then(|name| self.natures.get(name))
            .copied()
            .unwrap_or(Nature::GOOD)
    }

    fn id_of(&mut self, name: &UnitName) -> UnitId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        self.last_id += 1;
        self.ids.insert(name.clone(), UnitId(self.last_id));
        UnitId(self.last_id)
    }

    fn known(&self, indexes: &[usize]) -> Vec<UnitId> {
        let names = indexes.iter().map(|index| unit_name(*index));
        names.filter_map(|name| self.core.id_of(&name)).collect()
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.last_event += 1;
        self.events
            .insert((self.now.mono.after(after), self.last_event), event);
    }

    /// The driver hears this soon: mostly at once, sometimes late, sometimes twice.
    fn tell(&mut self, input: Input) {
        let after = if self.rng.chance(80) {
            Duration::ZERO
        } else {
            self.rng.millis(300)
        };
        let life = self.life;
        if self.rng.chance(4) {
            let more = self.rng.millis(500);
            self.later(after + more, Event::Tell(life, input.clone()));
        }
        self.later(after, Event::Tell(life, input));
    }

    fn act(&mut self, action: &Action) -> Result<(), Violation> {
        match action {
            Action::Pass(time) => return self.pass(*time),
            Action::Oversleep(time) => {
                self.set_mono(self.now.mono.after(*time));
                return self.timeout();
            }
            Action::NextDeadline => {
                if let Some((due, _)) = self.core.poll_timeout().mono {
                    let wait = due.since(self.now.mono);
                    return self.pass(wait.min(Duration::from_secs(60)));
                }
            }
            Action::Apply { source, seed, run } => {
                for index in 0..UNITS {
                    self.id_of(&unit_name(index));
                }
                let defs = file(*source, *seed, self.parts, |name| self.ids[name]);
                let kind = if *run {
                    OperationKind::Run
                } else {
                    OperationKind::Up
                };
                let sources = vec![(format!("{source}.toml"), defs)];
                return self.command(Command::Apply {
                    kind,
                    sources,
                    rolling: None,
                });
            }
            Action::Roll(roll) => return self.roll(roll),
            Action::Start(units) => return self.command(Command::Start(self.known(units))),
            Action::Stop(units) => return self.command(Command::Stop(self.known(units))),
            Action::Restart(units) => return self.command(Command::Restart(self.known(units))),
            Action::Reset(units) => return self.command(Command::Reset(self.known(units))),
            Action::Remove(units) => return self.command(Command::Remove(self.known(units))),
            Action::Enable(units, true) => return self.command(Command::Enable(self.known(units))),
            Action::Enable(units, _) => return self.command(Command::Disable(self.known(units))),
            Action::Signal(unit) => {
                return self.command(Command::Signal(self.known(&[*unit]), Signal::HUP));
            }
            Action::DownSource(source) => {
                return self.command(Command::DownSource(format!("{source}.toml")));
            }
            Action::Down => return self.command(Command::Down),
            Action::Around(unit, around) => return self.act_around(*unit, *around),
            Action::Vital(unit, vital) => return self.act_vital(*unit, *vital),
            Action::Nature(unit, nature) => {
                self.natures.insert(unit_name(*unit), *nature);
            }
            Action::Exit(unit, code) => {
                for id in self.known(&[*unit]) {
                    if let Some(process) = self.processes.get(&id) {
                        self.later(
                            Duration::ZERO,
                            Event::Die(id, process.run, ExitStatus::Code(*code)),
                        );
                    }
                }
                return self.pass(Duration::ZERO);
            }
            Action::Again(which) => {
                let count = self.past.len() as u64;
                if count > 0 {
                    let at = usize::try_from(which % count).expect("small");
                    let input = self.past[at].clone();
                    return self.input(input);
                }
            }
            Action::EarlyEmpty(unit) => {
                for unit in self.known(&[*unit]) {
                    let Some(run) = self.core.unit(unit).and_then(|view| view.run) else {
                        continue;
                    };
                    let alive = self
                        .processes
                        .get(&unit)
                        .is_some_and(|p| p.run == run && p.main);
                    let there = alive || self.spawning.contains_key(&(unit, run));
                    if there && !self.killed.contains(&(unit, run)) {
                        self.input(Input::TreeEmpty { unit, run })?;
                        // Said again when the main process has ended, nobody could tell it from the truth.
                        self.past
                            .retain(|input| *input != Input::TreeEmpty { unit, run });
                    }
                }
            }
            Action::DaemonDies {
                after: 0,
                reboot,
                keeper_too,
            } => {
                return self.die(*reboot, *keeper_too);
            }
            Action::DaemonDies {
                after,
                reboot,
                keeper_too,
            } => {
                self.dying = Some((*after, *reboot, *keeper_too));
            }
            Action::ClockJump(by) => {
                self.now.wall = Wall(self.now.wall.0.saturating_add(*by));
                return self.input(Input::ClockChanged);
            }
            Action::DiskFull(full) => self.disk_full = *full,
        }
        Ok(())
    }

    fn set_mono(&mut self, mono: Mono) {
        self.now = Now {
            mono,
            wall: self.now.wall_at(mono),
        };
    }

    /// Lets time pass, stepping exactly to each deadline and event.
    fn pass(&mut self, time: Duration) -> Result<(), Violation> {
        let mut end = self.now.mono.after(time);
        let mut life = self.life;
        loop {
            if life != self.life {
                // After another boot the clock counts anew.
                (life, end) = (self.life, self.now.mono.after(time));
            }
            let due = self
                .core
                .poll_timeout()
                .mono
                .map(|(at, _)| at.max(self.now.mono));
            let event = self.events.keys().next().map(|(at, _)| *at);
            let event_first = match (due, event) {
                (Some(due), Some(event)) => event < due || (event == due && self.rng.chance(50)),
                (None, Some(_)) => true,
                (_, None) => false,
            };
            let next = if event_first { event } else { due };
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.set_mono(next.max(self.now.mono));
            if event_first {
                if let Some((_, event)) = self.events.pop_first() {
                    self.happen(event)?;
                }
            } else {
                self.timeout()?;
            }
        }
        self.set_mono(end.max(self.now.mono));
        Ok(())
    }

    fn timeout(&mut self) -> Result<(), Violation> {
        self.note(|| "timeout".into());
        self.count()?;
        if let Some(recorder) = &mut self.recorder {
            recorder.timeout(self.now);
        }
        self.core.handle_timeout(self.now);
        self.watch.after_timeout(&self.core, self.now)?;
        self.drain()
    }

    fn input(&mut self, input: Input) -> Result<(), Violation> {
        self.note(|| format!("> {}", brief(&input)));
        self.count()?;
        if matches!(
            input,
            Input::Exited { .. }
                | Input::TreeEmpty { .. }
                | Input::Ready { .. }
                | Input::Done { .. }
                | Input::Connection { .. }
        ) {
            self.past.push(input.clone());
        }
        self.watch.input(&self.core, self.now, &input);
        if let Some(recorder) = &mut self.recorder {
            recorder.input(self.now, &input);
        }
        self.core.handle(self.now, input);
        self.drain()
    }

    /// An input more. Without end there would be no time between them.
    fn count(&mut self) -> Result<(), Violation> {
        self.inputs += 1;
        if self.inputs > MOST_INPUTS {
            let detail = format!("{MOST_INPUTS} inputs");
            return Err(Violation {
                invariant: "a history ends",
                detail,
            });
        }
        Ok(())
    }

    fn command(&mut self, command: Command) -> Result<(), Violation> {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        let life = self.life;
        self.watch.command(&self.core, self.now, request, &command);
        self.stage(&command);
        self.input(Input::Command { request, command })?;
        if life == self.life && !self.halt {
            self.watch.answered(request)?;
        }
        self.restart_after_halt()
    }

    fn drain(&mut self) -> Result<(), Violation> {
        while let Some((id, effect)) = self.core.poll_effect() {
            if let Some((left, reboot, keeper_too)) = &mut self.dying {
                if *left == 0 {
                    let (reboot, keeper_too) = (*reboot, *keeper_too);
                    return self.die(reboot, keeper_too);
                }
                *left -= 1;
            }
            self.note(|| format!("  < {id} {effect:?}").chars().take(260).collect());
            if let Some(recorder) = &mut self.recorder {
                recorder.effect(id, &effect);
            }
            let process = effect_unit(&effect).and_then(|unit| self.processes.get(&unit));
            let lives = process.map(|process| (process.run, process.main));
            self.watch.effect(&self.core, self.now, &effect, lives)?;
            self.watch.around_ordered(id, &effect);
            if let Effect::Spawn { unit, run, .. } = effect {
                self.watch.spawn_ordered(id, unit, run);
            }
            self.carry_out(id, effect)?;
        }
        self.watch.at_rest(&self.core, self.now)?;
        self.restart_after_halt()
    }

    fn restart_after_halt(&mut self) -> Result<(), Violation> {
        if std::mem::take(&mut self.halt) {
            self.dying = None;
            // Where even the halt could not be written, the next daemon goes on with the `down`, until
            // somebody makes room.
            self.disk_full = false;
            self.revive(false, false, true)?;
        }
        Ok(())
    }

    /// A full disk made the daemon forget that a unit had become a service; it waits for the end of the
    /// oneshot that it remembers. That never comes by itself, and is a person's business.
    fn end_the_forgotten(&mut self) {
        if !self.watch.forgot_writes {
            return;
        }
        let forgotten: Vec<_> = self
            .processes
            .iter()
            .filter(|(unit, process)| {
                let view = self.core.unit(**unit);
                !process.oneshot && view.is_some_and(|v| v.policy.unit_type == UnitType::Oneshot)
            })
            .map(|(unit, process)| (*unit, process.run))
            .collect();
        for (unit, run) in forgotten {
            self.main_ends(unit, run, ExitStatus::Code(0));
        }
    }

    /// Faults cease; after a while everything that is wanted and able must be up.
    fn quiet(&mut self) -> Result<(), Violation> {
        self.natures.clear();
        self.around.calm();
        self.vitals.clear();
        self.bad_versions.clear();
        self.disk_full = false;
        self.dying = None;
        let hanging: Vec<_> = self
            .spawning
            .iter()
            .filter(|(_, (_, after))| after.is_none())
            .map(|((unit, run), (effect, _))| (*unit, *run, *effect))
            .collect();
        for (unit, run, effect) in hanging {
            self.begin_spawn(unit, run, effect);
        }
        let alive = self.processes.iter();
        let alive: Vec<_> = alive.map(|(unit, p)| (*unit, p.run)).collect();
        for (unit, run) in alive {
            self.later(Duration::ZERO, Event::Takes(unit, run));
        }
        self.end_the_forgotten();
        self.pass(Duration::from_secs(900))?;
        let lives: BTreeMap<UnitId, (RunId, bool, u64)> = self
            .processes
            .iter()
            .map(|(unit, p)| (*unit, (p.run, p.main, p.digest)))
            .collect();
        let waits = |unit| self.around.waits(unit);
        self.watch.converged(&self.core, &lives, &waits)
    }
}

fn effect_unit(effect: &Effect) -> Option<UnitId> {
    match effect {
        Effect::Spawn { unit, .. }
        | Effect::RunHook { unit, .. }
        | Effect::AskStop { unit, .. }
        | Effect::WatchTree { unit, .. }
        | Effect::KillTree { unit, .. } => Some(*unit),
        Effect::Event { unit, .. } => *unit,
        _ => None,
    }
}

fn brief(input: &Input) -> String {
    let text = format!("{input:?}");
    if text.len() > 400 {
        format!("{}…", text.chars().take(400).collect::<String>())
    } else {
        text
    }
}
