//! `cargo xtask windows --bundle`: the test programs in one folder, with `abide.exe` and the script that runs them on a
//! real Windows.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{folder, tests, toolchain};
use crate::command;

/// Builds the test programs and copies them beside `verify.ps1`.
pub fn make(packages: &[&str]) -> Result<(), String> {
    let mut cargo = toolchain::cargo("test")?;
    cargo.arg("--no-run");
    tests::choose(&mut cargo, packages);
    let mut built = build(&mut cargo)?;
    let mut cargo = toolchain::cargo("build")?;
    if tests::choose_examples(&mut cargo, packages) {
        built += &build(&mut cargo)?;
    }
    let bundle = folder().join("verify");
    toolchain::remove(&bundle)?;
    let copy = |from: &Path, name: &str| {
        fs::copy(from, bundle.join(name))
            .map_err(|error| format!("cannot copy {}: {error}", from.display()))
    };
    fs::create_dir_all(&bundle).map_err(|error| error.to_string())?;
    let script = command::root().join("packaging/windows/verify.ps1");
    copy(&script, "verify.ps1")?;
    let mut count = 0;
    for line in built.lines() {
        if let Some(program) = abide(line) {
            copy(Path::new(&program), "abide.exe")?;
        }
        if let Some((program, name)) = test_program(line) {
            copy(Path::new(&program), &name)?;
            count += 1;
        } else if let Some((program, name)) = example(line) {
            copy(Path::new(&program), &name)?;
        }
    }
    println!(
        "{count} test programs and verify.ps1 are in {}",
        bundle.display()
    );
    Ok(())
}

/// What cargo says of what it has built, one message a line.
fn build(cargo: &mut Command) -> Result<String, String> {
    let output = cargo
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo ended with {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An example that a message of cargo names, and what to call it: as its tests look for it.
fn example(line: &str) -> Option<(String, String)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = &message["target"];
    if target["kind"][0] != "example" {
        return None;
    }
    let program = message["executable"].as_str()?.to_owned();
    Some((program, format!("{}.exe", target["name"].as_str()?)))
}

/// The command itself, if this message of cargo names it: tests that need it look for it by `ABIDE_EXE`.
fn abide(line: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_it = message["target"]["kind"][0] == "bin"
        && message["target"]["name"] == "abide"
        && message["profile"]["test"] == false;
    is_it.then(|| message["executable"].as_str().map(str::to_owned))?
}

/// A test program that a message of cargo names, and what to call it.
fn test_program(line: &str) -> Option<(String, String)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if !message["profile"]["test"].as_bool()? {
        return None;
    }
    let program = message["executable"].as_str()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let package = manifest.parent()?.file_name()?.to_str()?;
    let target = message["target"]["name"].as_str()?;
    Some((program.to_owned(), format!("{package}-{target}.exe")))
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn test_programs_are_told_from_everything_else_that_cargo_says() {
        let artifact = |test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/x/crates/log/Cargo.toml","target":{{"name":"reading"}},"profile":{{"test":{test}}},"executable":"/t/reading-1.exe"}}"#
            )
        };
        let expected = ("/t/reading-1.exe".to_owned(), "log-reading.exe".to_owned());
        assert_eq!(test_program(&artifact(true)), Some(expected));
        assert_eq!(test_program(&artifact(false)), None);
        assert_eq!(
            test_program(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(test_program("no message"), None);
        let command = r#"{"target":{"kind":["bin"],"name":"abide"},"profile":{"test":false},"executable":"/t/abide.exe"}"#;
        assert_eq!(abide(command).as_deref(), Some("/t/abide.exe"));
        assert_eq!(abide(&artifact(true)), None);
    }
}
