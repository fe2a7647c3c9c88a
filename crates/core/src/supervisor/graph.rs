//! Who depends on whom, by name: an edge to a unit that does not exist is kept, and holds as soon
//! as the unit appears.

use std::collections::{BTreeMap, BTreeSet};

use abide_model::{UnitId, UnitName};

/// Names and reverse edges.
#[derive(Debug, Default)]
pub(super) struct Graph {
    ids: BTreeMap<UnitName, UnitId>,
    named_by: BTreeMap<UnitName, BTreeSet<UnitId>>,
}

impl Graph {
    pub(super) fn id(&self, name: &UnitName) -> Option<UnitId> {
        self.ids.get(name).copied()
    }

    pub(super) fn insert<'a>(
        &mut self,
        id: UnitId,
        name: &UnitName,
        needs: impl Iterator<Item = &'a UnitName>,
    ) {
        self.ids.insert(name.clone(), id);
        for need in needs {
            self.named_by.entry(need.clone()).or_default().insert(id);
        }
    }

    /// Takes out what `insert` put in.
    pub(super) fn remove<'a>(
        &mut self,
        id: UnitId,
        name: &UnitName,
        needs: impl Iterator<Item = &'a UnitName>,
    ) {
        self.ids.remove(name);
        for need in needs {
            if let Some(set) = self.named_by.get_mut(need) {
                set.remove(&id);
                if set.is_empty() {
                    self.named_by.remove(need);
                }
            }
        }
    }

    /// The units that name this one in `requires`, `wants` or `after`.
    pub(super) fn dependents(&self, name: &UnitName) -> impl Iterator<Item = UnitId> + use<'_> {
        self.named_by.get(name).into_iter().flatten().copied()
    }
}

/// Looks for a circle that can be reached from `starts`; `needs` gives a unit's edges (and nothing
/// for one that does not exist). The answer begins and ends with the same name.
pub(super) fn find_cycle<'a>(
    starts: impl Iterator<Item = &'a UnitName>,
    needs: impl Fn(&UnitName) -> Vec<&'a UnitName>,
) -> Option<Vec<UnitName>> {
    let mut done: BTreeSet<&UnitName> = BTreeSet::new();
    for start in starts {
        if done.contains(start) {
            continue;
        }
        // The path from `start`, each with the edges that are still to be followed.
        let mut path: Vec<(&UnitName, Vec<&UnitName>)> = vec![(start, needs(start))];
        let mut on_path: BTreeSet<&UnitName> = BTreeSet::from([start]);
        while let Some((name, edges)) = path.last_mut() {
            let name = *name;
            let Some(next) = edges.pop() else {
                on_path.remove(name);
                done.insert(name);
                path.pop();
                continue;
            };
            if on_path.contains(next) {
                let circle = path
                    .iter()
                    .map(|(name, _)| *name)
                    .skip_while(|name| *name != next);
                return Some(circle.chain([next]).cloned().collect());
            }
            if !done.contains(next) {
                on_path.insert(next);
                path.push((next, needs(next)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::new(text).expect("valid")
    }

    #[test]
    fn a_circle_is_named_from_the_unit_where_it_closes() {
        let edges: BTreeMap<UnitName, Vec<UnitName>> = [
            (name("a"), vec![name("b")]),
            (name("b"), vec![name("c")]),
            (name("c"), vec![name("d"), name("b")]),
            (name("d"), vec![]),
        ]
        .into();
        let find = |start: &str| {
            let start = name(start);
            let start = edges.keys().find(|n| **n == start).expect("known");
            find_cycle([start].into_iter(), |n| {
                edges.get(n).into_iter().flatten().collect()
            })
        };
        assert_eq!(find("a"), Some(vec![name("b"), name("c"), name("b")]));
        assert_eq!(find("d"), None);
    }

    #[test]
    fn a_unit_that_needs_itself_is_a_circle() {
        let a = name("a");
        assert_eq!(
            find_cycle([&a].into_iter(), |_| vec![&a]),
            Some(vec![a.clone(), a.clone()])
        );
    }

    #[test]
    fn an_edge_to_a_unit_that_does_not_exist_holds_when_it_appears() {
        let mut graph = Graph::default();
        graph.insert(UnitId(1), &name("a"), [&name("b")].into_iter());
        assert_eq!(
            graph.dependents(&name("b")).collect::<Vec<_>>(),
            [UnitId(1)]
        );
        graph.remove(UnitId(1), &name("a"), [&name("b")].into_iter());
        assert_eq!(graph.dependents(&name("b")).count(), 0);
    }
}
