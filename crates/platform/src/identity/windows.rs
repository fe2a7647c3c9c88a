#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::Path;
use std::time::Duration;

use abide_model::{ExitStatus, RunId, Signal, UnitId};
use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessId, GetProcessTimes, OpenProcess, PROCESS_DUP_HANDLE,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
};

use super::record::SIZE;
use super::{Identity, Probe, Record};
use crate::absent;
use crate::clock::boot;
use crate::exit::from_exit_code;
use crate::handle::Borrowed;
use crate::tree::TERMINATED;
use crate::win32::{checked, code, owned, raw, ticks, wait};

/// A hold on one process that never means another one: as long as it is there the number is not reused, and
/// how the process ended can be read.
#[derive(Debug)]
pub struct Handle {
    identity: Identity,
    process: OwnedHandle,
}

impl Handle {
    /// A hold on the process that has this number now.
    ///
    /// # Errors
    /// `NotFound` when there is none, or when it has ended; those of OpenProcess.
    pub fn open(pid: u32) -> io::Result<Self> {
        let handle = Self::new(open(pid)?)?;
        if handle.alive() {
            Ok(handle)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// A hold by a handle that is there already.
    ///
    /// # Errors
    /// Those of GetProcessTimes.
    pub(crate) fn new(process: OwnedHandle) -> io::Result<Self> {
        // SAFETY: the handle is ours for the call.
        let pid = unsafe { GetProcessId(raw(&process)) };
        let identity = Identity {
            pid,
            boot: boot(),
            inode: None,
            start: Some(started(&process)?),
        };
        Ok(Self { identity, process })
    }

    /// Which process.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// It has not ended.
    #[must_use]
    pub fn alive(&self) -> bool {
        // What cannot be waited for is not taken for ended.
        !matches!(wait(&self.process, Some(Duration::ZERO)), Ok(true))
    }

    /// Waits until it has ended, at most so long (`None`: for ever). How it ended, if it has.
    ///
    /// # Errors
    /// Those of WaitForSingleObject and GetExitCodeProcess.
    pub fn exit(&self, at_most: Option<Duration>) -> io::Result<Option<ExitStatus>> {
        if !wait(&self.process, at_most)? {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is ours, the code goes to a local.
        checked(unsafe { GetExitCodeProcess(raw(&self.process), &mut code) })?;
        Ok(Some(from_exit_code(code)))
    }

    /// To wait for its end.
    #[must_use]
    pub fn waitable(&self) -> Option<Borrowed<'_>> {
        Some(self.process.as_handle())
    }

    /// A handle is spared by nobody here: there are enough.
    pub fn let_go(&mut self) {}

    /// Sends a signal, as far as there is one on Windows: `KILL` ends this process alone.
    ///
    /// # Errors
    /// Those of TerminateProcess; `Unsupported` for any other.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if signal == Signal::KILL {
            return self.terminate(TERMINATED);
        }
        Err(absent::SIGNALS.error())
    }

    /// Ends this process alone, with this code.
    ///
    /// # Errors
    /// Those of TerminateProcess; "access denied" also when it has ended.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is ours for the call.
        checked(unsafe { TerminateProcess(raw(&self.process), code) })
    }
}

/// Signalled once the process ended.
impl AsHandle for Handle {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }
}

fn open(pid: u32) -> io::Result<OwnedHandle> {
    let rights = PROCESS_QUERY_LIMITED_INFORMATION
        | PROCESS_SYNCHRONIZE
        | PROCESS_TERMINATE
        | PROCESS_DUP_HANDLE;
    // SAFETY: takes numbers only; the handle is made for us.
    match unsafe { owned(OpenProcess(rights, 0, pid)) } {
        Err(error) if code(&error) == Some(ERROR_INVALID_PARAMETER) => {
            Err(io::ErrorKind::NotFound.into())
        }
        other => other,
    }
}

impl Record {
    /// Writes down a run that is about to begin: one write in place, as [`Record::read`] knows it.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(
        path: &Path,
        unit: UnitId,
        run: RunId,
        main: &Identity,
        job: u64,
        outputs: &[(u64, u64)],
    ) -> io::Result<()> {
        let mut text = Self::head(unit, run, main.boot, false, None);
        text.push_str(&format!("pid={}\njob={job}\n", main.pid));
        if !outputs.is_empty() {
            let outputs = outputs
                .iter()
                .map(|(taken, written)| format!("{taken}-{written}"));
            let outputs: Vec<String> = outputs.collect();
            text.push_str(&format!("outputs={}\n", outputs.join(" ")));
        }
        if let Some(start) = main.start {
            text.push_str(&format!("start={start}\n"));
        }
        text.push_str("end=1\n");
        text.push_str(&" ".repeat(SIZE.saturating_sub(text.len())));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.write_all(text.as_bytes())
    }
}

/// When a process was made, in units of 100 ns since 1601.
fn started(process: &OwnedHandle) -> io::Result<u64> {
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is ours, the times go to locals.
    checked(unsafe {
        GetProcessTimes(
            raw(process),
            &mut created,
            &mut exited,
            &mut kernel,
            &mut user,
        )
    })?;
    Ok(ticks(created))
}

/// The identity of the process that has this number now.
#[must_use]
pub fn identify(pid: u32) -> Option<Identity> {
    Handle::open(pid).ok().map(|handle| handle.identity())
}

/// The parent of a process means nothing here: nobody has to reap it, and its number may be another's by now.
#[must_use]
pub fn parent(_pid: u32) -> Option<u32> {
    None
}

/// How a process ended, whoever started it. `None`: it lives, or nobody can tell.
#[must_use]
pub fn exit_of_stranger(handle: &Handle) -> Option<ExitStatus> {
    handle.exit(Some(Duration::ZERO)).ok().flatten()
}

/// What became of a recorded process. Number and time of its making together mean one process only.
#[must_use]
pub fn probe(record: &Record) -> Probe {
    let handle = match open(record.process.pid).and_then(Handle::new) {
        Ok(handle) => handle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Probe::Gone(None),
        Err(error) => return Probe::Doubtful(error),
    };
    if record.process.start != handle.identity.start {
        return Probe::NotOurs;
    }
    match handle.exit(Some(Duration::ZERO)) {
        Ok(None) => Probe::Alive(handle),
        // Somebody still holds it, so its code is known.
        Ok(Some(status)) => Probe::Gone(Some(status)),
        Err(error) => Probe::Doubtful(error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn record(process: Identity) -> Record {
        Record {
            unit: UnitId(1),
            run: RunId(1),
            process,
            leader: None,
            tagged: false,
            group: None,
            job: None,
            outputs: Vec::new(),
        }
    }

    #[test]
    fn a_process_is_known_while_it_lives_and_its_code_is_known_while_it_is_held() {
        // Waits for its standard input, and ends when that does.
        let mut child = Command::new("cmd.exe")
            .args(["/d", "/c", "set /p x= & exit 7"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        let handle = Handle::open(child.id()).expect("it lives");
        let known = record(handle.identity());
        assert!(matches!(probe(&known), Probe::Alive(_)));
        assert_eq!(handle.exit(Some(Duration::ZERO)).expect("asked"), None);
        let mut another = known.clone();
        another.process.start = known.process.start.map(|start| start + 1);
        assert!(matches!(probe(&another), Probe::NotOurs));
        drop(child.stdin.take());
        let ended = handle.exit(None).expect("it ends");
        assert_eq!(ended, Some(ExitStatus::Code(7)));
        assert!(!handle.alive());
        assert!(matches!(
            probe(&known),
            Probe::Gone(Some(ExitStatus::Code(7)))
        ));
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("record");
        let main = identify(std::process::id()).expect("this one lives");
        for (job, outputs) in [(0x70, vec![]), (8, vec![(12, 16), (20, 24)])] {
            Record::write(&path, UnitId(3), RunId(9), &main, job, &outputs).expect("written");
            let known = Record::read(&path).expect("read").expect("whole");
            assert_eq!((known.unit, known.run), (UnitId(3), RunId(9)));
            assert_eq!((known.process, known.job), (main, Some(job)));
            assert_eq!(known.outputs, outputs);
            assert!(matches!(probe(&known), Probe::Alive(_)));
        }
    }

    #[test]
    fn a_number_that_no_process_has_is_nobody() {
        assert_eq!(identify(0x7fff_fffc), None);
        let nobody = Identity {
            pid: 0x7fff_fffc,
            ..Identity::default()
        };
        assert!(matches!(probe(&record(nobody)), Probe::Gone(None)));
    }
}
