//! What was measured: samples, and the conditions under which. Kept as JSON, from which tables and charts
//! are made.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::statistics::{Summary, summary};

/// All results of one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// The machine and the versions.
    pub conditions: Conditions,
    /// Everything that was measured.
    pub samples: Vec<Samples>,
    /// What went wrong, or has to be known.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// Where and when, and of what.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Conditions {
    /// The day, as `date -u` says.
    pub date: String,
    /// The kernel.
    pub kernel: String,
    /// The processor, and how many there are.
    pub cores: String,
    /// Memory.
    pub memory: String,
    /// The system.
    pub system: String,
    /// The load average before.
    pub load_before: String,
    /// The load average after.
    pub load_after: String,
    /// Where homes and logs lie, with the file system.
    pub scratch: String,
    /// Where they lie for the rows on a disk.
    pub disk: String,
    /// Whether it was the quick mode.
    pub quick: bool,
    /// How many rounds.
    pub rounds: usize,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// The version of each peer.
    pub versions: Vec<(String, String)>,
}

/// Samples of one thing in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Samples {
    /// Who.
    pub peer: String,
    /// What; names its unit.
    pub what: String,
    /// With how many units.
    pub units: usize,
    /// In which round.
    pub round: usize,
    /// The figures.
    pub values: Vec<f64>,
}

impl Results {
    /// Reads what a run has left.
    ///
    /// # Errors
    /// The file is not there, or is none of ours.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// Writes it beside, then renames: a run that is interrupted leaves what it had.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let mut text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        text.push('\n');
        let beside = path.with_extension("json.new");
        fs::write(&beside, text).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)
    }

    /// Adds figures.
    pub fn add(&mut self, peer: &str, what: &str, units: usize, round: usize, values: &[f64]) {
        self.samples.push(Samples {
            peer: peer.to_owned(),
            what: what.to_owned(),
            units,
            round,
            values: values.to_vec(),
        });
    }

    /// All figures of all rounds.
    #[must_use]
    pub fn values(&self, peer: &str, what: &str, units: usize) -> Vec<f64> {
        self.samples
            .iter()
            .filter(|samples| {
                samples.peer == peer && samples.what == what && samples.units == units
            })
            .flat_map(|samples| samples.values.iter().copied())
            .collect()
    }

    /// All of them summed up.
    #[must_use]
    pub fn summary(&self, peer: &str, what: &str, units: usize) -> Option<Summary> {
        summary(&self.values(peer, what, units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_pooled() {
        let mut results = Results::default();
        results.add("abide", "launch s", 10, 1, &[1.0]);
        results.add("abide", "launch s", 10, 2, &[3.0]);
        results.add("abide", "launch s", 200, 2, &[9.0]);
        results.add("floor", "launch s", 10, 2, &[9.0]);
        let summary = results.summary("abide", "launch s", 10);
        assert_eq!(summary.map(|summary| summary.median), Some(2.0));
        assert_eq!(results.summary("dinit", "launch s", 10), None);
    }
}
