//! Which crate may depend on which. The table is the architecture; ARCHITECTURE.md draws it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::command;

/// What one crate of the workspace may depend on.
struct Rule {
    name: &'static str,
    /// Crates of this workspace.
    inside: &'static [&'static str],
    /// Crates of others.
    outside: Outside,
    /// What breaks when the rule does.
    why: &'static str,
}

enum Outside {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Whatever suits, but none of these, not even through another crate.
    Never(&'static [&'static str]),
}

const RUNTIMES: &[&str] = &["tokio", "hyper", "axum", "async-io", "mio"];

const RULES: &[Rule] = &[
    Rule {
        name: "abide-model",
        inside: &[],
        outside: Outside::Only(&["serde", "utoipa"]),
        why: "everyone depends on the vocabulary, so it depends on nothing that does anything",
    },
    Rule {
        name: "abide-core",
        inside: &["abide-model"],
        outside: Outside::Only(&["serde", "thiserror"]),
        why: "the core is pure: with an OS, a clock or a runtime in reach the simulator no longer shows what happens in earnest",
    },
    Rule {
        name: "abide-config",
        inside: &["abide-model"],
        outside: Outside::Never(&["tokio", "hyper", "axum", "mio", "libc", "rustix"]),
        why: "configuration is text in, specs out; it runs in the daemon, in the CLI and in editors alike",
    },
    Rule {
        name: "abide-platform",
        inside: &["abide-model"],
        outside: Outside::Only(&["libc", "rustix", "thiserror", "windows-sys"]),
        why: "the keeper lives in it: each crate here is memory and code in the one process that must never die",
    },
    Rule {
        name: "abide-log",
        inside: &["abide-model"],
        outside: Outside::Never(RUNTIMES),
        why: "segments are read by the daemon, the CLI and later by forwarders, none of which should be forced into a runtime",
    },
    Rule {
        name: "abide-host",
        inside: &["abide-model", "abide-platform"],
        outside: Outside::Never(RUNTIMES),
        why: "programs that are no more than a service link it through abide-service: they choose their own runtime",
    },
    Rule {
        name: "abide-service",
        // The platform: for its tests, which are the manager's side.
        inside: &["abide-host", "abide-platform"],
        outside: Outside::Never(RUNTIMES),
        why: "a library for other people's programs: few dependencies, and no runtime that is not theirs",
    },
    Rule {
        name: "abide-daemon",
        inside: &[
            "abide-config",
            "abide-core",
            "abide-host",
            "abide-log",
            "abide-model",
            "abide-platform",
        ],
        outside: Outside::Never(&["clap"]),
        why: "the driver is the one place that knows both the core and the OS; it knows no command line",
    },
    Rule {
        name: "abide",
        inside: &[
            "abide-config",
            "abide-daemon",
            "abide-host",
            "abide-log",
            "abide-model",
            "abide-platform",
        ],
        outside: Outside::Never(&["axum"]),
        why: "the CLI uses the API like any client: it does not reach into the core, and it serves nothing",
    },
    Rule {
        name: "abide-e2e",
        inside: &["abide-core", "abide-model", "abide-platform"],
        outside: Outside::Never(RUNTIMES),
        why: "end-to-end scenarios see abide from outside; the core is there for replaying recordings, the \
              platform for a program that plays a daemon",
    },
    Rule {
        name: "abide-quickstart",
        inside: &[],
        outside: Outside::Only(&[]),
        why: "the programs of the quickstart show that a guarded program needs no library",
    },
    Rule {
        name: "abide-bench",
        inside: &[],
        outside: Outside::Never(RUNTIMES),
        why: "the benchmark drives abide as it drives the peers: by its binary, from outside",
    },
    Rule {
        name: "xtask",
        inside: &["abide-bench", "abide-e2e"],
        outside: Outside::Never(RUNTIMES),
        why: "the task runner builds in seconds and drives the real binary from outside",
    },
];

/// Checks every edge between packages, and what is reached through others.
pub fn check() -> Result<(), String> {
    let metadata = MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .exec()
        .map_err(|error| format!("cannot read `cargo metadata`: {error}"))?;
    let mut found = Vec::new();
    let members: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            found.push(format!(
                "{}: {name} is in no row of the table in xtask/src/check/edges.rs\n  add one that says what it may depend on and why",
                package.manifest_path
            ));
            continue;
        };
        direct(package, rule, &members, &mut found);
        reached(&metadata, package, rule, &mut found);
    }
    super::verdict(&found)
}

/// Edges that stand in the crate's own Cargo.toml. Tests may use what they like from outside, but
/// keep to the same crates of the workspace.
fn direct(package: &Package, rule: &Rule, members: &BTreeSet<&str>, found: &mut Vec<String>) {
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        let allowed = if members.contains(to) {
            rule.inside.contains(&to) || to == rule.name
        } else if dependency.kind == DependencyKind::Development {
            true
        } else {
            match &rule.outside {
                Outside::Only(only) => only.contains(&to),
                Outside::Never(never) => !never.contains(&to),
            }
        };
        if !allowed {
            found.push(format!(
                "{}: {} → {to}\n  why not: {}",
                package.manifest_path, rule.name, rule.why
            ));
        }
    }
}

/// What normal dependencies pull in: the crates that are never wanted, by whatever path.
fn reached(metadata: &Metadata, package: &Package, rule: &Rule, found: &mut Vec<String>) {
    let never: &[&str] = match &rule.outside {
        // Pure crates must not reach the OS through an innocent-looking one either.
        Outside::Only(only) if !only.contains(&"libc") => &["libc", "rustix", "tokio", "mio"],
        Outside::Only(_) => RUNTIMES,
        Outside::Never(never) => never,
    };
    let Some(resolve) = &metadata.resolve else {
        return;
    };
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut seen = BTreeSet::new();
    let mut queue = vec![(&package.id, rule.name.to_owned())];
    while let Some((id, path)) = queue.pop() {
        let Some(node) = resolve.nodes.iter().find(|node| node.id == *id) else {
            continue;
        };
        for dependency in &node.deps {
            let normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            let to = names.get(&dependency.pkg).copied().unwrap_or("?");
            // What a crate of the workspace brings along is that crate's own affair, judged there.
            if !normal || rule.inside.contains(&to) || !seen.insert(&dependency.pkg) {
                continue;
            }
            let path = format!("{path} → {to}");
            // A direct edge was judged above.
            if never.contains(&to) && path.matches('→').count() > 1 {
                found.push(format!("{path}\n  why not: {}", rule.why));
            }
            queue.push((&dependency.pkg, path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_crate_and_gives_a_reason() {
        let metadata = MetadataCommand::new()
            .manifest_path(command::root().join("Cargo.toml"))
            .no_deps()
            .exec()
            .expect("cargo metadata can be read");
        for rule in RULES {
            assert!(
                metadata
                    .workspace_packages()
                    .iter()
                    .any(|package| package.name.as_str() == rule.name),
                "{} is no crate of this workspace",
                rule.name
            );
            assert!(!rule.why.is_empty());
        }
    }

    #[test]
    fn an_edge_that_the_table_does_not_have_is_found() {
        let metadata = MetadataCommand::new()
            .manifest_path(command::root().join("Cargo.toml"))
            .no_deps()
            .exec()
            .expect("cargo metadata can be read");
        let daemon = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name.as_str() == "abide-daemon")
            .expect("there is a daemon");
        // The daemon's edges, judged by the core's rule.
        let strict = RULES
            .iter()
            .find(|rule| rule.name == "abide-core")
            .expect("there is a core");
        let members = RULES.iter().map(|rule| rule.name).collect();
        let mut found = Vec::new();
        direct(daemon, strict, &members, &mut found);
        for edge in ["abide-core → abide-platform", "abide-core → tokio"] {
            assert!(
                found
                    .iter()
                    .any(|said| said.contains(edge) && said.contains("why not:")),
                "{edge}: {found:?}"
            );
        }
    }
}
