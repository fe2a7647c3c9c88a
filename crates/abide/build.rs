//! Finds the name of this build: `ABIDE_BUILD` if whoever builds it set that, else the commit if the sources
//! are a checkout with git at hand, else none. And says how the binary is linked.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=ABIDE_BUILD");
    let build = std::env::var("ABIDE_BUILD").ok().or_else(commit);
    let mut version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if let Some(build) = build.filter(|build| !build.trim().is_empty()) {
        println!("cargo::rustc-env=ABIDE_BUILD_NAME={}", build.trim());
        version = format!("{version} ({})", build.trim());
    }
    println!("cargo::rustc-env=ABIDE_VERSION_TEXT={version}");
    link_at_a_fixed_place();
}

/// Tables of addresses then are as they are in the file, and not each process's own copy, relocated at its
/// start. Libraries, heap and stacks lie at random places as ever (docs/decisions/0023).
fn link_at_a_fixed_place() {
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

fn commit() -> Option<String> {
    let sources = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let workspace = Path::new(&sources).parent()?.parent()?;
    // Sources from an archive may lie within somebody else's checkout.
    if !workspace.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(workspace)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // Every commit and every change of branch adds a line there.
    let log = workspace.join(git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    git(&["rev-parse", "--short=7", "HEAD"])
}
