//! What is measured, and the program that is kept.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::windows::{cargo_for, folder, remove};

/// The version of shawl that is measured.
pub const SHAWL: &str = "1.9.0";

const TARGET: &str = "x86_64-pc-windows-gnu";

/// Executables of Windows.
pub struct Made {
    pub abide: PathBuf,
    pub shawl: PathBuf,
    pub child: PathBuf,
}

impl Made {
    /// Builds what is not there yet.
    ///
    /// # Errors
    /// Those of cargo and of the C compiler.
    pub fn make(abide: Option<&Path>) -> Result<Self, String> {
        let place = folder().join("peers");
        fs::create_dir_all(&place)
            .map_err(|error| format!("cannot make {}: {error}", place.display()))?;
        let child = place.join("child.exe");
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.args(["-O2", "-s", "-o"]).arg(&child);
        command::run(compile.arg(command::root().join("bench/programs/windows-child.c")))?;
        Ok(Self {
            abide: match abide {
                Some(file) => file.to_owned(),
                None => shipped()?,
            },
            shawl: shawl(&place)?,
            child,
        })
    }
}

/// abide as it is shipped.
fn shipped() -> Result<PathBuf, String> {
    command::run(cargo_for("build")?.args(["--profile", "dist", "--package", "abide"]))?;
    let built = folder().join("build").join(TARGET).join("dist");
    Ok(built.join("abide.exe"))
}

/// shawl as its author releases it: its own profile, and the versions that it was published with.
fn shawl(place: &Path) -> Result<PathBuf, String> {
    let root = place.join(format!("shawl-{SHAWL}"));
    let made = root.join("bin").join("shawl.exe");
    if !made.is_file() {
        let tools = resource_compiler(place)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path)));
        let mut cargo = cargo_for("install")?;
        cargo
            .args(["shawl", "--locked", "--version", SHAWL, "--root"])
            .arg(&root);
        cargo.env("PATH", path.map_err(|error| error.to_string())?);
        // Apart from ours, whose features are others.
        cargo.env("CARGO_TARGET_DIR", place.join("build"));
        command::run(&mut cargo)?;
        remove(&place.join("build"))?;
    }
    Ok(made)
}

/// shawl's build wants these by the names that they have on Windows.
fn resource_compiler(place: &Path) -> Result<PathBuf, String> {
    let tools = place.join("tools");
    remove(&tools)?;
    let link = |name: &str| {
        let found = command::find(&format!("x86_64-w64-mingw32-{name}"));
        let found = found.ok_or_else(|| format!("there is no {name} of MinGW"))?;
        symlink(found, tools.join(name)).map_err(|error| error.to_string())
    };
    fs::create_dir_all(&tools).map_err(|error| error.to_string())?;
    link("windres")?;
    link("ar")?;
    Ok(tools)
}
