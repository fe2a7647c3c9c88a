//! What a driver recorded of its supervisor, and its replay: the same inputs must give the same
//! effects, or the recording is of another core.

use abide_model::{EffectId, Now};
use serde::{Deserialize, Serialize};

use crate::{Effect, Input, Observed, Saved, Supervisor};

/// One line of a recording, in the order things happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// `Supervisor::new`. The first line, or else `Resume` is.
    New {
        /// For the random source.
        seed: u64,
        /// When.
        now: Now,
    },
    /// `Supervisor::resume`.
    Resume {
        /// What was read back.
        saved: Saved,
        /// What was found.
        observed: Vec<Observed>,
        /// When.
        now: Now,
    },
    /// `Supervisor::handle`.
    Input {
        /// When.
        now: Now,
        /// What.
        input: Input,
    },
    /// `Supervisor::handle_timeout`.
    Timeout {
        /// When.
        now: Now,
    },
    /// What `poll_effect` gave then.
    Effect {
        /// Its id.
        id: EffectId,
        /// What.
        effect: Effect,
    },
}

/// Collects the lines of one supervisor's life. A driver that writes them out as it goes needs
/// only [`Line`] itself.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    lines: Vec<Line>,
}

impl Recorder {
    /// Of a supervisor made by `new`.
    #[must_use]
    pub fn new_run(seed: u64, now: Now) -> Self {
        Self {
            lines: vec![Line::New { seed, now }],
        }
    }

    /// Of a supervisor made by `resume`.
    #[must_use]
    pub fn new_resume(saved: &Saved, observed: &[Observed], now: Now) -> Self {
        let line = Line::Resume {
            saved: saved.clone(),
            observed: observed.to_vec(),
            now,
        };
        Self { lines: vec![line] }
    }

    /// An input is about to be handled.
    pub fn input(&mut self, now: Now, input: &Input) {
        self.lines.push(Line::Input {
            now,
            input: input.clone(),
        });
    }

    /// A time-out is about to be handled.
    pub fn timeout(&mut self, now: Now) {
        self.lines.push(Line::Timeout { now });
    }

    /// An effect came out.
    pub fn effect(&mut self, id: EffectId, effect: &Effect) {
        self.lines.push(Line::Effect {
            id,
            effect: effect.clone(),
        });
    }

    /// All lines so far.
    #[must_use]
    pub fn into_lines(self) -> Vec<Line> {
        self.lines
    }
}

/// Where a replay differs from its recording. Reads after "cannot replay the recording: ".
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Divergence {
    /// The recording does not begin with a supervisor, or begins a second one.
    #[error("line {line} is not where a supervisor begins")]
    NoBeginning {
        /// From 1.
        line: usize,
    },
    /// Another effect came out than was recorded, or none.
    #[error("line {line} recorded {recorded:?}, the replay gave {replayed:?}")]
    Differs {
        /// From 1.
        line: usize,
        /// What stands there.
        recorded: Box<(EffectId, Effect)>,
        /// What came out.
        replayed: Option<Box<(EffectId, Effect)>>,
    },
    /// An effect came out that was not recorded.
    #[error("before line {line} the replay gave {replayed:?}, which was not recorded")]
    More {
        /// From 1.
        line: usize,
        /// What came out.
        replayed: Box<(EffectId, Effect)>,
    },
}

/// Gives the recorded inputs to a new supervisor and compares what comes out.
///
/// A recording may end anywhere, also before all effects of its last input (the daemon was killed).
///
/// # Errors
/// [`Divergence`] names the first line that differs.
pub fn replay(lines: &[Line]) -> Result<(), Divergence> {
    let mut core: Option<Supervisor> = None;
    for (at, recorded) in lines.iter().enumerate() {
        let line = at + 1;
        if let Line::Effect { id, effect } = recorded {
            let core = core.as_mut().ok_or(Divergence::NoBeginning { line })?;
            let replayed = core.poll_effect();
            if replayed.as_ref() != Some(&(*id, effect.clone())) {
                let recorded = Box::new((*id, effect.clone()));
                let replayed = replayed.map(Box::new);
                return Err(Divergence::Differs {
                    line,
                    recorded,
                    replayed,
                });
            }
            continue;
        }
        if let Some(core) = &mut core
            && let Some(replayed) = core.poll_effect()
        {
            return Err(Divergence::More {
                line,
                replayed: Box::new(replayed),
            });
        }
        match (recorded, &mut core) {
            (Line::New { seed, now }, None) => core = Some(Supervisor::new(*seed, *now)),
            (
                Line::Resume {
                    saved,
                    observed,
                    now,
                },
                None,
            ) => {
                core = Some(Supervisor::resume(saved.clone(), observed.clone(), *now));
            }
            (Line::Input { now, input }, Some(core)) => core.handle(*now, input.clone()),
            (Line::Timeout { now }, Some(core)) => core.handle_timeout(*now),
            _ => return Err(Divergence::NoBeginning { line }),
        }
    }
    Ok(())
}
