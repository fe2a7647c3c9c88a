//! Static programs: Debian's Rust compiler, its C compilers, and its musl.
//!
//! ```text
//!  musl-dev of each architecture ──unpacked──► target/packages/musl/NAME/root    headers, libc.a
//!  its specs, with those paths ──────────────► cc.specs ──► cc                   compiles and links
//!  libgcc_eh.a + find_object.c ──────────────► libunwind.a                       what panics are caught by
//!  the source of the standard library ───────► std-VERSION
//! ```
//! Packages of other architectures are unpacked and not installed: this machine's own packages stay as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::target::Target;
use crate::debian_rust::{self, Build};
use crate::foreign::Foreign;
use crate::{command, needs};

/// What stands in for the one thing of glibc that Debian's unwinder asks for.
const FIND_OBJECT: &str = include_str!("../../../packaging/musl/find_object.c");

/// Where all of it lies for one target.
fn folder(target: &Target) -> PathBuf {
    super::folder().join("musl").join(target.name)
}

/// Where cargo puts what it builds.
pub fn built(target: &Target) -> PathBuf {
    super::folder().join("build").join(target.triple)
}

fn packages(target: &Target) -> Vec<&'static str> {
    let compiler = match target.debian {
        "arm64" => "gcc-aarch64-linux-gnu",
        "armhf" => "gcc-arm-linux-gnueabihf",
        _ => "gcc",
    };
    let emulator = target.emulator.map(|_| "qemu-user-static");
    emulator.into_iter().chain([compiler]).collect()
}

/// Installs compilers, and makes what is to be linked with.
///
/// # Errors
/// What cannot be had.
pub fn install(targets: &[&Target]) -> Result<(), String> {
    let mut wanted: Vec<&str> = debian_rust::PACKAGES.to_vec();
    wanted.extend(targets.iter().flat_map(|target| packages(target)));
    wanted.sort_unstable();
    wanted.dedup();
    let missing = debian_rust::missing(&wanted);
    if !missing.is_empty() {
        if !needs::can_install() {
            let all = missing.join(" ");
            return Err(format!(
                "compilers are missing: as root on Debian, `apt-get install {all}`"
            ));
        }
        needs::apt(&missing)?;
    }
    targets.iter().try_for_each(|target| prepare(target))
}

/// musl, the compiler's wrapper and the unwinder of one target, once.
fn prepare(target: &Target) -> Result<(), String> {
    let folder = folder(target);
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let cc = folder.join("cc");
    if !cc.is_file() {
        let root = folder.join("root");
        Foreign::open(target.debian, &folder)?.unpack("musl-dev", &root)?;
        wrapper(target, &folder, &root, &cc)?;
    }
    let unwinder = folder.join("libunwind.a");
    let source = folder.join("find_object.c");
    let as_now = fs::read_to_string(&source).is_ok_and(|text| text == FIND_OBJECT);
    if unwinder.is_file() && as_now {
        return Ok(());
    }
    make_unwinder(target, &folder, &cc, &unwinder)?;
    // Cargo does not see that what it linked with is another.
    debian_rust::remove(&built(target))?;
    // Last: it says that the library is made of it.
    write(&source, FIND_OBJECT, 0o644)
}

/// A C compiler for this C library: Debian's own specs, with the paths of what was unpacked.
fn wrapper(target: &Target, folder: &Path, root: &Path, cc: &Path) -> Result<(), String> {
    let library = root.join("usr/lib").join(target.musl);
    let specs = library.join("musl-gcc.specs");
    let text =
        fs::read_to_string(&specs).map_err(|e| format!("cannot read {}: {e}", specs.display()))?;
    let text = ["lib", "include"].iter().fold(text, |text, part| {
        let installed = format!("/usr/{part}/{}", target.musl);
        let here = root.join("usr").join(part).join(target.musl);
        text.replace(&installed, &here.to_string_lossy())
    });
    let specs = folder.join("cc.specs");
    write(&specs, &text, 0o644)?;
    let flags = target.flags.join(" ");
    let script = format!(
        "#!/bin/sh\nexec {} {flags} \"$@\" -specs '{}'\n",
        target.gcc,
        specs.display()
    );
    write(cc, &script, 0o755)
}

/// Debian's unwinder asks glibc where the tables of a function are. Here it asks [`FIND_OBJECT`].
fn make_unwinder(target: &Target, folder: &Path, cc: &Path, done: &Path) -> Result<(), String> {
    let source = folder.join("new.c");
    write(&source, FIND_OBJECT, 0o644)?;
    let object = folder.join("find_object.o");
    let mut compile = Command::new(cc);
    compile
        .args(["-O2", "-fPIC", "-c", "-o"])
        .arg(&object)
        .arg(&source);
    command::run(&mut compile)?;
    let found = Command::new(target.gcc)
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    let found = found.map_err(|e| format!("cannot run {}: {e}", target.gcc))?;
    let library = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let new = folder.join("libunwind.new");
    fs::copy(&library, &new).map_err(|e| format!("cannot copy {library}: {e}"))?;
    let ar = target.gcc.replace("-gcc", "-ar");
    command::run(Command::new(ar).arg("rs").arg(&new).arg(&object))?;
    // Whole or not at all.
    fs::rename(&new, done).map_err(|e| format!("cannot rename {}: {e}", new.display()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let cannot = |e| format!("cannot write {}: {e}", path.display());
    fs::write(path, text).map_err(cannot)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(cannot)
}

/// What the compiler is told beside where its standard library is. Linked at a fixed place, as the other build is
/// (docs/decisions/0023), with Debian's own files around it.
fn flags(target: &Target) -> Vec<String> {
    let folder = folder(target);
    let library = folder.join("root/usr/lib").join(target.musl);
    let flag = |text: &str| ["-C".to_owned(), text.to_owned()];
    let place = |path: &Path| ["-L".to_owned(), format!("native={}", path.display())];
    [
        flag("link-self-contained=no"),
        flag("relocation-model=static"),
        flag("link-arg=-lgcc"),
        place(&folder),
        place(&library),
    ]
    .concat()
}

fn sysroot(target: &Target) -> Result<PathBuf, String> {
    let parts = "std,panic_unwind,panic_abort,proc_macro,test";
    debian_rust::standard_library(&folder(target), target.triple, parts)
}

/// `cargo build`, or what else of cargo's, for a target.
pub fn cargo(target: &Target, subcommand: &str) -> Result<Command, String> {
    let cc = folder(target).join("cc").display().to_string();
    let build = Build {
        target: target.triple,
        linker: cc.clone(),
        flags: flags(target),
        runner: target.emulator.map(|emulator| vec![emulator.to_owned()]),
        place: super::folder().join("build"),
        sysroot: sysroot(target)?,
    };
    let mut cargo = build.cargo(subcommand);
    let name = target.triple.replace('-', "_");
    cargo
        .env(format!("CC_{name}"), cc)
        .env(format!("AR_{name}"), target.gcc.replace("-gcc", "-ar"));
    Ok(cargo)
}

/// A program that is linked in the same way catches its panics.
///
/// # Errors
/// It does not, or cannot be built.
pub fn panics_are_caught(target: &Target) -> Result<(), String> {
    let folder = folder(target);
    let program = folder.join("panic");
    let mut rustc = Command::new("/usr/bin/rustc");
    rustc
        .env_remove("RUSTUP_TOOLCHAIN")
        .args(["--edition", "2024", "--target", target.triple])
        .arg(format!("--sysroot={}", sysroot(target)?.display()))
        .arg("-C")
        .arg(format!("linker={}", folder.join("cc").display()))
        .args(flags(target))
        .arg("-o")
        .arg(&program)
        .arg(command::root().join("packaging/musl/panic.rs"));
    command::run(&mut rustc)?;
    match target.emulator {
        None => command::run(&mut Command::new(program)),
        Some(emulator) if command::exists(emulator) => {
            command::run(Command::new(emulator).arg(program))
        }
        Some(emulator) => {
            println!("SKIPPED: there is no {emulator} (package qemu-user-static)");
            Ok(())
        }
    }
}
