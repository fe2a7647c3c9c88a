#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::FreeLibrary;
use windows_sys::Win32::System::Diagnostics::Debug::{
    FORMAT_MESSAGE_ARGUMENT_ARRAY, FORMAT_MESSAGE_FROM_HMODULE, FormatMessageW,
};
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, RegisterEventSourceW, ReportEventW,
};

use windows_sys::Win32::System::LibraryLoader::{LOAD_LIBRARY_AS_DATAFILE, LoadLibraryExW};

use crate::win32::{checked, wide};

/// As many characters as a message may have with its strings here.
const LONGEST: usize = 4096;

/// What the viewer shows for this id, by the message table of a file. A text may take more
/// strings than the two; those are empty.
///
/// # Errors
/// The file cannot be read, or has no text for the id (317).
pub fn text(file: &Path, id: u32, strings: [&str; 2]) -> io::Result<String> {
    let name = wide(file)?;
    let (first, second) = (wide(strings[0])?, wide(strings[1])?);
    // SAFETY: the name ends with a zero; as data, nothing of it is executed.
    let module = unsafe { LoadLibraryExW(name.as_ptr(), null_mut(), LOAD_LIBRARY_AS_DATAFILE) };
    if module.is_null() {
        return Err(io::Error::last_os_error());
    }
    // Texts of others may want more than there are.
    let none = [0_u16];
    let mut list: [*const u16; 99] = [none.as_ptr(); 99];
    list[0] = first.as_ptr();
    list[1] = second.as_ptr();
    let mut buffer = vec![0_u16; LONGEST];
    // SAFETY: the module is loaded; the buffer has that length; the list has a text for each of the 99 that a message
    // can name, and outlives the call.
    let length = unsafe {
        FormatMessageW(
            FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY,
            module,
            id,
            0,
            buffer.as_mut_ptr(),
            LONGEST as u32,
            list.as_ptr().cast(),
        )
    };
    let error = io::Error::last_os_error();
    // SAFETY: it was loaded above, and is not used any more.
    unsafe { FreeLibrary(module) };
    if length == 0 {
        return Err(error);
    }
    Ok(String::from_utf16_lossy(
        buffer.get(..length as usize).unwrap_or(&[]),
    ))
}

/// A source of the machine's Event Log, open.
#[derive(Debug)]
pub struct Source(*mut c_void);

// SAFETY: the handle is a number of the process's, which any thread may use.
unsafe impl Send for Source {}

impl Source {
    /// Opens a source. One that is not registered reports as well, and its texts are shown without their form.
    ///
    /// # Errors
    /// Those of RegisterEventSourceW.
    pub fn open(name: &str) -> io::Result<Self> {
        let name = wide(name)?;
        // SAFETY: null means this machine; the name ends with a zero.
        let source = unsafe { RegisterEventSourceW(null(), name.as_ptr()) };
        if source.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(source))
    }

    /// Reports an event: its type (1 error, 2 warning, 4 information), its id, its strings.
    ///
    /// # Errors
    /// Those of ReportEventW.
    pub fn report(&self, kind: u16, id: u32, strings: &[String]) -> io::Result<()> {
        let texts: Vec<Vec<u16>> = strings.iter().map(wide).collect::<io::Result<_>>()?;
        let list: Vec<*const u16> = texts.iter().map(|text| text.as_ptr()).collect();
        let count = u16::try_from(list.len()).unwrap_or(u16::MAX);
        // SAFETY: the source is open; the list has that many texts, which outlive the call; null means no account
        // and no data.
        checked(unsafe {
            ReportEventW(
                self.0,
                kind,
                0,
                id,
                null_mut(),
                count,
                0,
                list.as_ptr(),
                null(),
            )
        })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { DeregisterEventSource(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::System::EventLog::{
        CloseEventLog, GetNumberOfEventLogRecords, GetOldestEventLogRecord, OpenEventLogW,
    };

    /// The number of the newest record of the log of applications, which is 0 for ever under Wine.
    fn newest() -> u32 {
        let name = wide("Application").expect("a name");
        let (mut oldest, mut count) = (0, 0);
        // SAFETY: the name ends with a zero; the numbers go to locals; the log is closed once.
        unsafe {
            let log = OpenEventLogW(null(), name.as_ptr());
            assert!(!log.is_null(), "{}", io::Error::last_os_error());
            assert_ne!(GetNumberOfEventLogRecords(log, &mut count), 0);
            // An empty log has no oldest one.
            let _none = GetOldestEventLogRecord(log, &mut oldest);
            CloseEventLog(log);
        }
        oldest + count
    }

    #[test]
    fn an_event_is_reported_with_its_strings() {
        let before = newest();
        let source = Source::open("abide").expect("it is opened");
        let strings = [
            "a text of abide's tests: 50% of \u{fc}".to_owned(),
            String::new(),
        ];
        source.report(4, 906, &strings).expect("it is taken");
        if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
            assert!(newest() > before);
        }
        let zero = source.report(4, 906, &["a\0b".to_owned()]);
        assert_eq!(
            zero.expect_err("it would be cut").kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
