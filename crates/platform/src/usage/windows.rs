#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::OwnedHandle;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED};
use windows_sys::Win32::System::JobObjects::{
    JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION, JobObjectBasicAndIoAccountingInformation,
    QueryInformationJobObject,
};
use windows_sys::Win32::System::ProcessStatus::{
    K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS, PROCESS_MEMORY_COUNTERS_EX,
};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION};

use super::{Figures, Halt, Io, Usage};
use crate::tree::RunTree;
use crate::win32::{checked, code, owned, raw};

/// What a job has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Counted {
    cpu: Duration,
    io: Io,
}

/// One look at the system for many runs. They have nothing in common that could be read at once: a job is asked
/// by itself.
#[derive(Debug)]
pub struct Look;

/// Memory that a [`Look`] uses again from run to run.
#[derive(Default, Debug)]
pub struct Desk {}

impl Look {
    /// Begins to look at these runs.
    #[must_use]
    pub fn begin<'r>(_runs: impl IntoIterator<Item = &'r RunTree>, _figures: Figures) -> Self {
        Self
    }

    /// What one of the runs uses. Blocks.
    #[must_use]
    pub fn at(&self, run: &RunTree, figures: Figures, _desk: &mut Desk) -> Usage {
        one(run, figures)
    }
}

/// What keeps a process from going on: Windows does not say.
#[must_use]
pub fn halt(_pid: u32) -> Option<Halt> {
    None
}

/// Samples runs: CPU time and transfers of the whole job since it began, processes that have ended included;
/// the memory that its processes have committed for themselves.
///
/// Transfers are those of all files, pipes and devices: Windows counts what is asked for, and not what
/// reaches a disk.
#[must_use]
pub fn sample(runs: &[RunTree], figures: Figures) -> Vec<Usage> {
    runs.iter().map(|run| one(run, figures)).collect()
}

fn one(run: &RunTree, figures: Figures) -> Usage {
    let pids = run.processes().unwrap_or_default();
    // A system that does not count says so, and the figure is not there.
    let counted = count(run).ok().flatten();
    Usage {
        cpu: counted.filter(|_| figures.cpu).map(|counted| counted.cpu),
        memory: pids.iter().filter_map(|&pid| memory(pid)).sum(),
        processes: pids.len() as u64,
        state: None,
        io: counted.filter(|_| figures.io).map(|counted| counted.io),
        throttled: None,
    }
}

fn count(run: &RunTree) -> io::Result<Option<Counted>> {
    let job = run.handle()?;
    let mut information = JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION::default();
    // SAFETY: the job is held, the structure is as large as is said.
    let answer = checked(unsafe {
        QueryInformationJobObject(
            raw(&job),
            JobObjectBasicAndIoAccountingInformation,
            (&raw mut information).cast(),
            size_of::<JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION>() as u32,
            std::ptr::null_mut(),
        )
    });
    match answer {
        Ok(()) => Ok(Some(counted(&information))),
        Err(error) => match code(&error) {
            Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED) => Ok(None),
            _ => Err(error),
        },
    }
}

fn counted(information: &JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION) -> Counted {
    let basic = &information.BasicInfo;
    let ticks = basic.TotalUserTime.saturating_add(basic.TotalKernelTime);
    Counted {
        cpu: Duration::from_nanos(u64::try_from(ticks).unwrap_or(0).saturating_mul(100)),
        io: Io {
            read: information.IoInfo.ReadTransferCount,
            written: information.IoInfo.WriteTransferCount,
        },
    }
}

/// Bytes that a process has for itself. `None`: it has ended, or may not be looked at.
fn memory(pid: u32) -> Option<u64> {
    // SAFETY: takes numbers only; the handle is made for us.
    let process: OwnedHandle =
        unsafe { owned(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid)) }.ok()?;
    let mut counters = PROCESS_MEMORY_COUNTERS_EX::default();
    let size = size_of::<PROCESS_MEMORY_COUNTERS_EX>() as u32;
    // SAFETY: the longer structure begins as the shorter one does, and is as large as is said.
    let answer = unsafe {
        K32GetProcessMemoryInfo(
            raw(&process),
            (&raw mut counters).cast::<PROCESS_MEMORY_COUNTERS>(),
            size,
        )
    };
    (answer != 0).then_some(counters.PrivateUsage as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_job_are_units_of_100_ns_and_transfers_are_bytes() {
        let mut information = JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION::default();
        information.BasicInfo.TotalUserTime = 15_000_000;
        information.BasicInfo.TotalKernelTime = 5_000_000;
        information.IoInfo.ReadTransferCount = 7;
        information.IoInfo.WriteTransferCount = 9;
        // What follows neither of them.
        information.IoInfo.OtherTransferCount = 1000;
        information.BasicInfo.ThisPeriodTotalUserTime = 1000;
        let expected = Counted {
            cpu: Duration::from_secs(2),
            io: Io {
                read: 7,
                written: 9,
            },
        };
        assert_eq!(counted(&information), expected);
    }
}
