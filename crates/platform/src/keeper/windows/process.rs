//! Keepers and daemons are processes of this executable that inherit a few handles, by number.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsHandle, AsRawHandle, IntoRawHandle, OwnedHandle};
use std::path::PathBuf;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, HANDLE, MAX_PATH};
use windows_sys::Win32::System::Console::{GetConsoleProcessList, STD_ERROR_HANDLE, SetStdHandle};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DETACHED_PROCESS,
    EXTENDED_STARTUPINFO_PRESENT, PROCESS_CREATION_FLAGS, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW,
};

use crate::spawn::{Attributes, command_line};
use crate::win32::{begun, checked, code, inheritable, owned, raw, wide};

/// Variables by their names in capital letters, as their case does not count; with the names as they are.
pub(super) type Variables = BTreeMap<OsString, (OsString, OsString)>;

/// Those of this process, except some.
pub(super) fn variables(keep: impl Fn(&OsStr) -> bool) -> Variables {
    std::env::vars_os()
        .filter(|(name, _)| keep(name))
        .map(|(name, value)| (name.to_ascii_uppercase(), (name, value)))
        .collect()
}

/// What a process of ours is made with.
pub(super) struct Order<'a> {
    /// The file; `None`: that of this process.
    pub program: Option<PathBuf>,
    /// Its arguments, without the program's name.
    pub arguments: Vec<OsString>,
    pub variables: Variables,
    /// What it inherits beside its standard streams; each inheritable.
    pub handles: Vec<&'a OwnedHandle>,
    /// Where its messages go; `None`: where ours do.
    pub stderr: Option<&'a OwnedHandle>,
    /// It has no console, reads nothing and writes only messages; and it is to leave the job that we are in.
    pub detached: bool,
}

/// Makes it. Its current directory is the system's, so that it is in nobody's way.
///
/// # Errors
/// Those of CreateProcess.
pub(super) fn create(order: &Order<'_>) -> io::Result<(OwnedHandle, u32)> {
    let program = match &order.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?,
    };
    let line = words(program.as_os_str(), &order.arguments)?;
    let block = block(&order.variables);
    let streams = Streams::new(order)?;
    let mut handles: Vec<HANDLE> = order.handles.iter().map(|h| h.as_raw_handle()).collect();
    handles.extend([&streams.input, &streams.output, &streams.error].map(raw));
    let attributes = Attributes::new(None, &handles)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = raw(&streams.input);
    startup.StartupInfo.hStdOutput = raw(&streams.output);
    startup.StartupInfo.hStdError = raw(&streams.error);
    startup.lpAttributeList = attributes.pointer();
    let (file, directory) = (wide(&program)?, wide(system_directory())?);
    let mut flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    // What has no console would be given one that everybody sees.
    if order.detached || !has_console() {
        flags |= DETACHED_PROCESS;
    }
    let make = |flags: PROCESS_CREATION_FLAGS| {
        let mut line = line.clone();
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: all texts end with a zero and live until after the call, as do the list and what it names;
        // the line may be written to; the structure says its size.
        checked(unsafe {
            CreateProcessW(
                file.as_ptr(),
                line.as_mut_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                1,
                flags,
                block.as_ptr().cast(),
                directory.as_ptr(),
                (&raw const startup).cast(),
                &mut made,
            )
        })?;
        // SAFETY: both were made for us just now.
        let (process, thread) = unsafe { (owned(made.hProcess), owned(made.hThread)) };
        drop(thread);
        Ok((process?, made.dwProcessId))
    };
    let make = |flags| begun(|| make(flags));
    match make(
        flags
            | if order.detached {
                CREATE_BREAKAWAY_FROM_JOB
            } else {
                0
            },
    ) {
        // A job of whoever typed the command that nobody may leave.
        Err(error) if order.detached && code(&error) == Some(ERROR_ACCESS_DENIED) => make(flags),
        made => made,
    }
}

/// The standard streams of the process, as it inherits them.
struct Streams {
    input: OwnedHandle,
    output: OwnedHandle,
    error: OwnedHandle,
}

impl Streams {
    fn new(order: &Order<'_>) -> io::Result<Self> {
        let nothing = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("NUL")?;
        // Who was started without a stream has none to pass on.
        let or_nothing = |own: &dyn AsOwn| match own.own().filter(|_| !order.detached) {
            Some(own) => Ok(own),
            None => inheritable(&nothing),
        };
        Ok(Self {
            input: or_nothing(&io::stdin())?,
            output: or_nothing(&io::stdout())?,
            error: match order.stderr {
                Some(handle) => inheritable(handle)?,
                None => io::stderr()
                    .own()
                    .map_or_else(|| inheritable(&nothing), Ok)?,
            },
        })
    }
}

/// A standard stream of this process.
trait AsOwn {
    /// An inheritable duplicate of it, if it is there.
    fn own(&self) -> Option<OwnedHandle>;
}

impl<T: AsHandle> AsOwn for T {
    fn own(&self) -> Option<OwnedHandle> {
        inheritable(&self.as_handle()).ok()
    }
}

fn words(program: &OsStr, arguments: &[OsString]) -> io::Result<Vec<u16>> {
    let text = |word: &OsStr| {
        let text = word.to_str().map(str::to_owned);
        text.ok_or_else(|| {
            let text = format!("{} is no text in Unicode", word.display());
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })
    };
    let program = text(program)?;
    let arguments = arguments.iter().map(|argument| text(argument));
    let arguments = arguments.collect::<io::Result<Vec<_>>>()?;
    let line = command_line(&program, &arguments)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    wide(line)
}

/// As CreateProcess wants it: sorted by name, each ended by a zero, and all by another one.
fn block(variables: &Variables) -> Vec<u16> {
    let mut block = Vec::new();
    for (name, value) in variables.values() {
        block.extend(name.encode_wide());
        block.push(u16::from(b'='));
        block.extend(value.encode_wide());
        block.push(0);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

/// This process is on a console.
pub(super) fn has_console() -> bool {
    let mut first = [0];
    // SAFETY: there is room for as many as is said. Without a console it fails, with 0.
    unsafe { GetConsoleProcessList(first.as_mut_ptr(), 1) != 0 }
}

/// Gives this process another standard error, which its children inherit.
pub(super) fn set_stderr(handle: OwnedHandle) -> io::Result<()> {
    // Left open: it is the process's own from now on.
    let handle = handle.into_raw_handle();
    // SAFETY: the handle is valid, and given away.
    checked(unsafe { SetStdHandle(STD_ERROR_HANDLE, handle) })
}

/// This process is in nobody's way any more.
pub(super) fn leave_directory() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the keeper has one thread, and uses absolute paths"
    )]
    // It is only in somebody's way if it fails.
    let _ = std::env::set_current_dir(system_directory());
}

/// A folder that is always there, and that nobody wants to remove.
pub(super) fn system_directory() -> PathBuf {
    let mut path = [0_u16; MAX_PATH as usize];
    // SAFETY: there is room for as many characters as is said.
    let length = unsafe { GetSystemDirectoryW(path.as_mut_ptr(), MAX_PATH) } as usize;
    let path = path.get(..length).unwrap_or(&[]);
    OsString::from_wide(path).into()
}
