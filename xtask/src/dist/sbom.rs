//! The list of parts: every crate that is compiled into abide, as CycloneDX 1.5 has it (a software bill of materials).
//! It is read from `cargo metadata`, so it says what the lock file says. One list for all packages: what is compiled into any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde_json::{Value, json};

use super::target::TARGETS;
use super::version;
use crate::command;

/// That of the zip.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Writes it into `out`.
///
/// # Errors
/// `cargo metadata` cannot be read, or the file not be written.
pub fn make(out: &Path) -> Result<(), String> {
    let platforms = TARGETS.iter().map(|target| target.triple);
    let mut options = vec!["--locked".to_owned()];
    for platform in platforms.chain([WINDOWS]) {
        options.extend(["--filter-platform".to_owned(), platform.to_owned()]);
    }
    let metadata = MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .other_options(options)
        .exec()
        .map_err(|e| format!("cannot read `cargo metadata`: {e}"))?;
    let document = document(&metadata)?;
    let file = out.join(format!("abide-{}.cdx.json", version()));
    let text = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())?;
    fs::write(&file, text + "\n").map_err(|e| format!("cannot write {}: {e}", file.display()))
}

fn document(metadata: &Metadata) -> Result<Value, String> {
    let packages: BTreeMap<&PackageId, &Package> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "abide")
        .ok_or("there is no package abide")?;
    let used = used(metadata, root)?;
    let component = |id: &PackageId, kind: &str| {
        packages.get(id).map(|package| {
            let mut component = json!({
                "type": kind,
                "bom-ref": reference(package),
                "name": package.name.as_str(),
                "version": package.version.to_string(),
                "purl": reference(package),
                "licenses": package.license.iter().map(|license| json!({ "expression": license.replace('/', " OR ") }))
                    .collect::<Vec<_>>(),
            });
            // The schema has no `null` there.
            if let Some(text) = &package.description {
                component["description"] = text.trim().into();
            }
            component
        })
    };
    let parts: Vec<Value> = used
        .keys()
        .filter(|id| **id != &root.id)
        .filter_map(|id| component(id, "library"))
        .collect();
    let depends: Vec<Value> = used
        .iter()
        .filter_map(|(id, on)| {
            let on: Vec<String> = on
                .iter()
                .filter_map(|id| packages.get(id).map(|package| reference(package)))
                .collect();
            Some(json!({ "ref": reference(packages.get(id)?), "dependsOn": on }))
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(&root.id, "application") },
        "components": parts,
        "dependencies": depends,
    }))
}

/// The crates that end up in the program, and what each of them uses. What only builds or tests it does not.
fn used<'m>(
    metadata: &'m Metadata,
    root: &'m Package,
) -> Result<BTreeMap<&'m PackageId, BTreeSet<&'m PackageId>>, String> {
    let resolve = metadata
        .resolve
        .as_ref()
        .ok_or("`cargo metadata` resolved nothing")?;
    let nodes: BTreeMap<&PackageId, &cargo_metadata::Node> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut used = BTreeMap::new();
    let mut left = vec![&root.id];
    while let Some(id) = left.pop() {
        if used.contains_key(id) {
            continue;
        }
        let node = nodes
            .get(id)
            .ok_or_else(|| format!("{id} is not resolved"))?;
        let on: BTreeSet<&PackageId> = node
            .deps
            .iter()
            .filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            })
            .map(|dep| &dep.pkg)
            .collect();
        left.extend(on.iter().copied());
        used.insert(id, on);
    }
    Ok(used)
}

/// A package URL (purl-spec): the one name of a thing among all kinds of packages.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_program_is_listed_and_none_that_only_tests_it() {
        let place = tempfile::tempdir().expect("a folder");
        make(place.path()).expect("a list");
        let file = place.path().join(format!("abide-{}.cdx.json", version()));
        let text = fs::read_to_string(file).expect("the file");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let parts = document["components"].as_array().expect("an array");
        let names: BTreeSet<&str> = parts
            .iter()
            .filter_map(|part| part["name"].as_str())
            .collect();
        for part in [
            "abide-core",
            "clap",
            "rustix",
            "tokio",
            "windows-sys",
            "zstd-sys",
        ] {
            assert!(names.contains(part), "{part} is missing");
        }
        for other in ["proptest", "tempfile", "abide-e2e", "cc"] {
            assert!(!names.contains(other), "{other} is no part of it");
        }
        let licensed = |part: &&Value| {
            part["licenses"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        };
        let without: Vec<&Value> = parts.iter().filter(|part| !licensed(part)).collect();
        assert!(without.is_empty(), "no license: {without:?}");
        assert!(!text.contains(": null"), "{text}");
    }
}
