//! What a job is told of a unit's limits: `JOBOBJECT_EXTENDED_LIMIT_INFORMATION` and
//! `JOBOBJECT_CPU_RATE_CONTROL_INFORMATION` of winnt.h.

#![allow(unsafe_code)]

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};

use abide_model::{CpuSet, Launch, LimitUnsupported, RlimitKind};
use windows_sys::Win32::System::JobObjects::{
    JOB_OBJECT_CPU_RATE_CONTROL_ENABLE, JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP,
    JOB_OBJECT_LIMIT_ACTIVE_PROCESS, JOB_OBJECT_LIMIT_AFFINITY,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_JOB_MEMORY,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_PRIORITY_CLASS,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_LIMIT_PROCESS_TIME,
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION, JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectCpuRateControlInformation,
    JobObjectExtendedLimitInformation,
};
use windows_sys::Win32::System::Threading::{
    ABOVE_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess,
    GetProcessAffinityMask, HIGH_PRIORITY_CLASS, IDLE_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS,
};

use super::no_such_processor;
use crate::absent::{self, Absent};

/// The one call by which a job learns anything: SetInformationJobObject.
pub(crate) trait Tell {
    /// A class of information, and the structure that belongs to it.
    fn tell(&self, class: i32, structure: &[u8]) -> io::Result<()>;
}

/// What a job is to enforce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    /// Bytes that all processes together may commit.
    memory: Option<usize>,
    /// Bytes that each may.
    process_memory: Option<usize>,
    /// User time of each, in units of 100 ns.
    process_time: Option<i64>,
    /// Live processes.
    processes: Option<u32>,
    /// In hundredths of a percent of all processors.
    cpu_rate: Option<NonZeroU32>,
    /// The class that processes get, and may not leave.
    priority_class: Option<u32>,
    /// The processors on which they run, a bit each: some of this machine's, of which a job knows the first 64.
    affinity: Option<NonZeroUsize>,
}

/// The processors of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Processors {
    /// How many a process may use.
    pub number: usize,
    /// Those that a job may be told of, a bit each; none: it is not known.
    pub mask: usize,
}

impl Processors {
    /// Of the machine that this runs on.
    pub fn here() -> Self {
        let (mut own, mut mask) = (0, 0);
        // SAFETY: a constant that means this process; both numbers are ours.
        let known = unsafe { GetProcessAffinityMask(GetCurrentProcess(), &mut own, &mut mask) };
        Self {
            number: std::thread::available_parallelism().map_or(1, usize::from),
            mask: if known == 0 { 0 } else { mask },
        }
    }

    /// Those of `wanted` that are there; `None`: none is.
    fn of(self, wanted: &CpuSet) -> Option<NonZeroUsize> {
        let bits = wanted.numbers().map(u32::from);
        let bits = bits.filter_map(|number| 1_usize.checked_shl(number));
        let wanted = bits.fold(0, |mask, bit| mask | bit);
        let there = if self.mask == 0 {
            usize::MAX
        } else {
            self.mask
        };
        NonZeroUsize::new(wanted & there)
    }
}

impl Settings {
    /// What a unit asks for, and which of it cannot be had on Windows.
    pub(crate) fn of(launch: &Launch, processors: Processors) -> (Self, Vec<LimitUnsupported>) {
        let tree = &launch.limits.tree;
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut settings = Self {
            memory: tree.memory.map(size),
            processes: tree.processes.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            cpu_rate: tree
                .cpu
                .and_then(|share| cpu_rate(share, processors.number)),
            priority_class: launch.priority.map(priority_class),
            ..Self::default()
        };
        let mut unsupported = Vec::new();
        if let Some(wanted) = &launch.cpu_affinity {
            settings.affinity = processors.of(wanted);
            if settings.affinity.is_none() {
                unsupported.push(no_such_processor());
            }
        }
        let mut refuse = |limit: &str, why: &Absent| {
            unsupported.push(LimitUnsupported {
                limit: limit.to_owned(),
                reason: why.reason.to_owned(),
            });
        };
        for (limit, wanted) in [
            ("io_read", tree.io_read.is_some()),
            ("io_write", tree.io_write.is_some()),
        ] {
            if wanted {
                refuse(limit, &absent::IO_RATE);
            }
        }
        if launch.oom_score.is_some() {
            refuse("oom_score", &absent::OOM_SCORE);
        }
        for limit in &launch.limits.process {
            match (limit.kind, limit.value) {
                (RlimitKind::AddressSpace, value) => settings.process_memory = value.map(size),
                (RlimitKind::CpuTime, value) => {
                    settings.process_time = value
                        .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
                        .map(|seconds| seconds.saturating_mul(10_000_000));
                }
                (kind, _) => refuse(key(kind), &absent::PROCESS_LIMIT),
            }
        }
        (settings, unsupported)
    }

    /// Tells a job all of it. `release`: its processes live on when nobody holds the job any more; until
    /// then they die with the last handle to it. What was told before is replaced.
    ///
    /// The CPU rate is a structure of its own, which some systems refuse: then that is said and the rest
    /// holds.
    pub(crate) fn tell(
        self,
        job: &dyn Tell,
        release: bool,
    ) -> io::Result<Option<LimitUnsupported>> {
        let limits = self.extended(release);
        job.tell(JobObjectExtendedLimitInformation, bytes(&limits))?;
        let Some(rate) = self.cpu_rate else {
            return Ok(None);
        };
        let rate = JOBOBJECT_CPU_RATE_CONTROL_INFORMATION {
            ControlFlags: JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP,
            Anonymous: JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0 {
                CpuRate: rate.get(),
            },
        };
        let told = job.tell(JobObjectCpuRateControlInformation, bytes(&rate));
        Ok(told.err().map(|error| LimitUnsupported {
            limit: "cpu".to_owned(),
            reason: format!("this system refuses a CPU rate for a job: {error}"),
        }))
    }

    fn extended(self, release: bool) -> JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        // A crash is an exit, not a dialog that waits for somebody. Never with leave to break away.
        let mut flags = JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        if !release {
            flags |= JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        }
        if let Some(memory) = self.memory {
            flags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            limits.JobMemoryLimit = memory;
        }
        if let Some(memory) = self.process_memory {
            flags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
            limits.ProcessMemoryLimit = memory;
        }
        let basic = &mut limits.BasicLimitInformation;
        if let Some(time) = self.process_time {
            flags |= JOB_OBJECT_LIMIT_PROCESS_TIME;
            basic.PerProcessUserTimeLimit = time;
        }
        if let Some(processes) = self.processes {
            flags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
            basic.ActiveProcessLimit = processes;
        }
        if let Some(class) = self.priority_class {
            flags |= JOB_OBJECT_LIMIT_PRIORITY_CLASS;
            basic.PriorityClass = class;
        }
        if let Some(affinity) = self.affinity {
            flags |= JOB_OBJECT_LIMIT_AFFINITY;
            basic.Affinity = affinity.get();
        }
        basic.LimitFlags = flags;
        limits
    }
}

/// A share of one processor as a rate of all of them.
fn cpu_rate(share: f64, processors: usize) -> Option<NonZeroU32> {
    let rate = share / processors.max(1) as f64 * 10_000.0;
    // All of them is no limit, and so is what makes no sense.
    if !rate.is_finite() || rate >= 10_000.0 {
        return None;
    }
    NonZeroU32::new((rate.round() as u32).max(1))
}

/// What a nice value is called here.
fn priority_class(nice: i32) -> u32 {
    match nice {
        ..=-15 => HIGH_PRIORITY_CLASS,
        -14..=-1 => ABOVE_NORMAL_PRIORITY_CLASS,
        0 => NORMAL_PRIORITY_CLASS,
        1..=14 => BELOW_NORMAL_PRIORITY_CLASS,
        15.. => IDLE_PRIORITY_CLASS,
    }
}

fn key(kind: RlimitKind) -> &'static str {
    match kind {
        RlimitKind::OpenFiles => "open_files",
        RlimitKind::CoreSize => "core_size",
        RlimitKind::FileSize => "file_size",
        RlimitKind::Stack => "stack",
        RlimitKind::AddressSpace => "address_space",
        RlimitKind::LockedMemory => "locked_memory",
        RlimitKind::CpuTime => "cpu_time",
    }
}

/// A structure of winnt.h as Windows gets it.
fn bytes<T: Copy>(structure: &T) -> &[u8] {
    let size = std::mem::size_of::<T>();
    // SAFETY: both structures are plain numbers without gaps that anybody reads, and live as long as this.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(structure).cast(), size) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use abide_model::{Limits, Rlimit};

    use super::*;

    /// A job that writes down what it is told.
    #[derive(Default)]
    struct Fake {
        told: RefCell<Vec<(i32, Vec<u8>)>>,
        without_rates: bool,
    }

    impl Tell for Fake {
        fn tell(&self, class: i32, structure: &[u8]) -> io::Result<()> {
            if self.without_rates && class == 15 {
                return Err(io::Error::from_raw_os_error(87));
            }
            self.told.borrow_mut().push((class, structure.to_vec()));
            Ok(())
        }
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    }

    const FOUR: Processors = Processors {
        number: 4,
        mask: 0b1111,
    };

    fn launch() -> Launch {
        let mut launch = crate::spawn::tests::launch(&["x.exe"]);
        launch.priority = Some(5);
        launch.cpu_affinity = Some("1-2,70".parse().expect("a list"));
        launch.limits = Limits::default();
        launch.limits.tree.memory = Some(512 << 20);
        launch.limits.tree.cpu = Some(0.5);
        launch.limits.tree.processes = Some(100);
        launch.limits.process = vec![Rlimit {
            kind: RlimitKind::CpuTime,
            value: Some(7),
        }];
        launch
    }

    /// Offsets and numbers are those of winnt.h for 64 bits, written out.
    #[test]
    fn a_job_is_told_its_limits_in_the_structures_that_windows_knows() {
        let (settings, unsupported) = Settings::of(&launch(), FOUR);
        assert_eq!(unsupported, []);
        let job = Fake::default();
        assert_eq!(settings.tell(&job, false).expect("told"), None);
        let told = job.told.borrow();
        let [(9, limits), (15, rate)] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(limits.len(), 144);
        assert_eq!(u64_at(limits, 0), 70_000_000, "PerProcessUserTimeLimit");
        let flags = 0x2000 | 0x400 | 0x200 | 0x20 | 0x10 | 0x8 | 0x2;
        assert_eq!(u32_at(limits, 16), flags, "LimitFlags");
        assert_eq!(u32_at(limits, 40), 100, "ActiveProcessLimit");
        assert_eq!(u64_at(limits, 48), 0b110, "Affinity");
        assert_eq!(u32_at(limits, 56), 0x4000, "PriorityClass");
        assert_eq!(u64_at(limits, 120), 512 << 20, "JobMemoryLimit");
        assert_eq!(rate.len(), 8);
        assert_eq!(u32_at(rate, 0), 1 | 4, "enabled, as a hard cap");
        assert_eq!(u32_at(rate, 4), 1250, "half of one of four processors");
    }

    #[test]
    fn a_released_job_keeps_its_limits_and_nobody_may_ever_leave_it() {
        let job = Fake::default();
        let (settings, _) = Settings::of(&launch(), FOUR);
        settings.tell(&job, true).expect("told");
        let flags = u32_at(&job.told.borrow()[0].1, 16);
        assert_eq!(flags & 0x2000, 0, "KILL_ON_JOB_CLOSE");
        assert_eq!(
            flags & (0x800 | 0x1000),
            0,
            "BREAKAWAY_OK, SILENT_BREAKAWAY_OK"
        );
        assert_eq!(flags & 0x200, 0x200, "JOB_MEMORY");
    }

    #[test]
    fn what_windows_cannot_limit_is_said_with_its_key() {
        let mut launch = launch();
        launch.limits.tree.io_read = Some(1);
        launch.oom_score = Some(1);
        launch.cpu_affinity = Some("4,64".parse().expect("a list"));
        launch.limits.process.push(Rlimit {
            kind: RlimitKind::OpenFiles,
            value: Some(7),
        });
        let (settings, unsupported) = Settings::of(&launch, FOUR);
        let keys: Vec<_> = unsupported.iter().map(|u| u.limit.as_str()).collect();
        assert_eq!(keys, ["cpu_affinity", "io_read", "oom_score", "open_files"]);
        let job = Fake {
            without_rates: true,
            ..Fake::default()
        };
        let refused = settings.tell(&job, false).expect("the rest is told");
        assert_eq!(refused.map(|u| u.limit).as_deref(), Some("cpu"));
    }

    #[test]
    fn a_share_of_all_processors_is_no_limit_and_a_tiny_one_is_the_least_there_is() {
        let rate = |share, processors| cpu_rate(share, processors).map(NonZeroU32::get);
        assert_eq!(rate(2.0, 2), None);
        assert_eq!(rate(9.0, 2), None);
        assert_eq!(rate(1.0, 2), Some(5000));
        assert_eq!(rate(0.000_001, 2), Some(1));
    }
}
