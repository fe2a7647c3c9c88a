//! `abide.exe`, as it is shipped: built, looked at, and asked what it can be asked without a daemon.

use std::fs;
use std::path::{Path, PathBuf};

use super::{folder, toolchain};
use crate::command;

/// Where it lies when it was built.
fn path() -> PathBuf {
    let profile = folder().join("build").join(toolchain::TARGET).join("dist");
    profile.join("abide.exe")
}

/// Builds it, small and with the C runtime in it, and says where it lies.
///
/// # Errors
/// What cargo said is on stderr; or it wants a library that Windows does not have.
pub fn build() -> Result<PathBuf, String> {
    let mut cargo = toolchain::cargo("build")?;
    command::run(cargo.args(["--quiet", "--profile", "dist", "--package", "abide"]))?;
    let path = path();
    let program = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if let Some(library) = foreign(&program) {
        return Err(format!(
            "{} wants {library}, which Windows does not have",
            path.display()
        ));
    }
    println!("{}: {} KiB", path.display(), program.len() / 1024);
    Ok(path)
}

/// The compiler's own libraries, of which one is named in the program.
fn foreign(program: &[u8]) -> Option<&'static str> {
    const LIBRARIES: [&str; 3] = [
        "libgcc_s_seh-1.dll",
        "libwinpthread-1.dll",
        "libstdc++-6.dll",
    ];
    let has = |name: &str| {
        program
            .windows(name.len())
            .any(|part| part == name.as_bytes())
    };
    LIBRARIES.into_iter().find(|name| has(name))
}

/// Asks it, under Wine, what can be asked without a daemon.
///
/// # Errors
/// A test failed.
pub fn ask(program: &Path) -> Result<(), String> {
    let mut cargo = toolchain::cargo("test")?;
    // As programs of Wine see the root of this machine.
    let path = format!("Z:{}", program.display()).replace('/', "\\");
    cargo.args(["--quiet", "--package", "abide", "--test", "offline"]);
    command::run(cargo.env("ABIDE_EXE", path))
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn a_library_of_the_compiler_is_noticed() {
        assert_eq!(foreign(b"..KERNEL32.dll..msvcrt.dll.."), None);
        assert_eq!(
            foreign(b"..KERNEL32.dll.libwinpthread-1.dll."),
            Some("libwinpthread-1.dll")
        );
    }
}
