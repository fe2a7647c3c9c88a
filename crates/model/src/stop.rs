//! How a run is asked to end, and what came of it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Command, Signal};

/// The steps of a stop under one deadline; when it passes, or the last step's time is over, the
/// whole tree is killed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopPlan {
    /// In order. Each step's share of the time is its `within`, or what is left.
    pub steps: Vec<StopStep>,
    /// The deadline for all of it.
    pub within: Duration,
}

impl Default for StopPlan {
    fn default() -> Self {
        Self {
            steps: vec![StopStep {
                action: StopAction::Signal(Signal::TERM),
                within: None,
            }],
            within: Duration::from_secs(10),
        }
    }
}

/// One step of a stop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopStep {
    /// What to do.
    pub action: StopAction,
    /// How long to wait for the tree to end before the next step; `None`: what is left.
    pub within: Option<Duration>,
}

/// What a stop step does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopAction {
    /// Send this signal to the processes of the run.
    Signal(Signal),
    /// Run this command, which asks the program in a way of its own. It is ended with its share of the time.
    Command(Command),
    /// Have its standard input end, which is a pipe ([`crate::StdinSpec::Pipe`]).
    EndOfInput,
}

/// As a report names the step.
impl fmt::Display for StopAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Command(_) => f.write_str("command"),
            Self::EndOfInput => f.write_str("end of input"),
        }
    }
}

/// What a report calls the last step, which every stop has: all processes of the run are killed (on Windows its
/// job is terminated).
pub const KILL_STEP: &str = "kill";

/// How abide ended a run, or how far it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct StopReport {
    /// Which run.
    pub run_id: u64,
    /// Why it was ended, in words.
    pub why: String,
    /// The step after which nothing of it was left: a signal's name, `command`, `end of input`, or `kill`. Null while it is under
    /// way, or if it ended before it was asked.
    pub ended_by: Option<String>,
    /// From the first step until nothing was left. Null while it is under way, or if nobody saw the end.
    pub took_ms: Option<u64>,
    /// The time that it had for all steps but the last.
    pub within_ms: u64,
    /// From the first step until its main process had ended. Null if that has not ended yet.
    pub exited_after_ms: Option<u64>,
    /// What was done, in order.
    pub steps: Vec<StopStepReport>,
}

/// What became of one step of a stop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct StopStepReport {
    /// A signal's name, `command`, `end of input`, or `kill`.
    pub step: String,
    /// When it was taken, from the first one on.
    pub after_ms: u64,
    /// What the system did for it, where that is not what its name says ("Ctrl-C in 1 console").
    pub how: Option<String>,
    /// Why it reached nobody, so that the next one came at once.
    pub failed: Option<String>,
}

impl StopReport {
    /// The step that was taken last and reached somebody: what ends the run now was ended by it.
    #[must_use]
    pub fn in_force(&self) -> Option<&StopStepReport> {
        self.steps.iter().rfind(|step| step.failed.is_none())
    }

    /// It is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.took_ms.is_some()
    }
}

/// "ended by SIGINT (Ctrl-C in 1 console) after 0.3 s; SIGHUP: it has no window".
impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        match (self.in_force(), self.took_ms) {
            (Some(last), Some(took)) => write!(f, "ended by {last} after {}", seconds(took))?,
            (None, Some(_)) => f.write_str("ended before it was asked")?,
            (Some(last), None) => write!(f, "asked by {last}")?,
            (None, None) => f.write_str("not asked yet")?,
        }
        if let (Some(exited), Some(took)) = (self.exited_after_ms, self.took_ms)
            && took.saturating_sub(exited) >= 100
        {
            write!(f, ", its main process after {}", seconds(exited))?;
        }
        let last = self.in_force();
        for step in self.steps.iter().filter(|step| Some(*step) != last) {
            match &step.failed {
                Some(why) => write!(f, "; {}: {why}", step.step)?,
                None => write!(f, "; not by {step}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for StopStepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        match &self.how {
            Some(how) => write!(f, " ({how})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: &str, after_ms: u64) -> StopStepReport {
        StopStepReport {
            step: step.into(),
            after_ms,
            ..StopStepReport::default()
        }
    }

    #[test]
    fn a_report_says_what_ended_it_and_what_did_not() {
        let mut report = StopReport {
            steps: vec![step("SIGINT", 0)],
            took_ms: Some(230),
            exited_after_ms: Some(200),
            ..StopReport::default()
        };
        assert_eq!(report.to_string(), "ended by SIGINT after 0.2 s");
        report.steps[0].how = Some("Ctrl-C in 1 console".into());
        let window = StopStepReport {
            failed: Some("it has no window".into()),
            ..step("SIGHUP", 5000)
        };
        report.steps.extend([window, step(KILL_STEP, 5000)]);
        report.took_ms = Some(5100);
        assert_eq!(
            report.to_string(),
            "ended by kill after 5.1 s, its main process after 0.2 s; not by SIGINT (Ctrl-C in 1 console); SIGHUP: \
             it has no window"
        );
    }

    #[test]
    fn a_stop_under_way_says_what_it_waits_for() {
        let mut report = StopReport::default();
        assert_eq!(report.to_string(), "not asked yet");
        report.steps.push(step("SIGTERM", 0));
        assert_eq!(report.to_string(), "asked by SIGTERM");
        assert!(!report.is_over());
    }
}
