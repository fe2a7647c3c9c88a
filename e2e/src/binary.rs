//! Where the programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The `abide` binary under test: `ABIDE_BIN`, or else built now with the `ci` profile.
///
/// # Errors
/// It is not there and could not be built.
pub fn abide() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(find_or_build).clone()
}

fn find_or_build() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ABIDE_BIN") {
        let path = PathBuf::from(path);
        return std::fs::canonicalize(&path)
            .map_err(|error| format!("cannot find ABIDE_BIN {}: {error}", path.display()));
    }
    build(&["--package", "abide", "--bin", "abide"]).map(|dir| dir.join("abide"))
}

/// Builds with the `ci` profile and returns the folder that the programs are in.
///
/// # Errors
/// Cargo failed; what it said is on stderr.
pub fn build(what: &[&str]) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root())
        .args(["build", "--quiet", "--profile", "ci"])
        .args(what)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("cannot build abide: cargo ended with {status}"));
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    };
    let dir = target.join("ci");
    std::fs::canonicalize(&dir).map_err(|error| format!("cannot find {}: {error}", dir.display()))
}
