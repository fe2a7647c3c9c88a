//! Services of other machines, as the API shows them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abide_model::api::{Verb, Why};
use abide_model::{
    Health, HeartbeatStatus, Operation, OperationId, OperationKind, OperationState, OperationStep,
    Refusal, SourceStatus, StepState, UnitStatus,
};

use super::Context;
use super::error::{Answer, ApiError};
use super::times::rfc3339;
use crate::board::{Pattern, PatternError, UnitEntry};
use crate::monitor::{Key, RemoteView, Service};

/// One as an element of `status`.
pub(super) fn status(view: &RemoteView, source: Option<(PathBuf, u32)>) -> UnitStatus {
    let RemoteView { key, said, .. } = view;
    let name = &key.service;
    UnitStatus {
        group: name.group().map(Into::into),
        instance: name.instance().map(Into::into),
        state_since: Some(rfc3339(said.state_since)),
        health: if view.silent {
            Health::Unhealthy
        } else {
            said.health
        },
        // Nobody knows what is true of one that is silent.
        ready: said.ready && !view.silent,
        pid: said.pid,
        restarts: said.restarts,
        reason: view
            .silent
            .then(|| format!("silent since {}", rfc3339(said.at))),
        heartbeat: Some(HeartbeatStatus {
            last_at: Some(rfc3339(said.at)),
            missed: view.missed,
            drift_ms: said.drift_ms,
        }),
        source: source.map(|(file, line)| SourceStatus { file, line }),
        host: key.host.clone(),
        ..UnitStatus::bare(name.to_string(), "remote", said.desired, said.state)
    }
}

/// Why it is as it is, as far as can be known here.
pub(super) fn why(view: &RemoteView) -> Why {
    let last = rfc3339(view.said.at);
    let mut because = vec![Refusal::from(Elsewhere(&view.key)).to_string()];
    let mut would_change = Vec::new();
    if view.silent {
        because.insert(
            0,
            format!(
                "it is silent: {} beats missed, the last one came at {last}",
                view.missed
            ),
        );
        would_change.push("it reports again".to_owned());
        would_change.push(format!("`abide remove {}` forgets it", view.key));
    } else {
        because.push(format!("its last beat came at {last}"));
    }
    Why {
        unit: view.key.to_string(),
        state: view.said.state,
        because,
        would_change,
    }
}

struct Elsewhere<'a>(&'a Key);

impl From<Elsewhere<'_>> for Refusal {
    fn from(Elsewhere(key): Elsewhere<'_>) -> Self {
        Self::RunsElsewhere {
            service: key.service.to_string(),
            host: key.host.clone(),
        }
    }
}

/// What is answered to somebody who wants more of it than its status.
pub(super) fn elsewhere(key: &Key) -> ApiError {
    ApiError::from(Refusal::from(Elsewhere(key)))
        .help("ask the abide of that machine; here only `status`, `why` and `remove` know it")
}

/// The one that `HOST/NAME` or `NAME` means, unless a unit of this daemon is called so.
pub(super) fn one(context: &Context, name: &str) -> Option<RemoteView> {
    if context.board().unit(name).is_some() {
        return None;
    }
    let mut found = context.remotes.views();
    found.retain(|view| view.key.to_string() == name || view.key.service.as_str() == name);
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

/// Those that a pattern means: as a pattern of units, or `HOST/NAME`.
fn matching(context: &Context, text: &str) -> Result<Vec<RemoteView>, PatternError> {
    let mut found = context.remotes.views();
    if found.is_empty() {
        return Ok(found);
    }
    if text.contains('/') {
        let invalid = |reason| PatternError::Invalid {
            pattern: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > 512 {
            return Err(invalid("it is too long".to_owned()));
        }
        let pattern = Service::new(text).map_err(invalid)?;
        found.retain(|view| pattern.matches(&view.key));
    } else {
        let pattern = Pattern::new(text)?;
        found.retain(|view| pattern.matches(&view.key.service));
    }
    Ok(found)
}

/// Units and services of other machines that any of the patterns means; each must mean something.
pub(super) fn resolve(
    context: &Context,
    patterns: &[String],
) -> Result<(Vec<Arc<UnitEntry>>, Vec<RemoteView>), PatternError> {
    let mut units = std::collections::BTreeMap::new();
    let mut remotes = std::collections::BTreeMap::new();
    for text in patterns {
        let found = matching(context, text)?;
        match context.board().resolve(text) {
            Ok(local) => units.extend(local.into_iter().map(|unit| (unit.name.clone(), unit))),
            Err(PatternError::NoMatch { .. }) if !found.is_empty() => {}
            Err(error) => return Err(error),
        }
        remotes.extend(found.into_iter().map(|view| (view.key.clone(), view)));
    }
    Ok((
        units.into_values().collect(),
        remotes.into_values().collect(),
    ))
}

/// A command that is about services of other machines and no units: those can be forgotten, and
/// everything else is refused. `None`: it is about units.
pub(super) fn command(
    context: &Context,
    verb: Verb,
    patterns: &[String],
) -> Answer<Option<Operation>> {
    let mut keys = Vec::new();
    for text in patterns {
        match context.board().resolve(text) {
            Err(PatternError::NoMatch { .. }) => {}
            // About units, or a mistake that is told there.
            _ => return Ok(None),
        }
        let found = matching(context, text)?;
        if found.is_empty() {
            return Ok(None);
        }
        keys.extend(found.into_iter().map(|view| view.key));
    }
    let Some(first) = keys.first() else {
        return Ok(None);
    };
    if verb != Verb::Remove {
        return Err(elsewhere(first));
    }
    /// Above all numbers of the core's.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 52);
    let steps = keys.iter().map(|key| {
        context.remotes.forget(key);
        OperationStep {
            unit: key.service.clone(),
            state: StepState::Done,
            note: None,
        }
    });
    let operation = Operation {
        id: OperationId(NEXT.fetch_add(1, Ordering::Relaxed)),
        kind: OperationKind::Remove,
        since: abide_platform::clock::now().wall,
        state: OperationState::Done,
        steps: steps.collect(),
        rolling: None,
    };
    context.board().publish_operation(operation.clone());
    Ok(Some(operation))
}
