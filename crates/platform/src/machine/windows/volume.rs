#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf, Prefix};
use std::ptr::null_mut;

use windows_sys::Win32::Storage::FileSystem::{
    GetDiskFreeSpaceExW, GetDriveTypeW, GetVolumeInformationW, GetVolumePathNameW,
};
use windows_sys::Win32::System::SystemServices::FILE_READ_ONLY_VOLUME;
use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

use crate::win32::{checked, wide};

/// What a file or folder lies on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// The folder that leads to it, `C:\` or one that it is mounted in.
    pub root: PathBuf,
    /// Bytes that are left for this account.
    pub free: u64,
    /// Nothing can be written.
    pub read_only: bool,
    /// It lies on another machine.
    pub remote: bool,
}

/// What a file or folder, which must be there, lies on.
///
/// # Errors
/// Those of GetVolumePathName, GetDiskFreeSpaceEx and GetVolumeInformation.
pub fn volume(path: &Path) -> io::Result<Volume> {
    let name = wide(path)?;
    // The root is no longer than the path, but for a separator and the zero.
    let mut root = vec![0_u16; name.len().max(4) + 2];
    // SAFETY: the path ends with a zero, the root is as long as is said.
    checked(unsafe { GetVolumePathNameW(name.as_ptr(), root.as_mut_ptr(), root.len() as u32) })?;
    let (mut free, mut flags) = (0, 0);
    // SAFETY: path and root end with a zero; what is told goes to locals, and nothing else is asked for.
    let drive = unsafe {
        checked(GetDiskFreeSpaceExW(
            name.as_ptr(),
            &mut free,
            null_mut(),
            null_mut(),
        ))
        // It wants a folder.
        .or_else(|_| {
            checked(GetDiskFreeSpaceExW(
                root.as_ptr(),
                &mut free,
                null_mut(),
                null_mut(),
            ))
        })?;
        checked(GetVolumeInformationW(
            root.as_ptr(),
            null_mut(),
            0,
            null_mut(),
            null_mut(),
            &mut flags,
            null_mut(),
            0,
        ))?;
        GetDriveTypeW(root.as_ptr())
    };
    let end = root.iter().position(|unit| *unit == 0);
    let root = OsString::from_wide(&root[..end.unwrap_or(root.len())]);
    Ok(Volume {
        root: root.into(),
        free,
        read_only: flags & FILE_READ_ONLY_VOLUME != 0,
        remote: drive == DRIVE_REMOTE,
    })
}

/// Whether a path begins with a drive's letter that stands for a folder of another machine: such letters are those of one
/// session, and services have none of them.
#[must_use]
pub fn is_remote_drive(path: &Path) -> bool {
    let Some(Component::Prefix(prefix)) = path.components().next() else {
        return false;
    };
    let (Prefix::Disk(letter) | Prefix::VerbatimDisk(letter)) = prefix.kind() else {
        return false;
    };
    let root = [u16::from(letter), u16::from(b':'), u16::from(b'\\'), 0];
    // SAFETY: the root ends with a zero.
    let drive = unsafe { GetDriveTypeW(root.as_ptr()) };
    drive == DRIVE_REMOTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_folder_and_a_file_lie_on_is_told() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("filé");
        std::fs::write(&file, "").expect("written");
        for path in [place.path(), &file] {
            let volume = volume(path).expect("it is told");
            assert!(path.starts_with(&volume.root), "{volume:?}");
            assert!(!volume.read_only && volume.free > 0, "{volume:?}");
        }
        assert!(!is_remote_drive(place.path()));
        assert!(!is_remote_drive(Path::new(r"\\server\share\x")));
        assert!(!is_remote_drive(Path::new("x")));
    }
}
