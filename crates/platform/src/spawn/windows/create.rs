//! The call that makes a process, apart from what it is told, so that a test can stand in for Windows.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr::null;

use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::Threading::{
    CreateProcessAsUserW, CreateProcessW, PROCESS_CREATION_FLAGS, PROCESS_INFORMATION,
    STARTUPINFOEXW,
};

use crate::account::{Disguise, act_as};
use crate::logon::{Calls, Machine, Sessions, sessions};
use crate::private::Descriptor;
use crate::win32::{checked, owned, raw};

/// What a process is made of. Texts end with a zero.
pub(super) struct Making<'a> {
    pub file: &'a [u16],
    /// The call may write to it.
    pub line: &'a mut [u16],
    /// Who may open the process and its thread; `None`: as for all that abide makes.
    pub security: Option<&'a Descriptor>,
    pub flags: PROCESS_CREATION_FLAGS,
    pub environment: &'a [u16],
    pub directory: &'a [u16],
    pub startup: &'a STARTUPINFOEXW,
}

/// A process and its first thread.
pub(super) type Made = (OwnedHandle, OwnedHandle);

/// Who makes processes.
pub(super) trait Create {
    /// CreateProcessW, or CreateProcessAsUserW for whose token it is. All handles that the startup lists are inherited.
    fn create(&self, token: Option<&OwnedHandle>, making: &mut Making<'_>) -> io::Result<Made>;

    /// ImpersonateLoggedOnUser: this thread acts for them until what is returned is dropped.
    fn act_as(&self, token: &OwnedHandle) -> io::Result<Disguise> {
        act_as(token)
    }
}

impl Create for Machine {
    fn create(&self, token: Option<&OwnedHandle>, making: &mut Making<'_>) -> io::Result<Made> {
        let attributes = making.security.map(Descriptor::attributes);
        let attributes: *const SECURITY_ATTRIBUTES = match &attributes {
            Some(attributes) => attributes,
            None => null(),
        };
        let mut made = PROCESS_INFORMATION::default();
        let (file, line) = (making.file.as_ptr(), making.line.as_mut_ptr());
        let (block, directory) = (
            making.environment.as_ptr().cast(),
            making.directory.as_ptr(),
        );
        let startup = (&raw const *making.startup).cast();
        // SAFETY: all texts end with a zero and live until after the call, as do the attributes and what the startup names;
        // the line may be written to; the startup says its size. Both handles are made for us.
        unsafe {
            checked(match token {
                None => CreateProcessW(
                    file,
                    line,
                    attributes,
                    attributes,
                    1,
                    making.flags,
                    block,
                    directory,
                    startup,
                    &mut made,
                ),
                Some(token) => CreateProcessAsUserW(
                    raw(token),
                    file,
                    line,
                    attributes,
                    attributes,
                    1,
                    making.flags,
                    block,
                    directory,
                    startup,
                    &mut made,
                ),
            })?;
            let (process, thread) = (owned(made.hProcess), owned(made.hThread));
            Ok((process?, thread?))
        }
    }
}

/// Windows, or a test that stands in for it.
pub(super) struct System<'a> {
    pub accounts: &'a dyn Calls,
    pub sessions: &'a Sessions,
    pub processes: &'a dyn Create,
}

impl System<'static> {
    pub fn machine() -> Self {
        Self {
            accounts: &Machine,
            sessions: sessions(),
            processes: &Machine,
        }
    }
}
