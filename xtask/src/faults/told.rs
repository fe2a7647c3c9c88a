//! What abide itself says of output that is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::RunOf;

/// Of the events of a home.
#[derive(Default)]
pub struct Told {
    /// Bytes that were thrown away while a disk took nothing, each time.
    lost: BTreeMap<String, Vec<u64>>,
    /// The same, at least, where the daemon died before it could say how many.
    open: BTreeMap<String, u64>,
    /// Processes that ended while nobody held their pipes.
    ends: BTreeSet<(String, u32)>,
}

impl Told {
    /// `events`: as `abide events --json` has them.
    pub fn from_events(events: &str) -> Self {
        let mut told = Self::default();
        let mut pids: BTreeMap<(String, u64), u32> = BTreeMap::new();
        for line in events.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let Some(unit) = event["unit"].as_str().map(str::to_owned) else {
                continue;
            };
            let run = event["run"].as_u64().unwrap_or(0);
            let bytes = event["bytes"].as_u64().unwrap_or(0);
            match event["event"].as_str().unwrap_or_default() {
                "started" | "adopted" => {
                    let pid = event["pid"].as_u64().and_then(|pid| pid.try_into().ok());
                    pids.insert((unit, run), pid.unwrap_or(0));
                }
                "exited" if event["output_may_be_lost"] == true => {
                    let pid = pids.get(&(unit.clone(), run)).copied();
                    told.ends.extend(pid.map(|pid| (unit, pid)));
                }
                "log_lost" => {
                    let open = told.open.entry(unit).or_insert(u64::MAX);
                    *open = bytes.min(*open);
                }
                "log_resumed" => {
                    told.open.remove(&unit);
                    told.lost.entry(unit).or_default().push(bytes);
                }
                _ => {}
            }
        }
        told
    }

    /// Losses of a unit whose size is known.
    pub fn lost(&self, unit: &str) -> &[u64] {
        self.lost.get(unit).map_or(&[], Vec::as_slice)
    }

    /// So many bytes of a unit are missing in one place, and abide said so.
    pub fn accounts_for(&self, unit: &str, bytes: u64) -> bool {
        let at_least = self.open.get(unit).is_some_and(|least| bytes >= *least);
        at_least || self.lost(unit).contains(&bytes)
    }

    /// Of these processes of a unit, in their order, the runs of which abide says that what they wrote last
    /// may be lost.
    pub fn ends_of<'a>(
        &'a self,
        unit: &'a str,
        runs: &'a [u32],
    ) -> impl Iterator<Item = RunOf> + 'a {
        let numbered = runs.iter().enumerate();
        numbered
            .filter(|(_, pid)| self.ends.contains(&(unit.to_owned(), **pid)))
            .map(|(at, _)| (unit.to_owned(), at as u64 + 1))
    }
}
