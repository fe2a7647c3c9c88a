//! The Debian package, by `dpkg-deb` alone: the scripts in `packaging/deb` are what debhelper would write, but for
//! an upgrade, which hands over instead of restarting.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::{copy, date, modes};
use super::target::{Libc, Target};
use super::version;
use crate::{command, debian_rust};

/// Debian's own number, after ours, of what is given to people.
pub const REVISION: u32 = 1;

const SUMMARY: &str = "keeps programs running";

const DESCRIPTION: &str =
    " abide guards any command or a file full of them: it restarts what crashes,
 replaces what hangs and keeps every line of output, and can itself be killed
 at any instant without a program noticing.
 .
 This package has the program, and a systemd service that brings back at boot
 what it keeps.";

/// What is said of the package by the one who makes it, unless `DEBFULLNAME` and `DEBEMAIL` say who that is.
const MAINTAINER: &str = "The abide authors <abide@localhost>";

/// Makes it in `out`, and says where it is. `revision` is Debian's own number, after ours.
///
/// # Errors
/// A file is missing, or `dpkg-deb` fails.
pub fn make(
    out: &Path,
    target: &Target,
    revision: u32,
    program: &Path,
    content: &Path,
) -> Result<PathBuf, String> {
    let version = format!("{}-{revision}", version());
    let name = format!("abide_{version}_{}", target.debian);
    let root = out.join("staging").join(&name);
    debian_rust::remove(&root)?;
    files(&root, &version, program, content)?;
    modes(&root)?;
    let control = root.join("DEBIAN");
    folder(&control)?;
    for script in ["postinst", "prerm", "postrm"] {
        let to = control.join(script);
        copy(&command::root().join("packaging/deb").join(script), &to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
    }
    let depends = match target.libc {
        Libc::Gnu => libraries(program)?,
        Libc::Musl => String::new(),
    };
    write(
        &control.join("control"),
        &control_file(target, &version, &depends, size(&root)?),
    )?;
    write(&control.join("md5sums"), &sums(&root)?)?;
    let package = out.join(format!("{name}.deb"));
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&root)
        .arg(&package)
        .env("SOURCE_DATE_EPOCH", date()?);
    command::run(&mut build)?;
    debian_rust::remove(&root)?;
    Ok(package)
}

/// Everything but what is about the package itself.
fn files(root: &Path, version: &str, program: &Path, content: &Path) -> Result<(), String> {
    let packaging = command::root().join("packaging/deb");
    let doc = root.join("usr/share/doc/abide");
    let man = root.join("usr/share/man/man1");
    let places = [
        ("usr/bin", program.to_owned(), "abide"),
        (
            "lib/systemd/system",
            content.join("abide.service"),
            "abide.service",
        ),
        (
            "usr/share/bash-completion/completions",
            content.join("completions/abide"),
            "abide",
        ),
        (
            "usr/share/zsh/vendor-completions",
            content.join("completions/_abide"),
            "_abide",
        ),
        (
            "usr/share/fish/vendor_completions.d",
            content.join("completions/abide.fish"),
            "abide.fish",
        ),
        (
            "usr/share/lintian/overrides",
            packaging.join("lintian-overrides"),
            "abide",
        ),
        (
            "usr/share/doc/abide",
            packaging.join("copyright"),
            "copyright",
        ),
        (
            "usr/share/doc/abide",
            command::root().join("README.md"),
            "README.md",
        ),
        (
            "usr/share/doc/abide",
            command::root().join("CHANGELOG.md"),
            "changelog",
        ),
    ];
    for (place, from, name) in places {
        folder(&root.join(place))?;
        copy(&from, &root.join(place).join(name))?;
    }
    folder(&man)?;
    copy(&content.join("man"), &man)?;
    write(&doc.join("changelog.Debian"), &changelog(version)?)?;
    let pages = fs::read_dir(&man).map_err(|e| format!("cannot read {}: {e}", man.display()))?;
    let mut packed: Vec<PathBuf> = pages.flatten().map(|page| page.path()).collect();
    packed.extend([doc.join("changelog"), doc.join("changelog.Debian")]);
    packed.sort();
    command::run(
        Command::new("gzip")
            .args(["--best", "--no-name"])
            .args(packed),
    )
}

fn folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(|e| e.to_string())
}

fn maintainer() -> String {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (set("DEBFULLNAME"), set("DEBEMAIL")) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        _ => MAINTAINER.to_owned(),
    }
}

fn control_file(target: &Target, version: &str, depends: &str, size: u64) -> String {
    let mut needs = vec!["init-system-helpers (>= 1.54~)"];
    if !depends.is_empty() {
        needs.push(depends);
    }
    format!(
        "Package: abide\nVersion: {version}\nArchitecture: {}\nMaintainer: {}\nInstalled-Size: {size}\n\
         Depends: {}\nSection: admin\nPriority: optional\nDescription: {SUMMARY}\n{DESCRIPTION}\n",
        target.debian,
        maintainer(),
        needs.join(", ")
    )
}

/// In the form of deb-changelog(5). What changed for users is told in `changelog`.
fn changelog(version: &str) -> Result<String, String> {
    let date = Command::new("date")
        .args(["-u", "-R", "-d", &format!("@{}", date()?)])
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("cannot run date: {e}"))?;
    Ok(format!(
        "abide ({version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- {}  {}",
        maintainer(),
        String::from_utf8_lossy(&date.stdout)
    ))
}

/// The packages whose libraries it uses, with the versions that it needs.
fn libraries(program: &Path) -> Result<String, String> {
    if !command::exists("dpkg-shlibdeps") {
        return Err("there is no dpkg-shlibdeps: as root, `apt-get install dpkg-dev`".to_owned());
    }
    // It wants the sources of a package around it.
    let place = tempfile::tempdir().map_err(|e| e.to_string())?;
    folder(&place.path().join("debian"))?;
    write(
        &place.path().join("debian/control"),
        "Source: abide\n\nPackage: abide\nArchitecture: any\n",
    )?;
    let output = Command::new("dpkg-shlibdeps")
        .arg("-O")
        .arg(program)
        .current_dir(place.path())
        .output()
        .map_err(|e| format!("cannot run dpkg-shlibdeps: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.trim()
        .strip_prefix("shlibs:Depends=")
        .map(str::to_owned)
        .ok_or_else(|| {
            format!(
                "dpkg-shlibdeps said {said:?} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
}

/// In KiB, as Debian counts.
fn size(root: &Path) -> Result<u64, String> {
    let output = Command::new("du")
        .args(["-sk", "--apparent-size"])
        .arg(root)
        .output()
        .map_err(|e| format!("cannot run du: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = said.split_whitespace().next();
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("du said {said:?}"))
}

/// Of every file, as deb-md5sums(5) has it.
fn sums(root: &Path) -> Result<String, String> {
    let script = "find . -type f ! -path './DEBIAN/*' -printf '%P\\0' | sort -z | xargs -0 md5sum";
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(root)
        .output();
    let output = output.map_err(|e| format!("cannot run sh: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What Debian's own checker has to say, where it is installed.
///
/// # Errors
/// It has found an error, or something to warn of.
pub fn lint(package: &Path) -> Result<(), String> {
    if !command::exists("lintian") {
        println!("SKIPPED lintian: it is not installed (`apt-get install lintian`)");
        return Ok(());
    }
    let mut lintian = Command::new("lintian");
    // As root it warns of that.
    lintian.args(["--allow-root", "--fail-on", "error,warning"]);
    command::run(lintian.arg(package))
}
