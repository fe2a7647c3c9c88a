use std::fs;
use std::path::Path;

use super::{File, Link, Plan};
use crate::disk;

fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .expect("below")
                .display()
                .to_string();
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                open.push(path);
                found.push(format!("{name}/"));
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).expect("a link");
                found.push(format!("{name} -> {}", target.display()));
            } else {
                found.push(format!(
                    "{name}: {}",
                    fs::read_to_string(&path).expect("text")
                ));
            }
        }
    }
    found.sort();
    found
}

fn plan() -> Plan {
    Plan {
        files: vec![File {
            path: "/etc/one".into(),
            text: "new".into(),
            mode: 0o600,
        }],
        links: vec![Link {
            path: "/etc/wants/one".into(),
            target: "../one".into(),
        }],
        removed: vec!["/etc/old".into()],
        directories: vec!["/var/log/one".into()],
        ..Plan::default()
    }
}

#[test]
fn what_was_written_can_be_taken_back() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    fs::create_dir(root.join("etc")).expect("mkdir");
    fs::write(root.join("etc/one"), "old").expect("write");
    disk::link(Path::new("elsewhere"), &root.join("etc/old")).expect("link");
    let before = tree(root);
    let applied = plan().write(root).expect("it is written");
    assert_eq!(
        tree(root),
        [
            "etc/",
            "etc/one: new",
            "etc/wants/",
            "etc/wants/one -> ../one",
            "var/",
            "var/log/",
            "var/log/one/",
        ]
    );
    let meta = fs::metadata(root.join("etc/one")).expect("there");
    assert_eq!(disk::mode(&meta), 0o600);
    assert!(applied.take_back().is_empty());
    assert_eq!(tree(root), before);
}

#[test]
fn what_cannot_be_taken_back_is_said() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    fs::create_dir(root.join("etc")).expect("mkdir");
    fs::write(root.join("etc/one"), "old").expect("write");
    let applied = plan().write(root).expect("it is written");
    fs::remove_file(root.join("etc/one")).expect("removed");
    fs::create_dir_all(root.join("etc/one/in the way")).expect("mkdir");
    let left = applied.take_back();
    assert_eq!(left.len(), 1);
    assert!(left[0].contains("etc/one: "), "{left:?}");
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    fs::create_dir(root.join("etc")).expect("mkdir");
    // Where the link's directory should be there is a file.
    fs::write(root.join("etc/wants"), "in the way").expect("write");
    let before = tree(root);
    let Err(error) = plan().write(root) else {
        panic!("it was written");
    };
    assert!(error.to_string().contains("etc/wants"), "{error}");
    assert_eq!(tree(root), before);
}
