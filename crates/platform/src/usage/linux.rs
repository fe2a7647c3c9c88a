use std::collections::HashMap;
use std::time::Duration;

use super::{OsState, Usage};
use crate::identity::{Stat, stat_of};
use crate::tree::{RunTree, pids, read_tag};

/// What each of these runs uses now, in the same order. One look at the system for all of them: the
/// members of control groups, and all processes if some of the runs have none.
#[must_use]
pub fn sample(runs: &[RunTree]) -> Vec<Usage> {
    let mut usages = vec![Usage::default(); runs.len()];
    let mut ungrouped: Vec<usize> = Vec::new();
    let mut by_session: HashMap<i32, usize> = HashMap::new();
    for (at, (run, usage)) in runs.iter().zip(&mut usages).enumerate() {
        match run.group_members() {
            Some(members) => {
                for pid in members {
                    if let Some(stat) = stat_of(pid) {
                        add(usage, &stat, run.main() == Some(pid));
                    }
                }
            }
            None => {
                ungrouped.push(at);
                if let Some(leader) = run.leader().and_then(|pid| i32::try_from(pid).ok()) {
                    by_session.insert(leader, at);
                }
            }
        }
    }
    if ungrouped.is_empty() {
        return usages;
    }
    for pid in pids() {
        let Some(stat) = stat_of(pid) else { continue };
        // Most processes are in their run's own session; only the others' tags have to be read.
        let owner = by_session.get(&stat.session).copied().or_else(|| {
            let tag = read_tag(pid).filter(|tag| tag.is_one())?;
            ungrouped.iter().copied().find(|at| {
                runs.get(*at)
                    .is_some_and(|run| run.has_member(stat.session, || Some(tag)))
            })
        });
        if let Some((run, usage)) = owner.and_then(|at| Some((runs.get(at)?, usages.get_mut(at)?)))
        {
            add(usage, &stat, run.main() == Some(pid));
        }
    }
    usages
}

fn add(usage: &mut Usage, stat: &Stat, main: bool) {
    let state = os_state(stat.state);
    if main {
        usage.state = state;
    }
    if stat.state == b'X' || (state == Some(OsState::Zombie) && !main) {
        return;
    }
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let nanoseconds = stat.ticks.saturating_mul(1_000_000_000 / ticks);
    usage.cpu += Duration::from_nanos(nanoseconds);
    usage.memory += stat
        .resident
        .saturating_mul(rustix::param::page_size() as u64);
    usage.processes += 1;
}

/// The letter of proc_pid_stat(5).
fn os_state(letter: u8) -> Option<OsState> {
    Some(match letter {
        b'R' => OsState::Running,
        b'S' | b'I' => OsState::Sleeping,
        b'D' => OsState::Blocked,
        b'T' | b't' => OsState::Stopped,
        b'Z' | b'X' => OsState::Zombie,
        _ => return None,
    })
}
