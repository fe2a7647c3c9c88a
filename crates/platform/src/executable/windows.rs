#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::MAX_PATH;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_SHARE_DELETE, FILE_SHARE_READ, GetFileInformationByHandle,
    GetFinalPathNameByHandleW,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use super::NotExecutable;
use crate::win32::{checked, owned, raw};

/// A file that can be executed here, open: so long nobody writes to it, and it is found under whatever name it
/// is given.
#[derive(Debug)]
pub struct Executable {
    file: File,
    path: PathBuf,
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
        let mut file = hold(path).map_err(NotExecutable::Io)?;
        let mut head = [0; 2];
        let read = file.read(&mut head).map_err(NotExecutable::Io)?;
        // What every program of this system begins with.
        if head.get(..read) != Some(b"MZ") {
            return Err(NotExecutable::Format);
        }
        let path = path_of(&file).map_err(NotExecutable::Io)?;
        Ok(Self { file, path })
    }

    /// Where it lay when it was opened, links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Never: only programs are taken.
    #[must_use]
    pub fn is_script(&self) -> bool {
        false
    }

    /// It is the very file that this process runs.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match OWN.get() {
            Some(own) => same(own, &self.file),
            None => own().is_ok_and(|(own, _)| hold(&own).is_ok_and(|own| same(&own, &self.file))),
        }
    }

    /// A name under which a child of this process can execute just this file, for as long as this is open.
    #[must_use]
    pub fn held_path(&self) -> PathBuf {
        path_of(&self.file).unwrap_or_else(|_| self.path.clone())
    }
}

impl AsHandle for Executable {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.file.as_handle()
    }
}

/// The file that this process runs.
static OWN: OnceLock<File> = OnceLock::new();

/// Has [`own`] know the file itself and not only its name. To be called before anybody may have renamed it.
pub(crate) fn note_own() {
    // Then the name has to do.
    if let Ok(file) = std::env::current_exe().and_then(|path| hold(&path)) {
        // It is the same file the second time.
        let _ = OWN.set(file);
    }
}

/// The file that this process runs, by the name under which it was started, and whether that still leads to it:
/// what runs here can be renamed, and is never written over.
///
/// # Errors
/// Those of GetModuleFileName.
pub fn own() -> io::Result<(PathBuf, bool)> {
    let path = std::env::current_exe()?;
    let is_there = match OWN.get() {
        Some(own) => hold(&path).is_ok_and(|file| same(own, &file)),
        None => path.exists(),
    };
    Ok((path, is_there))
}

/// Opens a program so that it can be executed and renamed as before, and not be written to.
pub(crate) fn hold(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE)
        .open(path)
}

/// What an open file is called by now.
///
/// # Errors
/// Those of GetFinalPathNameByHandle: it has no name any more.
pub(crate) fn path_of(file: &impl AsHandle) -> io::Result<PathBuf> {
    let mut room = vec![0_u16; MAX_PATH as usize];
    loop {
        let size = u32::try_from(room.len()).unwrap_or(u32::MAX);
        // SAFETY: the handle is borrowed for the call, and there is room for as many characters as is said.
        let length = unsafe { GetFinalPathNameByHandleW(raw(file), room.as_mut_ptr(), size, 0) };
        match room.get(..length as usize) {
            _ if length == 0 => return Err(io::Error::last_os_error()),
            Some(name) => return Ok(usual(&OsString::from_wide(name))),
            None => room.resize(length as usize, 0),
        }
    }
}

/// A path as people write it, where that can be: without the prefix that lifts the limit of its length.
fn usual(path: &OsString) -> PathBuf {
    let text = path.to_str().filter(|path| path.len() < MAX_PATH as usize);
    let plain = text.and_then(|path| match path.strip_prefix(r"\\?\UNC\") {
        Some(share) => Some(format!(r"\\{share}")),
        None => path.strip_prefix(r"\\?\").map(str::to_owned),
    });
    plain.map_or_else(|| path.into(), PathBuf::from)
}

/// Whether both are the very same file.
fn same(one: &File, other: &File) -> bool {
    matches!((number(one), number(other)), (Ok(one), Ok(other)) if one == other)
}

/// What tells a file from all others as long as it is open.
fn number(file: &File) -> io::Result<(u32, u32, u32)> {
    let mut about = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is borrowed for the call, and the answer goes to a local.
    checked(unsafe { GetFileInformationByHandle(raw(file), &mut about) })?;
    Ok((
        about.dwVolumeSerialNumber,
        about.nFileIndexHigh,
        about.nFileIndexLow,
    ))
}

/// The file that another process runs. `None`: it has ended, or may not be asked.
#[must_use]
pub fn of_process(pid: u32) -> Option<PathBuf> {
    // SAFETY: takes numbers only; the handle is made for us.
    let process = unsafe { owned(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid)) }.ok()?;
    let mut name = [0_u16; 1024];
    let mut length = name.len() as u32;
    // SAFETY: the handle is ours, the name is as long as is said.
    checked(unsafe {
        QueryFullProcessImageNameW(
            raw(&process),
            PROCESS_NAME_WIN32,
            name.as_mut_ptr(),
            &mut length,
        )
    })
    .ok()?;
    let name = name.get(..length as usize)?;
    Some(PathBuf::from(OsString::from_wide(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_and_told_from_a_copy_of_it() {
        let (path, is_there) = own().expect("known");
        assert!(is_there);
        let ours = Executable::open(&path).expect("opens");
        assert!(ours.is_own());
        let dir = tempfile::tempdir().expect("dir");
        let copy = dir.path().join("a copy.exe");
        std::fs::copy(&path, &copy).expect("copied");
        let copy = Executable::open(&copy).expect("opens");
        assert!(!copy.is_own());
        let name = copy.held_path();
        assert!(name.ends_with("a copy.exe"), "{}", name.display());
        assert!(!name.starts_with(r"\\?\"), "{}", name.display());
        assert!(Executable::open(&name).is_ok_and(|again| same(&again.file, &copy.file)));
    }

    #[test]
    fn what_is_no_program_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().expect("dir");
        let refused = |path: &Path| Executable::open(path).expect_err("refused").to_string();
        assert_eq!(refused(dir.path()), "is a directory, not a program");
        assert_eq!(refused(&dir.path().join("none")), "is not there");
        let script = dir.path().join("x.cmd");
        std::fs::write(&script, "@echo off").expect("written");
        assert!(refused(&script).starts_with("is neither a program"));
    }

    #[test]
    fn a_path_is_told_as_people_write_it_where_that_can_be() {
        let told = |path: &str| usual(&path.into()).display().to_string();
        assert_eq!(told(r"\\?\C:\a b\abide.exe"), r"C:\a b\abide.exe");
        assert_eq!(told(r"\\?\UNC\there\x.exe"), r"\\there\x.exe");
        let long = format!(r"\\?\C:\{}", "x".repeat(300));
        assert_eq!(told(&long), long);
    }
}
