//! Every file in `tests/bad` is refused with exactly the text beside it.
//! `ABIDE_BLESS=1 cargo test -p abide-config --test bad_files` writes what is shown now.
//! On Unix systems: their paths and some of their mistakes are of those.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use abide_config::{Caller, load};

fn caller() -> Caller {
    Caller {
        directory: folder(),
        first_port: 1024, // whoever runs the tests
        ..Caller::default()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bad")
        .canonicalize()
        .expect("the folder is there")
}

/// Where the files lie depends on the machine.
fn anonymous(text: &str) -> String {
    text.replace(&format!("{}/", folder().display()), "")
}

#[test]
fn every_bad_file_is_refused_with_the_text_beside_it() {
    let bless = std::env::var_os("ABIDE_BLESS").is_some();
    let mut differ = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder can be read") {
        let file = entry.expect("an entry").path();
        if file.extension().is_none_or(|ext| ext != "toml") {
            continue;
        }
        count += 1;
        let loaded = load(std::slice::from_ref(&file), &caller());
        let shown = anonymous(&loaded.diagnostics.render(false));
        assert!(
            !loaded.diagnostics.is_empty(),
            "{} was taken without a word",
            file.display()
        );
        let golden = file.with_extension("txt");
        if bless {
            std::fs::write(&golden, &shown).expect("written");
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != shown {
            differ.push(format!("── {} shows ──\n{shown}", file.display()));
        }
        let json = serde_json::to_string(&loaded.diagnostics).expect("mistakes can be sent");
        let back: abide_config::Diagnostics = serde_json::from_str(&json).expect("and read back");
        assert_eq!(back.render(true), loaded.diagnostics.render(true));
    }
    assert!(count >= 20, "only {count} files");
    assert!(
        differ.is_empty(),
        "{}\n(ABIDE_BLESS=1 takes them over)",
        differ.join("\n")
    );
}
