//! Wine's folders ("prefixes"): a registry, a drive C and a server each. Programs of one prefix see each
//! other, so each test program gets its own: a clone of a template, by hard links, which takes no time
//! and no room.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::toolchain::remove;
use super::{folder, wine};

const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";

/// Changed whenever the template is to be made anew.
const RECIPE: &str = "2";

/// What Wine writes anew when it ends: must not be shared.
const REGISTRY: [&str; 3] = ["system.reg", "user.reg", "userdef.reg"];

/// Settings of the template's registry: key, name, type, value.
const SETTINGS: &[(&str, &str, &str, &str)] = &[
    // Wine 8 says Windows 7 by itself.
    (r"HKCU\Software\Wine", "Version", "REG_SZ", "win10"),
    // Windows and their messages without a display.
    (r"HKCU\Software\Wine\Drivers", "Graphics", "REG_SZ", "null"),
    // A program that crashes ends, instead of asking in a dialog that nobody sees.
    (
        r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug",
        "Auto",
        "REG_SZ",
        "1",
    ),
    // Its manager takes a service for dead that has not answered in ten seconds. A busy machine needs longer to load one.
    (
        r"HKLM\System\CurrentControlSet\Control",
        "ServicesPipeTimeout",
        "REG_SZ",
        "120000",
    ),
];

/// Wine 8 lacks this library, which Rust's standard library takes its random numbers from.
const RANDOM: &str = r"#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    return SystemFunction036(bytes, (ULONG)count);
}
";

/// A folder of Wine's that is removed, with all that runs in it, when this is dropped.
pub struct Prefix {
    path: PathBuf,
    /// As long as it is locked somebody uses the prefix.
    _owner: File,
}

impl Prefix {
    /// A new one, which looks like the template.
    pub fn new() -> Result<Self, String> {
        let template = template()?;
        let (prefix, path) = Self::empty()?;
        let copied = Command::new("cp")
            .args(["--archive", "--link", "--no-target-directory"])
            .args([&template, &path])
            .status()
            .map_err(|error| format!("cannot run cp: {error}"))?;
        if !copied.success() {
            return Err(format!("cannot clone {}: cp {copied}", template.display()));
        }
        for name in REGISTRY {
            let (from, to) = (template.join(name), path.join(name));
            fs::remove_file(&to)
                .and_then(|()| fs::copy(&from, &to))
                .map_err(|error| format!("cannot copy {}: {error}", from.display()))?;
        }
        Ok(prefix)
    }

    fn empty() -> Result<(Self, PathBuf), String> {
        let path = folder()
            .join("prefixes")
            .join(std::process::id().to_string());
        remove(&path)?;
        let owner = fs::create_dir_all(path.join("tmp"))
            .and_then(|()| File::create(path.join("owner")))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        let prefix = Self {
            path: path.clone(),
            _owner: owner,
        };
        Ok((prefix, path))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wine, about to run this.
    pub fn wine(&self, program: &Path) -> Command {
        let mut command = Command::new(WINE);
        command.arg(program);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .env("WINEPREFIX", &self.path)
            // The server's socket lies there too, and goes with the prefix.
            .env("TMPDIR", self.path.join("tmp"))
            .env(
                "WINEDLLOVERRIDES",
                "mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d",
            )
            // Tests of what Wine does not do leave that to real Windows.
            .env("ABIDE_UNDER_WINE", "1")
            .env_remove("DISPLAY");
        if std::env::var_os("WINEDEBUG").is_none() {
            command.env("WINEDEBUG", "-all");
        }
    }

    /// Ends every process of it.
    fn end(&self) {
        for flag in ["-k", "-w"] {
            let mut server = Command::new(SERVER);
            server.arg(flag);
            self.surround(&mut server);
            // Where none runs it says so by its exit code, and there is nothing to end.
            let _ = wine::bounded(&mut server, Duration::from_secs(20));
        }
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.end();
        if let Err(why) = remove(&self.path) {
            eprintln!("xtask: {why}");
        }
    }
}

/// Removes the prefixes of runners that were killed, and what still runs in them.
pub fn remove_abandoned() -> Result<(), String> {
    let Ok(entries) = fs::read_dir(folder().join("prefixes")) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(owner) = File::open(path.join("owner")) else {
            remove(&path)?;
            continue;
        };
        match owner.try_lock() {
            Ok(()) => drop(Prefix {
                path,
                _owner: owner,
            }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// The prefix that all are cloned from, made if there is none yet or another Wine made it.
pub fn template() -> Result<PathBuf, String> {
    let (template, stamp) = (folder().join("template"), folder().join("template.made"));
    let wanted = format!("{RECIPE} {}", version()?);
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(template);
    }
    make(&template)?;
    fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
    Ok(template)
}

/// What Wine says of itself.
pub fn version() -> Result<String, String> {
    let output = Command::new(WINE)
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot run {WINE}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn make(template: &Path) -> Result<(), String> {
    let (prefix, path) = Prefix::empty()?;
    let wine = |arguments: &[&str]| {
        let mut command = prefix.wine(Path::new(arguments[0]));
        command
            .args(&arguments[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match wine::bounded(&mut command, Duration::from_secs(180))? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("`{}` {status}", arguments.join(" "))),
            None => Err(format!("`{}` does not end", arguments.join(" "))),
        }
    };
    wine(&["wineboot", "--init"])?;
    for (key, name, kind, value) in SETTINGS {
        wine(&["reg", "add", key, "/v", name, "/t", kind, "/d", value, "/f"])?;
    }
    random_numbers(&path)?;
    prefix.end();
    // What belongs to this one process.
    for name in ["owner", "wineserver"] {
        let _ = fs::remove_file(path.join(name));
    }
    remove(&path.join("tmp"))?;
    remove(template)?;
    fs::rename(&path, template).map_err(|error| error.to_string())?;
    fs::create_dir_all(template.join("tmp")).map_err(|error| error.to_string())
}

/// Builds the library that Wine lacks, if it does.
fn random_numbers(prefix: &Path) -> Result<(), String> {
    let library = prefix
        .join("drive_c/windows/system32")
        .join("bcryptprimitives.dll");
    if library.exists() {
        return Ok(());
    }
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc")
        .args(["-O2", "-s", "-shared", "-x", "c", "-", "-x", "none"])
        .arg("-ladvapi32")
        .arg("-o")
        .arg(&library)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run x86_64-w64-mingw32-gcc: {error}"))?;
    if let Some(mut stdin) = compiler.stdin.take() {
        let written = stdin.write_all(RANDOM.as_bytes());
        written.map_err(|error| format!("cannot hand over a source: {error}"))?;
    }
    match compiler.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cannot build {}: gcc {status}", library.display())),
        Err(error) => Err(error.to_string()),
    }
}
