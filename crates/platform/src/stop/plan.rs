//! The order of steps, without any system.

use std::fmt;
use std::time::Duration;

/// One way to have a run end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Its standard input ends.
    EndOfInput,
    /// Ctrl-C in its consoles.
    CtrlC,
    /// Ctrl-Break in its consoles, which cannot be ignored by inheritance.
    CtrlBreak,
    /// `WM_CLOSE` to its windows.
    Close,
    /// Its job is terminated. Always the last one, and always there.
    Terminate,
}

/// As `status` names it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfInput => "end of input",
            Self::CtrlC => "Ctrl-C",
            Self::CtrlBreak => "Ctrl-Break",
            Self::Close => "closing its windows",
            Self::Terminate => "terminating its job",
        })
    }
}

/// A step and its share of the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// What to do.
    pub step: Step,
    /// How long to wait for the tree to end before the next step; `None`: what is left.
    pub within: Option<Duration>,
}

/// A stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Share>,
    /// The deadline for all of it; then the job is terminated.
    pub within: Duration,
}

/// What became of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The run was asked, in so many places (consoles, windows).
    Asked(usize),
    /// There was nobody to ask: no console, no window, no input. No time was spent on it.
    Nobody,
    /// It could not be done, and why. No time was spent on it.
    Failed(String),
}

/// How a stop went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The step after which nothing was left. `None`: nothing was there to begin with, or something still is.
    pub ended_by: Option<Step>,
    /// What was tried, in order.
    pub tried: Vec<(Step, Outcome)>,
    /// Nothing is left.
    pub empty: bool,
    /// How long it took.
    pub took: Duration,
}

/// What a stop is about.
pub(super) trait Target {
    /// Takes a step; does not wait for what comes of it.
    fn take(&mut self, step: Step) -> Outcome;
    /// Waits until nothing is left, at most so long; whether nothing is.
    fn wait_empty(&mut self, at_most: Duration) -> Result<bool, String>;
    /// Since the stop began.
    fn elapsed(&mut self) -> Duration;
}

/// Terminated processes are gone in an instant, unless a driver holds them.
const AFTER_TERMINATION: Duration = Duration::from_secs(10);

/// Takes the steps of a plan.
pub(super) fn follow(plan: &Plan, target: &mut dyn Target) -> Report {
    let mut report = Report {
        ended_by: None,
        tried: Vec::new(),
        empty: false,
        took: Duration::ZERO,
    };
    if target.wait_empty(Duration::ZERO) == Ok(true) {
        report.empty = true;
        return report;
    }
    let asking = plan.steps.iter().filter(|s| s.step != Step::Terminate);
    let shares = asking.copied().chain([Share {
        step: Step::Terminate,
        within: Some(AFTER_TERMINATION),
    }]);
    for Share { step, within } in shares {
        let left = plan.within.saturating_sub(target.elapsed());
        let wait = match step {
            Step::Terminate => AFTER_TERMINATION,
            _ if left.is_zero() => continue,
            _ => within.unwrap_or(left).min(left),
        };
        let outcome = target.take(step);
        let asked = matches!(outcome, Outcome::Asked(_));
        report.tried.push((step, outcome));
        if !asked {
            continue;
        }
        match target.wait_empty(wait) {
            Ok(true) => {
                report.ended_by = Some(step);
                report.empty = true;
                break;
            }
            Ok(false) => {}
            // Who cannot see whether it ended goes on to what is certain.
            Err(why) => {
                if let Some((_, outcome)) = report.tried.last_mut() {
                    *outcome = Outcome::Failed(why);
                }
            }
        }
    }
    report.took = target.elapsed();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A tree that ends so long after one of the steps.
    struct Fake {
        now: Duration,
        heeds: Option<(Step, Duration)>,
        nobody: Vec<Step>,
        ends_at: Option<Duration>,
        waited: Vec<Duration>,
    }

    impl Fake {
        fn new(heeds: Option<(Step, Duration)>) -> Self {
            Self {
                now: Duration::ZERO,
                heeds,
                nobody: Vec::new(),
                ends_at: None,
                waited: Vec::new(),
            }
        }
    }

    impl Target for Fake {
        fn take(&mut self, step: Step) -> Outcome {
            if self.nobody.contains(&step) {
                return Outcome::Nobody;
            }
            if step == Step::Terminate {
                self.ends_at = Some(self.now);
            }
            if let Some((_, after)) = self.heeds.filter(|(heeds, _)| *heeds == step) {
                self.ends_at = Some(self.now + after);
            }
            Outcome::Asked(1)
        }

        fn wait_empty(&mut self, at_most: Duration) -> Result<bool, String> {
            self.waited.push(at_most);
            let until = self.now + at_most;
            let ended = self.ends_at.is_some_and(|at| at <= until);
            self.now = if ended {
                self.ends_at.unwrap_or(until).max(self.now)
            } else {
                until
            };
            Ok(ended)
        }

        fn elapsed(&mut self) -> Duration {
            self.now
        }
    }

    fn plan() -> Plan {
        let share = |step, seconds: Option<u32>| Share {
            step,
            within: seconds.map(|n| SECOND * n),
        };
        Plan {
            steps: vec![
                share(Step::CtrlC, Some(3)),
                share(Step::Close, Some(4)),
                share(Step::CtrlBreak, None),
            ],
            within: SECOND * 10,
        }
    }

    #[test]
    fn the_step_that_ended_it_is_said_and_none_follows() {
        let mut target = Fake::new(Some((Step::Close, SECOND)));
        let report = follow(&plan(), &mut target);
        assert_eq!(report.ended_by, Some(Step::Close));
        assert!(report.empty);
        assert_eq!(report.took, SECOND * 4);
        let steps: Vec<_> = report.tried.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [Step::CtrlC, Step::Close]);
    }

    #[test]
    fn who_heeds_nothing_is_ended_at_the_one_deadline() {
        let mut target = Fake::new(None);
        let report = follow(&plan(), &mut target);
        assert_eq!(report.ended_by, Some(Step::Terminate));
        assert_eq!(report.took, SECOND * 10);
        let shares = [0, 3, 4, 3].map(|n| SECOND * n);
        assert_eq!(target.waited[..4], shares);
    }

    #[test]
    fn a_step_that_reaches_nobody_costs_no_time() {
        let mut target = Fake::new(None);
        target.nobody = vec![Step::CtrlC, Step::CtrlBreak];
        let report = follow(&plan(), &mut target);
        assert_eq!(report.took, SECOND * 4);
        assert_eq!(report.tried[0], (Step::CtrlC, Outcome::Nobody));
    }

    #[test]
    fn shares_beyond_the_deadline_are_cut_and_what_is_late_is_left_out() {
        let mut target = Fake::new(None);
        let mut plan = plan();
        plan.within = SECOND * 5;
        let report = follow(&plan, &mut target);
        assert_eq!(report.took, SECOND * 5);
        let steps: Vec<_> = report.tried.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [Step::CtrlC, Step::Close, Step::Terminate]);
        assert_eq!(target.waited[1..3], [SECOND * 3, SECOND * 2]);
    }

    #[test]
    fn nobody_is_asked_where_nothing_is() {
        let mut target = Fake::new(None);
        target.ends_at = Some(Duration::ZERO);
        let report = follow(&plan(), &mut target);
        assert!(report.empty && report.tried.is_empty());
    }
}
