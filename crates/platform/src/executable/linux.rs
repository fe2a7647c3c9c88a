use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::NotExecutable;

/// Numbers of `e_machine` (elf(5)) that people may meet, and Rust's words for them.
const MACHINES: [(u16, &str); 8] = [
    (0x03, "x86"),
    (0x08, "mips"),
    (0x14, "powerpc"),
    (0x15, "powerpc64"),
    (0x16, "s390x"),
    (0x28, "arm"),
    (0x3e, "x86_64"),
    (0xb7, "aarch64"),
];

/// What the kernel puts behind the name of a file that has none any more (proc_pid_exe(5)).
const DELETED: &[u8] = b" (deleted)";

/// A file that can be executed here, open.
#[derive(Debug)]
pub struct Executable {
    file: File,
    path: PathBuf,
    script: bool,
}

impl Executable {
    /// Opens and looks at it; nothing is executed. `path` must be absolute.
    ///
    /// # Errors
    /// [`NotExecutable`].
    pub fn open(path: &Path) -> Result<Self, NotExecutable> {
        let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NotExecutable::Missing,
            _ => NotExecutable::Io(error),
        })?;
        if meta.is_dir() {
            return Err(NotExecutable::NoFile("a directory"));
        }
        // Before it is opened: a FIFO would wait for its other end.
        if !meta.is_file() {
            return Err(NotExecutable::NoFile("a device, a socket or a pipe"));
        }
        let may = accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS);
        if may.is_err() || meta.mode() & 0o111 == 0 {
            return Err(NotExecutable::Mode(path.to_owned()));
        }
        let mut file = File::open(path).map_err(NotExecutable::Io)?;
        let mut head = [0; 20];
        let read = file.read(&mut head).map_err(NotExecutable::Io)?;
        let head = head.get(..read).unwrap_or(&[]);
        let script = head.starts_with(b"#!");
        if !script {
            let theirs = machine(head).ok_or(NotExecutable::Format)?;
            let ours = own_machine();
            if ours.is_some_and(|ours| ours != theirs) {
                let name = MACHINES.iter().find(|(number, _)| *number == theirs);
                return Err(NotExecutable::Machine {
                    theirs: name.map_or_else(
                        || format!("number {theirs}"),
                        |(_, name)| (*name).to_owned(),
                    ),
                    ours: std::env::consts::ARCH,
                });
            }
        }
        // Where it really lies: a link may lead elsewhere tomorrow.
        let path = std::fs::canonicalize(path).map_err(NotExecutable::Io)?;
        Ok(Self { file, path, script })
    }

    /// Where it lay when it was opened, links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its first line names another program that reads it: it has no process image of its own.
    #[must_use]
    pub fn is_script(&self) -> bool {
        self.script
    }

    /// It is the very file that this process runs.
    #[must_use]
    pub fn is_own(&self) -> bool {
        let Ok(own) = std::fs::metadata("/proc/self/exe") else {
            return false;
        };
        self.file
            .metadata()
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == (own.dev(), own.ino()))
    }

    /// A name under which a child of this process can execute just this file, for as long as this is open.
    #[must_use]
    pub fn held_path(&self) -> PathBuf {
        let (pid, fd) = (std::process::id(), self.file.as_raw_fd());
        format!("/proc/{pid}/fd/{fd}").into()
    }
}

impl AsFd for Executable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The file that this process runs, as far as it has a name, and whether that name still leads to it.
///
/// # Errors
/// The kernel does not say.
pub fn own() -> io::Result<(PathBuf, bool)> {
    let link = std::fs::read_link("/proc/self/exe")?;
    let bytes = link.as_os_str().as_bytes();
    let path = match bytes.strip_suffix(DELETED) {
        Some(before) => PathBuf::from(std::ffi::OsString::from_vec(before.to_vec())),
        None => link,
    };
    let running = std::fs::metadata("/proc/self/exe")?;
    let same = std::fs::metadata(&path)
        .is_ok_and(|meta| (meta.dev(), meta.ino()) == (running.dev(), running.ino()));
    Ok((path, same))
}

/// The `e_machine` of an ELF file of this byte order.
fn machine(head: &[u8]) -> Option<u16> {
    let bytes = head.strip_prefix(b"\x7fELF")?.get(14..16)?;
    let big = head.get(5) == Some(&2);
    let bytes = [*bytes.first()?, *bytes.get(1)?];
    Some(if big {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    })
}

fn own_machine() -> Option<u16> {
    let arch = std::env::consts::ARCH;
    MACHINES
        .iter()
        .find(|(_, name)| *name == arch)
        .map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, bytes: &[u8], mode: u32) -> PathBuf {
        let path = dir.join("program");
        std::fs::write(&path, bytes).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        path
    }

    #[test]
    fn this_very_program_is_executable_and_our_own() {
        let (path, same) = own().expect("known");
        assert!(same);
        let executable = Executable::open(&path).expect("opens");
        assert!(executable.is_own() && !executable.is_script());
    }

    #[test]
    fn what_cannot_be_executed_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().expect("dir");
        let refused = |path: &Path| Executable::open(path).expect_err("refused").to_string();
        assert_eq!(refused(dir.path()), "is a directory, not a program");
        assert_eq!(refused(&dir.path().join("none")), "is not there");
        assert!(refused(Path::new("/dev/null")).starts_with("is a device"));
        let mut elf = std::fs::read("/proc/self/exe").expect("read")[..64].to_vec();
        let path = file(dir.path(), &elf, 0o644);
        assert!(refused(&path).starts_with("is not executable; `chmod +x "));
        elf[18..20].copy_from_slice(&0xf3u16.to_le_bytes());
        let path = file(dir.path(), &elf, 0o755);
        assert!(refused(&path).starts_with("is built for another kind of machine (number 243;"));
        let path = file(dir.path(), b"hello", 0o755);
        assert_eq!(
            refused(&path),
            "is neither a program of this system nor a script"
        );
        let path = file(dir.path(), b"#!/bin/sh\n", 0o755);
        assert!(Executable::open(&path).expect("opens").is_script());
    }
}
