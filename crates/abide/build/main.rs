//! Finds the name of this build: `ABIDE_BUILD` if whoever builds it set that, else the commit if the sources
//! are a checkout with git at hand, else none. And says how the binary is linked, and with what.

mod messages;

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=ABIDE_BUILD");
    println!("cargo::rerun-if-changed=build");
    let build = std::env::var("ABIDE_BUILD").ok().or_else(commit);
    let mut version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if let Some(build) = build.filter(|build| !build.trim().is_empty()) {
        println!("cargo::rustc-env=ABIDE_BUILD_NAME={}", build.trim());
        version = format!("{version} ({})", build.trim());
    }
    println!("cargo::rustc-env=ABIDE_VERSION_TEXT={version}");
    link_at_a_fixed_place();
    link_messages();
}

/// Tables of addresses then are as they are in the file, and not each process's own copy, relocated at its
/// start. Libraries, heap and stacks lie at random places as ever (docs/decisions/0023).
fn link_at_a_fixed_place() {
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// The program is its own message file in Windows's Event Log.
fn link_messages() {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    if set("CARGO_CFG_TARGET_OS") != "windows" {
        return;
    }
    let architecture = set("CARGO_CFG_TARGET_ARCH");
    let Some(object) = messages::object(&architecture) else {
        println!("cargo::warning=no message table is made for {architecture}");
        return;
    };
    let file = Path::new(&set("OUT_DIR")).join("messages.o");
    match std::fs::write(&file, object) {
        Ok(()) => println!("cargo::rustc-link-arg-bins={}", file.display()),
        Err(error) => println!("cargo::error=cannot write {}: {error}", file.display()),
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
