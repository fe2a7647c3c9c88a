//! Scenarios that cannot run here say so where a person sees it.

use std::fs::OpenOptions;
use std::io::Write;

/// Says that a scenario is skipped, and why: past the test runner's capture to stderr, and into the
/// file that `ABIDE_SKIPPED` names, from which `cargo xtask test` makes its summary.
pub fn skip(scenario: &str, why: &str) {
    let line = format!("SKIPPED {scenario}: {why}\n");
    // A notice that cannot be written is no reason to fail.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("ABIDE_SKIPPED") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Whether this is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where a program lies, looked up as a shell would (and in the system's own folders).
#[must_use]
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin".into(), "/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}
