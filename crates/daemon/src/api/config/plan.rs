//! What `up` would change, setting by setting.

use std::collections::BTreeMap;

use abide_core::{PlanChange as Change, PlanStep};
use abide_model::Spec;
use abide_model::api::{Plan, PlanAction, PlanChange, PlanField};
use serde_json::Value;

use crate::board::Board;
use crate::handle::ConfigSource;

pub(super) fn plan(board: &Board, steps: Vec<PlanStep>, sources: &[ConfigSource]) -> Plan {
    let specs = sources.iter().flat_map(|source| &source.specs);
    let new: BTreeMap<_, _> = specs.map(|spec| (&spec.name, spec)).collect();
    let changes = steps.into_iter().map(|step| {
        let action = match step.change {
            Change::Add { .. } => PlanAction::Add,
            Change::Change { restarts: true } => PlanAction::Restart,
            Change::Change { restarts: false } => PlanAction::Change,
            Change::Remove => PlanAction::Remove,
            Change::Unchanged => PlanAction::Unchanged,
        };
        let old = board.unit(step.unit.as_str());
        let fields = match (action, old, new.get(&step.unit)) {
            (PlanAction::Change | PlanAction::Restart, Some(old), Some(new)) => {
                differences(&old.spec.whole(), new)
            }
            _ => Vec::new(),
        };
        PlanChange {
            unit: step.unit.to_string(),
            action,
            fields,
        }
    });
    let mut changes: Vec<_> = changes.collect();
    changes.sort_by(|a, b| a.unit.cmp(&b.unit));
    Plan { changes }
}

fn differences(old: &Spec, new: &Spec) -> Vec<PlanField> {
    // Plain data of strings and numbers: it always can be made into a value.
    let value = |spec| serde_json::to_value(spec).unwrap_or_default();
    let old: BTreeMap<_, _> = leaves(&value(old)).into_iter().collect();
    let new: BTreeMap<_, _> = leaves(&value(new)).into_iter().collect();
    let removed = old.keys().filter(|key| !new.contains_key(*key));
    let fields = new.keys().chain(removed).map(|key| PlanField {
        key: key.clone(),
        from: old.get(key).cloned(),
        to: new.get(key).cloned(),
    });
    fields.filter(|field| field.from != field.to).collect()
}

/// Every value of a spec by its dotted key, but for what nobody writes: where the spec stands, and
/// digests of it. Null is no value.
pub(in crate::api) fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(value, String::new(), &mut found);
    found
}

fn collect(value: &Value, key: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(object) => {
            if let Some(duration) = duration(object) {
                found.push((key, duration));
                return;
            }
            for (name, value) in object {
                let hidden = (key.is_empty() && name == "source") || name == "launch_digest";
                if hidden {
                    continue;
                }
                let key = match key.as_str() {
                    // The two halves of a spec are ours, not the user's.
                    "" | "policy" | "launch" => name.clone(),
                    key => format!("{key}.{name}"),
                };
                collect(value, key, found);
            }
        }
        // Variables, as people think of them.
        Value::Array(pairs) if key.ends_with("environment.variables") => {
            for pair in pairs {
                if let (Some(name), Some(value)) = (pair[0].as_str(), pair[1].as_str()) {
                    found.push((format!("environment.{name}"), format!("{value:?}")));
                }
            }
        }
        Value::Array(items) if items.is_empty() => {}
        value => found.push((key, value.to_string())),
    }
}

/// A `Duration` as serde writes it.
fn duration(object: &serde_json::Map<String, Value>) -> Option<String> {
    let (secs, nanos) = (
        object.get("secs")?.as_u64()?,
        object.get("nanos")?.as_u64()?,
    );
    Some(match (secs, nanos) {
        (secs, 0) => format!("\"{secs}s\""),
        (secs, nanos) => format!("\"{}ms\"", secs * 1000 + nanos / 1_000_000),
    })
}
