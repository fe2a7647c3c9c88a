//! Sockets: a unit that is started by a connection, and stopped when nobody uses it.
//!
//! ```text
//!   wanted, requirements up ──► listening ──a connection──► starting … running ──nobody connected──┐
//!                                   ▲                                          for `idle_stop`     │
//!                                   └──────────────────── its run is over ◄────────────────────────┘
//! ```
//!
//! Its sockets are there all the time, and whoever connects waits in their backlog. So a unit that
//! listens is *up* for what requires it and for a person's `up`, `start` and `restart`, which leave it as
//! it is. What starts it anew waits for a connection again (`start`, `up`, a reboot, the end of an idle
//! stop, of a success that is not restarted by policy, of a stop on behalf of what it requires); what
//! continues it does not (a restart after a crash, by hand, or for a change).
//!
//! The sockets are watched exactly while the unit listens: [`Supervisor::watch_socket`] is called
//! whenever a unit was settled.

use std::time::Duration;

use abide_model::{EventKind, Mono, UnitId};

use crate::record::EndWhy;
use crate::supervisor::Supervisor;
use crate::supervisor::unit::{Phase, Run, Unit};
use crate::teeth::{Fault, planted};
use crate::{Effect, WakeReason, words};

/// So many runs begun by connections within [`CALLS_WITHIN`] that ended by themselves, and the unit
/// listens only later: a program that does not take the connection that waits would be started for it
/// again and again (`TriggerLimitBurst=` of systemd.socket(5)).
const MOST_CALLS: usize = 20;
const CALLS_WITHIN: Duration = Duration::from_secs(2);

/// Nobody is looked for more often than this; less would have the supervisor spin.
const SHORTEST_IDLE: Duration = Duration::from_millis(1);

impl Unit {
    /// A start of it that continues nothing waits for a connection.
    pub(super) fn starts_on_connection(&self) -> bool {
        self.policy.socket.is_some_and(|gate| gate.on_connection)
    }

    /// It is started like one that never ran.
    pub(super) fn start_anew(&mut self) {
        self.phase = Phase::Stopped;
        self.awaits_connection = self.starts_on_connection();
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Listening)
    }

    /// Its run is over: does what follows wait for a connection?
    pub(super) fn close_gate_after(&mut self, run: &Run) {
        self.awaits_connection = match &run.end {
            Some(EndWhy::Idle(_)) => true,
            Some(EndWhy::ByHand | EndWhy::Removed | EndWhy::Down | EndWhy::Dependency(_)) => {
                self.starts_on_connection()
            }
            _ => false,
        };
    }
}

impl Supervisor {
    /// It could start, but for a connection. `false`: it needs none.
    pub(super) fn listen(&mut self, id: UnitId) -> bool {
        let Some(unit) = self.units.get_mut(&id) else {
            return false;
        };
        if !unit.awaits_connection || unit.policy.socket.is_none() {
            return false;
        }
        if !unit.is_listening() {
            unit.phase = Phase::Listening;
            self.timers.clear(Some(id), WakeReason::Restart);
            let reason = "for a connection".to_string();
            self.event(id, None, EventKind::Waiting { reason });
            self.save(id, false);
        }
        true
    }

    /// The unit is not up any more, so what listens and requires it is not either: at once, before what
    /// requires that in turn may be settled and start.
    pub(super) fn close_dependents(&mut self, id: UnitId) {
        let Some(name) = self.units.get(&id).map(|unit| unit.name.clone()) else {
            return;
        };
        let dependents: Vec<UnitId> = self.graph.dependents(&name).collect();
        for dependent in dependents {
            self.steps += 1;
            let Some(unit) = self.units.get_mut(&dependent) else {
                continue;
            };
            if unit.is_listening() && unit.policy.requires.contains(&name) {
                unit.phase = Phase::Waiting;
                let reason = format!("for {name}");
                self.event(dependent, None, EventKind::Waiting { reason });
                self.save(dependent, false);
                self.tell(dependent);
            }
        }
    }

    /// Has the sockets watched while the unit listens, and only then.
    pub(super) fn watch_socket(&mut self, id: UnitId) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let listens = unit.is_listening();
        if listens && !unit.watched {
            self.intents.push(Effect::WatchSocket(id));
        } else if !listens && unit.watched {
            if planted(Fault::UnwatchForgotten) {
                return;
            }
            self.intents.push(Effect::UnwatchSocket(id));
        }
        unit.watched = listens;
    }

    /// Its sockets may be others now: those are to be watched.
    pub(super) fn watch_anew(&mut self, id: UnitId) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut unit.watched) {
            self.intents.push(Effect::UnwatchSocket(id));
        }
    }

    /// Somebody waits at one of its sockets.
    pub(super) fn connection(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if planted(Fault::ConnectionStartsHeld) && unit.held && !unit.is_live() {
            self.spawn(id);
            return;
        }
        // What does not listen looks for itself when it does again.
        if !unit.is_listening() {
            return;
        }
        unit.phase = Phase::Stopped;
        unit.awaits_connection = false;
        unit.watched = false; // the answer ended it
        unit.calls.retain(|at| now.since(*at) < CALLS_WITHIN);
        unit.calls.push(now);
        self.event(id, None, EventKind::Connection);
        self.save(id, false);
    }

    /// A run ended as it should, and the policy does not restart it: the next connection does, if the
    /// unit is one of those.
    pub(super) fn listen_again(&mut self, id: UnitId) -> bool {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return false;
        };
        if !unit.starts_on_connection() {
            return false;
        }
        unit.start_anew();
        unit.calls.retain(|at| now.since(*at) < CALLS_WITHIN);
        if unit.calls.len() >= MOST_CALLS {
            let due = now.after(CALLS_WITHIN);
            unit.phase = Phase::Backoff { due };
            self.timers.set(Some(id), WakeReason::Restart, due);
            let pause = words::duration(CALLS_WITHIN);
            let reason = format!(
                "{pause} before it listens again: {MOST_CALLS} connections started it in such a \
                 time, and each run ended by itself"
            );
            self.event(id, None, EventKind::Waiting { reason });
        }
        true
    }

    /// Sets when to look whether anybody uses the unit.
    pub(super) fn arm_idle(&mut self, id: UnitId) {
        let look = self.units.get(&id).and_then(|unit| {
            let run = unit.run()?;
            let time = unit.policy.socket?.idle_stop?;
            (run.ready && !run.stopping_itself).then_some(time.max(SHORTEST_IDLE))
        });
        match look {
            Some(time) => {
                let at = self.now.mono.after(time);
                self.timers.set(Some(id), WakeReason::Idle, at);
            }
            None => self.end_idle(id),
        }
    }

    /// Nobody looks any more, and what was asked is of no interest.
    pub(super) fn end_idle(&mut self, id: UnitId) {
        self.timers.clear(Some(id), WakeReason::Idle);
        let run = self.units.get_mut(&id).and_then(Unit::run_mut);
        if let Some(look) = run.and_then(|run| run.look.take()) {
            self.awaited.remove(&look);
        }
    }

    /// It is time to look. The next look is due whether or not this one is answered.
    pub(super) fn look_idle(&mut self, id: UnitId) {
        self.end_idle(id);
        self.arm_idle(id);
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        if run.is_alive() && run.end.is_none() {
            self.intents.push(Effect::LookIdle {
                unit: id,
                run: run.id,
            });
        }
    }

    /// Nobody is connected (`idle`), or somebody is.
    pub(super) fn looked_idle(&mut self, id: UnitId, idle: bool) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let time = unit.policy.socket.and_then(|gate| gate.idle_stop);
        let Some(run) = unit.run_mut() else { return };
        run.look = None;
        let Some(time) = time else { return };
        let stops = idle || planted(Fault::BusyStopped);
        if !stops || !run.is_alive() || run.end.is_some() || run.stopping_itself {
            return;
        }
        // By the time that its turn to end has come, somebody may be there: then the next look says.
        if self.is_turn_to_end(id)
            && let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut)
        {
            run.end = Some(EndWhy::Idle(time));
            self.begin_end(id);
        }
    }

    /// When it is looked for whether anybody uses the unit.
    pub(super) fn idle_ahead(&self, unit: &Unit, now: Mono) -> Option<String> {
        let due = self.timers.get(Some(unit.id), WakeReason::Idle)?;
        let wait = words::duration(due.since(now));
        Some(format!(
            "if nobody is connected in {wait}, it is stopped until somebody is"
        ))
    }
}
