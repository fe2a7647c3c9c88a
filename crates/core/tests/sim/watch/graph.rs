//! The graph of dependencies, read from what the core shows.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::{Supervisor, UnitView};
use abide_model::{Policy, UnitId, UnitName};

use crate::watch::{Held, ensure};

/// It is being removed.
pub(super) fn is_going(view: &UnitView) -> bool {
    let why = view.reason.as_deref();
    why.is_some_and(|why| why.starts_with("removed"))
}

/// The units and all they need, by what their policies say.
pub(super) fn needed(core: &Supervisor, units: &[UnitId]) -> BTreeSet<UnitId> {
    let mut found = BTreeSet::new();
    let mut open = units.to_vec();
    while let Some(id) = open.pop() {
        if found.insert(id)
            && let Some(view) = core.unit(id)
        {
            let names = view.policy.requires.iter().chain(&view.policy.wants);
            open.extend(names.filter_map(|name| core.id_of(name)));
        }
    }
    found
}

/// No unit depends on itself, over however many others.
pub(super) fn acyclic(core: &Supervisor) -> Held {
    // What is being removed is out of the graph, though its edges stay until it is gone.
    let policies: BTreeMap<&UnitName, &Policy> = core
        .units()
        .filter(|view| !is_going(view))
        .map(|view| (view.name, view.policy))
        .collect();
    let mut left: BTreeSet<&UnitName> = policies.keys().copied().collect();
    loop {
        let free: Vec<&UnitName> = left
            .iter()
            .copied()
            .filter(|name| {
                let policy = policies[name];
                let needs = policy
                    .requires
                    .iter()
                    .chain(&policy.wants)
                    .chain(&policy.after);
                !needs.into_iter().any(|need| left.contains(need))
            })
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            left.remove(name);
        }
    }
    ensure(left.is_empty(), "dependencies never go in a circle", || {
        format!("{left:?}")
    })
}
