//! What the tests need besides a Rust toolchain, and how it gets here.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::command;

/// The version that the expectations of the scenario `api_contract` were written for.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What programs of scenarios import. Changed, it is installed anew.
const MODULES: [&str; 2] = ["requests", "sdnotify==0.3.2"];

/// A program that some scenario runs, and the Debian package that it comes in.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("cc", "gcc", "zstd is C"),
    ("python3", "python3", "guarded programs in many scenarios"),
    // The server's binary itself; package redis-server would also start one.
    (
        "redis-check-rdb",
        "redis-tools",
        "redis-server, guarded in the scenario `redis_chain`",
    ),
    ("mkfs.ext4", "e2fsprogs", "the scenario `hung_disk`"),
    ("fsfreeze", "util-linux", "the scenario `hung_disk`"),
    ("wrk", "wrk", "load, in the scenario `sockets`"),
    (
        "systemd-notify",
        "systemd",
        "a child that speaks, in the scenario `notify`",
    ),
    (
        "dpkg-shlibdeps",
        "dpkg-dev",
        "the Debian package, in `cargo xtask systemd`",
    ),
    // The package starts nothing where no service manager runs.
    ("rsyslogd", "rsyslog", "the scenario `system_logs`"),
    (
        "openssl",
        "openssl",
        "certificates, in the scenario `system_logs`",
    ),
];

/// HAProxy and the libraries that it alone needs: unpacked, as an installed one would also be started.
const HAPROXY: &[&str] = &[
    "haproxy",
    "liblua5.3-0",
    "libopentracing1",
    "libopentracing-c-wrapper0",
];

/// What rsyslog has TLS by, below `/usr/lib` and `/usr/lib/ARCHITECTURE`.
const RSYSLOG_TLS: &str = "rsyslog/lmnsd_gtls.so";

fn rsyslog_has_tls() -> bool {
    let libraries = std::path::Path::new("/usr/lib");
    let below = std::fs::read_dir(libraries).into_iter().flatten().flatten();
    let mut folders = below
        .map(|entry| entry.path())
        .chain([libraries.to_owned()]);
    folders.any(|folder| folder.join(RSYSLOG_TLS).is_file())
}

/// Installs what is missing, where that is allowed; says what is missing where it is not. What needs
/// it is then skipped, and says so.
///
/// # Errors
/// Something should have been installed and could not be.
pub fn install() -> Result<(), String> {
    toolchain_parts();
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, ..)| !command::exists(program))
        .collect();
    let venv_missing = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output()
        .is_ok_and(|output| !output.status.success());
    let mut packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    if venv_missing || !command::exists("python3") {
        packages.push("python3-venv");
    }
    if !rsyslog_has_tls() {
        packages.push("rsyslog-gnutls");
    }
    if packages.is_empty() {
        println!("every program that the tests run is here");
    } else if can_install() {
        apt(&packages)?;
    } else {
        for (program, package, what_for) in missing {
            println!("MISSING {program} ({what_for}): as root, `apt-get install {package}`");
        }
        println!("what needs it will be skipped");
    }
    python();
    haproxy();
    Ok(())
}

/// Unpacks HAProxy into `target/haproxy`. A machine that cannot have it skips that one scenario.
fn haproxy() {
    let folder = command::root().join("target").join("haproxy");
    if folder.join("usr/sbin/haproxy").is_file() || !can_install() {
        return;
    }
    let unpack = || -> Result<(), String> {
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let mut download = Command::new("apt-get");
        download.args(["-qq", "download"]).args(HAPROXY);
        // As root into a folder that apt's own account cannot write to, which it complains of.
        download.args(["-o", "APT::Sandbox::User=root"]);
        command::run(download.current_dir(&folder))?;
        for entry in std::fs::read_dir(&folder)
            .map_err(|e| e.to_string())?
            .flatten()
        {
            let file = entry.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                command::run(Command::new("dpkg").arg("-x").arg(&file).arg(&folder))?;
            }
        }
        Ok(())
    };
    if let Err(error) = unpack() {
        println!("MISSING haproxy (the scenario `notify`): {error}");
    }
}

/// Whether this is root on a Debian.
#[must_use]
pub fn can_install() -> bool {
    rustix::process::geteuid().is_root() && command::exists("apt-get")
}

/// Installs packages.
///
/// # Errors
/// What apt-get said is on stderr.
pub fn apt(packages: &[&str]) -> Result<(), String> {
    let apt = |args: &[&str]| {
        command::run(
            Command::new("apt-get")
                .stdout(Stdio::null())
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(args),
        )
    };
    apt(&["-qq", "update"])?;
    let mut args = vec!["-qq", "install", "--yes", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

/// rustfmt and clippy are parts of the toolchain that a minimal install leaves out.
fn toolchain_parts() {
    for (tool, part) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let there = command::cargo()
            .args([tool, "--version"])
            .output()
            .is_ok_and(|output| output.status.success());
        if !there && command::exists("rustup") {
            // Without it the stage that needs it fails and says why.
            let _ = command::run(Command::new("rustup").args(["component", "add", part]));
        }
    }
}

/// Where Python packages are installed.
#[must_use]
pub fn venv() -> PathBuf {
    command::root().join("target").join("venv")
}

/// Installs the API tester, and what programs of scenarios import, into a folder of its own. A machine
/// that cannot have it skips those scenarios.
fn python() {
    let venv = venv();
    let wanted = [&[SCHEMATHESIS], &MODULES[..]].concat();
    let stamp = venv.join(wanted.join(","));
    if stamp.is_file() {
        println!("{} are here", wanted.join(", "));
        return;
    }
    let made = command::run(
        Command::new("python3")
            .arg("-m")
            .arg("venv")
            .arg("--clear")
            .arg(&venv),
    )
    .and_then(|()| {
        let mut pip = Command::new(venv.join("bin/pip"));
        command::run(pip.args(["install", "--quiet"]).args(&wanted))
    })
    .and_then(|()| std::fs::write(&stamp, "").map_err(|error| error.to_string()));
    if let Err(why) = made {
        println!(
            "MISSING {}: {why}\nthe scenarios that need them will be skipped",
            wanted.join(", ")
        );
    }
}
