//! `cargo xtask windows --bundle`: the test programs in one folder, with `abide.exe` and the script that runs them on a
//! real Windows.

use std::fs;
use std::path::Path;

use super::programs::{Kind, build};
use super::{folder, tests, toolchain};
use crate::command;

/// Builds the test programs and copies them beside `verify.ps1`.
pub fn make(packages: &[&str]) -> Result<(), String> {
    let mut built = tests::build(packages)?;
    let mut cargo = toolchain::cargo("build")?;
    if tests::choose_examples(&mut cargo, packages) {
        built.extend(build(&mut cargo)?);
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
    for program in built {
        // As tests look for them, by `ABIDE_EXE` and beside themselves.
        let name = match program.kind {
            Kind::Test => {
                count += 1;
                program.name()
            }
            Kind::Example => program.target,
            Kind::Command if program.target == "abide" => program.target,
            Kind::Command => continue,
        };
        copy(&program.path, &format!("{name}.exe"))?;
    }
    println!(
        "{count} test programs and verify.ps1 are in {}",
        bundle.display()
    );
    Ok(())
}
