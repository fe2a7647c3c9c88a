//! Whether all units can have the descriptors that they need, asked before anything of them is begun: a
//! few units too many must not cost those that run, nor end in errors here and there.
//!
//! The limit is read anew each time, so one that was raised from outside (prlimit(1)) counts at once.

use std::collections::HashSet;

use abide_model::{Launch, LogSpec, Refusal, Spec, Streams as Wanted, UnitId};
use abide_platform::spawn::kept_numbers;
use rustix::process::{Resource, getrlimit};

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

/// For each stream: the FIFO of the driver and that of the capture, and the stage.
const STREAM: u64 = 3;

/// The most descriptors that the daemon has for this unit, its segments not counted (they are opened and
/// closed as needed). The keeper has fewer.
fn descriptors(launch: &Launch, log: &LogSpec) -> u64 {
    let streams = match log.streams {
        Wanted::Combined => 1,
        Wanted::Split => 2,
    };
    let listeners = launch.socket.as_ref().map_or(0, |s| s.listen.len() as u64);
    // The pidfd of its run, its notify socket or ready pipe.
    let pidfd = 1;
    let notify = u64::from(launch.notify.is_some());
    streams * STREAM + pidfd + notify + listeners + u64::from(launch.fd_store)
}

impl Daemon {
    /// Refuses if the units would need more descriptors than there are, and more than they do now. `specs`
    /// are all units of `files`; what else these have had goes.
    pub(super) fn check_room(
        &self,
        specs: &[(UnitId, Spec)],
        files: &[&std::path::Path],
    ) -> Result<(), Refusal> {
        let Some(limit) = getrlimit(Resource::Nofile).current else {
            return Ok(());
        };
        let of = |unit: &Unit| descriptors(unit.spec.around(), &unit.spec.log);
        let asked = specs
            .iter()
            .map(|(_, spec)| descriptors(&spec.launch, &spec.log));
        let named: HashSet<UnitId> = specs.iter().map(|(id, _)| *id).collect();
        let now: u64 = self.units.iter().map(|(_, unit)| of(unit)).sum();
        let others = self
            .units
            .iter()
            .filter(|(id, unit)| !named.contains(id) && !files.contains(&&*unit.spec.file));
        let (others, kept) = others.fold((0, 0_u64), |(sum, n), (_, unit)| (sum + of(unit), n + 1));
        let needed = others + asked.sum::<u64>();
        let own = for_itself() + 2 * open_segments() as u64;
        if needed <= now || needed + own <= limit {
            return Ok(());
        }
        let units = kept + specs.len() as u64;
        let each = needed.div_ceil(units.max(1));
        let fit = limit.saturating_sub(own) / each.max(1);
        // Segments have a quarter of what there is, see `open_segments`.
        let enough = ((needed + for_itself()) * 4 / 3 + 1).next_power_of_two();
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

    /// What is to be told of the machine's limits when a daemon begins.
    pub(super) fn warn_of_limits(&self) {
        let limit = getrlimit(Resource::Nofile).current;
        let needed: u64 = self
            .units
            .iter()
            .map(|(_, unit)| descriptors(unit.spec.around(), &unit.spec.log))
            .sum();
        let own = for_itself() + 2 * open_segments() as u64;
        if let Some(limit) = limit.filter(|limit| needed + own > *limit) {
            let units = self.units.iter().count();
            let enough = ((needed + for_itself()) * 4 / 3 + 1).next_power_of_two();
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
