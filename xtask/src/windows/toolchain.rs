//! The compiler for Windows: Debian's, with a standard library that is built once ([`crate::debian_rust`]).

use std::path::PathBuf;
use std::process::Command;

use super::folder;
use crate::debian_rust::{self, Build};

pub use crate::debian_rust::remove;

/// What is built for: the C library and the linker are MinGW's.
pub const TARGET: &str = "x86_64-pc-windows-gnu";

/// Sections begin at pages in the file as they do in memory: then Wine maps it, as Windows does with any, and processes share
/// its pages. Otherwise each reads a copy of its own.
const FLAGS: [&str; 1] = ["-Clink-arg=-Wl,--file-alignment=4096"];

/// Beside the compiler.
const PACKAGES: &[&str] = &["rust-web-clippy", "gcc-mingw-w64-x86-64", "wine", "wine64"];

/// The packages that are not installed.
pub fn missing_packages() -> Vec<&'static str> {
    let mut missing = debian_rust::missing(debian_rust::PACKAGES);
    missing.extend(debian_rust::missing(PACKAGES));
    missing
}

/// Debian's cargo, for this target.
pub fn cargo(subcommand: &str) -> Result<Command, String> {
    let me =
        std::env::current_exe().map_err(|error| format!("cannot tell where this is: {error}"))?;
    let build = Build {
        target: TARGET,
        linker: "x86_64-w64-mingw32-gcc".to_owned(),
        flags: FLAGS.map(str::to_owned).to_vec(),
        runner: Some(vec![me.display().to_string(), "wine-run".to_owned()]),
        place: folder().join("build"),
        sysroot: sysroot()?,
    };
    Ok(build.cargo(subcommand))
}

/// A root for the compiler in which the target's standard library lies, built if this compiler has none yet.
pub fn sysroot() -> Result<PathBuf, String> {
    let parts = "std,panic_unwind,panic_abort,test,proc_macro";
    debian_rust::standard_library(&folder(), TARGET, parts)
}
