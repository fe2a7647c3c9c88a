//! What is there of the runs that an earlier daemon began: in the keeper's table, or only in the
//! record that each child wrote.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_core::{Observed, ObservedState, SavedPhase, UnitRecord};
use abide_log::Stream;
use abide_model::{ExitStatus, RunId, UnitId, UnitName};
use abide_platform::clock;
use abide_platform::exit::is_shortage;
use abide_platform::identity::{self, Handle, Probe, Record};
use abide_platform::keeper::{self, Key, RunEntry, RunState, Table};
use abide_platform::pipe::{self, Output};
use abide_platform::tree::{RunTree, Trees};

use super::streams::{self, FIFO, STAGE};
use super::unit::{Main, Run};
use crate::home::Home;
use crate::store::Image;

/// What still lives of what was recorded, and what ended while nobody looked.
#[derive(Default)]
pub struct Found {
    /// For the core.
    pub observed: Vec<Observed>,
    /// For the driver's own table.
    pub runs: Vec<(UnitId, Run)>,
    /// The keeper remembers how they ended, until that is written down.
    pub ended: Vec<(UnitId, RunId)>,
    /// Known to the keeper, and of no interest.
    pub settled: Vec<(UnitId, RunId)>,
    /// FIFOs that nobody held but their programs, and what was on its way from them. Opened before it was asked
    /// whether the program lives: one that did has lost nothing, even if it has ended since.
    pub left: Vec<(Key, abide_platform::Handle)>,
    /// Units whose FIFOs the keeper holds: what their runs wrote is there.
    held: HashSet<UnitId>,
    spare: bool,
}

/// It cannot be told whether a run still lives. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
#[error(
    "tell whether run {run} of {unit} still lives: {source}; so as not to start it twice nothing is done until that can be told"
)]
pub struct Doubt {
    unit: UnitName,
    run: RunId,
    source: io::Error,
}

/// Looks for everything that the state and the keeper know of. With `spare`, no pidfd is held of what the
/// keeper will tell the end of.
///
/// # Errors
/// [`Doubt`]; nothing was changed.
pub fn find(
    home: &Home,
    trees: &Trees,
    image: &Image,
    table: &Table,
    spare: bool,
) -> Result<Found, Doubt> {
    let mut found = Found {
        spare,
        ..Found::default()
    };
    let fifos = table.descriptors.iter().map(|(key, _)| key);
    let fifos = fifos.filter(|key| key.kind == FIFO);
    found.held = fifos.map(|key| UnitId(key.unit)).collect();
    let mut entries: Vec<&RunEntry> = table.runs.iter().collect();
    entries.sort_by_key(|e| (e.unit, e.run));
    for entry in entries {
        match image.units.get(&entry.unit) {
            Some(unit) if may_live(unit, entry.run) => {
                found.add_kept(home, trees, unit, entry, table.keeper)?;
            }
            // Of a unit that nobody knows any more, or an end that is written down already.
            _ => found.settled.push((entry.unit, entry.run)),
        }
    }
    let known: HashSet<_> = found.observed.iter().map(|o| (o.unit, o.run)).collect();
    for unit in image.units.values() {
        found.add_recorded(home, trees, unit, &known)?;
    }
    for (unit, run) in &mut found.runs {
        if let Some(begun) = image
            .units
            .get(unit)
            .and_then(|unit| begun(home, unit, run.run))
        {
            run.since = begun;
        }
    }
    Ok(found)
}

/// When the last run of a unit began, by the clock of files: what it has written since then counts, also while no
/// daemon was there. Its record is written right before its program begins, and once more when it has named another
/// main process; the state's time is a moment later. `None`: neither tells.
fn begun(home: &Home, unit: &UnitRecord, run: RunId) -> Option<SystemTime> {
    let record = std::fs::metadata(home.unit_run(&unit.name).join("record"));
    let recorded = record.and_then(|record| record.modified()).ok();
    let started = unit.started.filter(|_| unit.run == Some(run)).map(|at| {
        let since = u64::try_from(at.wall.0).unwrap_or(0);
        UNIX_EPOCH + Duration::from_nanos(since)
    });
    recorded.into_iter().chain(started).min()
}

impl Found {
    /// A run that the keeper knows.
    fn add_kept(
        &mut self,
        home: &Home,
        trees: &Trees,
        unit: &UnitRecord,
        entry: &RunEntry,
        keeper: u32,
    ) -> Result<(), Doubt> {
        let record = record_of(home, unit)?.filter(|r| r.run == entry.run);
        let tree = match &record {
            Some(record) => trees.adopt(&unit.name, record),
            None => trees.known(unit.id, &unit.name, entry.run, entry.pid),
        };
        let recorded = record.filter(|record| record.process.pid == entry.pid);
        let handle = match (entry.state, recorded.as_ref().map(identity::probe)) {
            (RunState::Running, Some(Probe::Alive(handle))) => Some(handle),
            (RunState::Running, Some(Probe::Doubtful(error))) => {
                return Err(doubt(unit, entry.run, error));
            }
            // Another process had taken its place, and that was not written down.
            (RunState::Running, None) => Handle::open(entry.pid).ok(),
            // It ended this instant, and there is a keeper that says nothing but holds what does.
            (RunState::Running, Some(Probe::Gone(_) | Probe::NotOurs)) => {
                keeper::main_process(unit.id, entry.run).ok().flatten()
            }
            (RunState::Ended { .. } | RunState::ExecFailed { .. } | RunState::Vanished, _) => None,
        };
        tree.change_main(entry.pid);
        // While another process is its parent, the keeper is not told of its end.
        let stranger = handle.is_some() && identity::parent(entry.pid) != Some(keeper);
        let state = match entry.exit() {
            Some(status) => {
                self.ended.push((unit.id, entry.run));
                ObservedState::Exited(status)
            }
            None => ObservedState::Alive { pid: entry.pid },
        };
        self.add(unit.id, entry.run, state, tree, handle, stranger);
        Ok(())
    }

    /// A run that only its child's own record knows: keeper and daemon were both gone.
    fn add_recorded(
        &mut self,
        home: &Home,
        trees: &Trees,
        unit: &UnitRecord,
        known: &HashSet<(UnitId, RunId)>,
    ) -> Result<(), Doubt> {
        let Some(record) = record_of(home, unit)? else {
            return Ok(());
        };
        if known.contains(&(unit.id, record.run))
            || record.process.boot != clock::boot()
            || !may_live(unit, record.run)
        {
            return Ok(());
        }
        // Somebody who lives on may still hold its output, but nobody says whether all of it.
        let exited = if self.held.contains(&unit.id) {
            ObservedState::Exited
        } else {
            let left = self.hold_output(home, unit, record.process.pid);
            left.map_err(|source| doubt(unit, record.run, source))?;
            ObservedState::ExitedUnheld
        };
        let (state, handle) = match identity::probe(&record) {
            Probe::Alive(handle) => (
                ObservedState::Alive {
                    pid: record.process.pid,
                },
                Some(handle),
            ),
            Probe::Gone(status) => (exited(status.unwrap_or(ExitStatus::Unknown)), None),
            Probe::NotOurs => (exited(ExitStatus::Unknown), None),
            Probe::Doubtful(error) => return Err(doubt(unit, record.run, error)),
        };
        self.add(
            unit.id,
            record.run,
            state,
            trees.adopt(&unit.name, &record),
            handle,
            true,
        );
        Ok(())
    }

    /// Holds what the unit's program holds of its output, as long as it does.
    fn hold_output(&mut self, home: &Home, unit: &UnitRecord, program: u32) -> io::Result<()> {
        for stream in Stream::ALL {
            let ends = match Output::left(&home.unit_run(&unit.name), stream.name()) {
                Ok(ends) => ends,
                Err(error) if is_shortage(&error) => return Err(error),
                // It is no FIFO: whoever takes the unit's streams says so.
                Err(_) => continue,
            };
            if ends.is_empty() {
                continue;
            }
            let ends = ends.into_iter();
            self.left
                .extend(ends.map(|(end, handle)| (streams::end_key(end, unit.id, stream), handle)));
            if let Some(stage) = pipe::left_with(program, streams::place(stream))? {
                self.left
                    .push((streams::key(STAGE, unit.id, stream), stage));
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        unit: UnitId,
        run: RunId,
        state: ObservedState,
        tree: RunTree,
        mut handle: Option<Handle>,
        stranger: bool,
    ) {
        if self.spare
            && !stranger
            && let Some(handle) = &mut handle
        {
            handle.let_go();
        }
        let main = match state {
            ObservedState::Alive { .. } => Main::Alive,
            ObservedState::Exited(_) | ObservedState::ExitedUnheld(_) => Main::Ended,
        };
        self.observed.push(Observed { unit, run, state });
        let run = Run {
            handle,
            stranger,
            ..Run::new(run, tree, main)
        };
        self.runs.push((unit, run));
    }
}

fn record_of(home: &Home, unit: &UnitRecord) -> Result<Option<Record>, Doubt> {
    match Record::read(&home.unit_run(&unit.name).join("record")) {
        Ok(record) => Ok(record.filter(|r| r.unit == unit.id)),
        Err(error) if is_shortage(&error) => {
            let run = unit.run.unwrap_or(RunId(0));
            Err(doubt(unit, run, error))
        }
        Err(error) => {
            tracing::warn!(unit = %unit.name, %error, "cannot read the record of its last run");
            Ok(None)
        }
    }
}

fn doubt(unit: &UnitRecord, run: RunId, source: io::Error) -> Doubt {
    let unit = unit.name.clone();
    Doubt { unit, run, source }
}

/// Whether the end of this run is still to be learnt. The state may be older than the run: it is
/// written after the spawn, and the daemon may have died in between.
fn may_live(unit: &UnitRecord, run: RunId) -> bool {
    match unit.run {
        Some(last) if run == last => {
            matches!(
                unit.phase,
                SavedPhase::Live { .. }
                    | SavedPhase::BeforeStop { .. }
                    | SavedPhase::Stopping { .. }
                    | SavedPhase::Killing { .. }
            )
        }
        last => last.is_none_or(|last| run > last),
    }
}
