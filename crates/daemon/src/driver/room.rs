//! Whether all units can have the descriptors that they need, asked before anything of them is begun: a
//! few units too many must not cost those that run, nor end in errors here and there.
//!
//! The limit is read anew each time, so one that was raised from outside (prlimit(1)) counts at once.

use std::collections::HashSet;

use abide_model::{Launch, LogSpec, Refusal, Spec, StdinSpec, Streams as Wanted, UnitId};
use abide_platform::spawn::kept_numbers;
use abide_platform::{machine, pipe};

use super::run::Daemon;
use super::unit::Unit;
use crate::capture::open_segments;

/// What the daemon has open for itself, and may have for a moment: its own threads and files, programs that
/// are being started, a few requests and followers; without [`kept_numbers`].
const OWN: u64 = 80;

/// [`OWN`], and what is kept for programs that are being started.
fn for_itself() -> u64 {
    OWN + kept_numbers() as u64
}

/// What logs may take at a time: two for each open segment, one for each stage that is in use.
fn for_logs() -> u64 {
    3 * open_segments() as u64
}

/// How many units fit in what there is.
pub struct Room {
    limit: u64,
    /// What each stream has: its FIFO; and its stage where that cannot be had from its program again.
    stream: u64,
}

impl Room {
    /// As it is now. `None`: there is no limit.
    pub fn now(keeper: Option<u32>) -> Option<Self> {
        let limit = machine::open_files()?;
        // Whether programs let us is as good as asked of the keeper: it is no child of ours either.
        let taken = keeper.is_some_and(pipe::lets_stages_be_taken);
        let stream = if taken { 1 } else { 2 };
        Some(Self { limit, stream })
    }

    /// The most descriptors that the daemon cannot do without for this unit, what its log needs while
    /// there is output not counted. The keeper has no more.
    fn needs(&self, launch: &Launch, log: &LogSpec) -> u64 {
        let streams = match log.streams {
            Wanted::Combined => 1,
            Wanted::Split => 2,
        };
        let listeners = launch.socket.as_ref().map_or(0, |s| s.listen.len() as u64);
        // Its notify socket or ready pipe.
        let notify = u64::from(launch.notify.is_some());
        let input = u64::from(launch.stdin == StdinSpec::Pipe);
        streams * self.stream + notify + input + listeners + u64::from(launch.fd_store)
    }

    /// Besides what the units need.
    fn own() -> u64 {
        for_itself() + for_logs()
    }

    /// There is no pidfd for each of the runs of these units, and what they need.
    pub fn is_scarce<'a>(&self, units: impl Iterator<Item = (&'a Launch, &'a LogSpec)>) -> bool {
        let each = units.map(|(launch, log)| self.needs(launch, log) + 1);
        each.sum::<u64>() + Self::own() > self.limit
    }

    /// The limit that would be enough for units that need so many: logs have three eighths of what there is,
    /// see [`open_segments`].
    fn enough(needed: u64) -> u64 {
        ((needed + for_itself()) * 8 / 5 + 1).next_power_of_two()
    }
}

impl Daemon {
    /// Refuses if the units would need more descriptors than there are, and more than they do now. `specs`
    /// are all units of `files`; what else these have had goes.
    pub(super) fn check_room(
        &self,
        specs: &[(UnitId, Spec)],
        files: &[&std::path::Path],
    ) -> Result<(), Refusal> {
        let Some(room) = Room::now(self.keeper_pid) else {
            return Ok(());
        };
        let limit = room.limit;
        let of = |unit: &Unit| room.needs(unit.spec.around(), &unit.spec.log);
        let asked = specs
            .iter()
            .map(|(_, spec)| room.needs(&spec.launch, &spec.log));
        let named: HashSet<UnitId> = specs.iter().map(|(id, _)| *id).collect();
        let now: u64 = self.units.iter().map(|(_, unit)| of(unit)).sum();
        let others = self
            .units
            .iter()
            .filter(|(id, unit)| !named.contains(id) && !files.contains(&&*unit.spec.file));
        let (others, kept) = others.fold((0, 0_u64), |(sum, n), (_, unit)| (sum + of(unit), n + 1));
        let needed = others + asked.sum::<u64>();
        let own = Room::own();
        if needed <= now || needed + own <= limit {
            return Ok(());
        }
        let units = kept + specs.len() as u64;
        let each = needed.div_ceil(units.max(1));
        let fit = limit.saturating_sub(own) / each.max(1);
        let enough = Room::enough(needed);
        let prlimit = |pid: u32| format!("`prlimit --pid {pid} --nofile={enough}:{enough}`");
        let both = self.keeper_pid.into_iter().chain([std::process::id()]);
        let at_once = both.map(prlimit).collect::<Vec<_>>().join(" and ");
        let needed = needed + own;
        Err(Refusal::NoRoom(format!(
            "{units} units need {needed} open files, and abide may have {limit} (RLIMIT_NOFILE), which is room for {fit} units like these, so nothing was changed; \
             have {enough}: `abide down`, `ulimit -n {enough}`, `abide up` (or LimitNOFILE={enough} of its systemd service, --ulimit nofile={enough} of its container), \
             or at once, as root: {at_once}"
        )))
    }

    /// To be called when there are more units: if pidfds of all runs do not fit any more, those are let go of
    /// whose end the keeper tells.
    pub(super) fn spare_pidfds(&mut self) {
        let units = self.units.iter();
        let units = units.map(|(_, unit)| (unit.spec.around(), &*unit.spec.log));
        let scarce = Room::now(self.keeper_pid).is_some_and(|room| room.is_scarce(units));
        if !std::mem::replace(&mut self.scarce, scarce) && scarce {
            for (_, unit) in self.units.iter_mut() {
                let own = unit.run.as_mut().filter(|run| !run.stranger);
                if let Some(handle) = own.and_then(|run| run.handle.as_mut()) {
                    handle.let_go();
                }
            }
        }
    }

    /// What is to be told of the machine's limits when a daemon begins.
    pub(super) fn warn_of_limits(&self) {
        let Some(room) = Room::now(self.keeper_pid) else {
            return;
        };
        let limit = room.limit;
        let units = self.units.iter();
        let needed: u64 = units
            .map(|(_, unit)| room.needs(unit.spec.around(), &unit.spec.log))
            .sum();
        if needed + Room::own() > limit {
            let units = self.units.iter().count();
            let enough = Room::enough(needed);
            self.warn(
                None,
                format!(
                    "{units} units are remembered and need more open files than abide may have (RLIMIT_NOFILE is {limit}): some will not start or lose \
                     their output; have {enough} (`ulimit -n {enough}` before `abide up`)"
                ),
            );
        }
    }
}
