//! Beats over machines: what this abide reports to a monitor, and what it accepts as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Hook;

/// `[report]`: where this abide reports the state of its units to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportSpec {
    /// `http://…`; with [`ReportStyle::Ping`], `{unit}` in it is the unit's name.
    pub url: String,
    /// How often, also when nothing changes.
    pub every: Duration,
    /// What is sent.
    pub style: ReportStyle,
    /// How long one try may take.
    pub timeout: Duration,
    /// Name of this machine in what is sent.
    pub host: Option<String>,
}

/// What a report looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStyle {
    /// One POST with an array of beats, one for each unit.
    #[default]
    Batch,
    /// One POST for each unit, with its beat.
    Each,
    /// One GET for each unit that is well; `/start` is added to the path when it starts, `/fail` when it
    /// is not well (the manner of healthchecks.io).
    Ping,
}

/// `[monitor]`: which services of other machines may report here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MonitorSpec {
    /// Names or patterns that are accepted: `NAME`, or `HOST/NAME` for those that say their host.
    pub services: Vec<String>,
    /// How often each owes a beat.
    pub every: Duration,
    /// So many missed in a row, and it counts as silent.
    pub misses: u32,
    /// Run when one falls silent.
    pub on_silent: Option<Hook>,
    /// 1-based line of the table in its file.
    #[serde(default)]
    pub line: u32,
}
