//! The vocabulary of abide as plain data: what a user asks for ([`Spec`]), what is true
//! ([`UnitStatus`]), what happened ([`Event`]), and the ids and times that tie them together.
//!
//! Architecture invariant: nothing in this crate reads a clock, a file, the environment or the
//! operating system. It depends on serde alone, so that every other crate may depend on it.

mod account;
#[cfg(feature = "api")]
pub mod api;
mod cpus;
mod event;
mod exit;
mod health;
mod hook;
mod id;
mod log;
mod machine;
mod monitor;
mod name;
mod ntstatus;
mod operation;
mod refusal;
mod signal;
mod socket;
mod spec;
mod status;
mod stop;
mod time;

pub use account::{AccountKind, AccountName, Accounts, Unfit};
pub use cpus::{CpuSet, CpuSetError};
pub use event::{Died, EVENTS_VERSION, Event, EventKind, Severity};
pub use exit::{ExitClass, ExitStatus, LastExit, SuccessExit};
pub use health::{
    HealthCheck, HealthProbe, Heartbeat, HttpProbe, NotifyAccess, OnUnhealthy, ProbeKind, Ready,
};
pub use hook::{Hook, HookKind, Hooks, Reload, ReloadAction};
pub use id::{EffectId, OperationId, RequestId, RunId, UnitId};
pub use log::{
    LogEncoding, LogSpec, LogSync, LogTarget, LogTrust, LogWay, Streams, SystemLogSpec, WhenFull,
};
pub use machine::{MachineEvent, PowerEvent, SessionEvent};
pub use monitor::{MonitorSpec, ReportSpec, ReportStyle};
pub use name::{NameError, UnitName};
pub use operation::{
    Operation, OperationKind, OperationState, OperationStep, Rolling, RollingProgress, StepState,
};
pub use refusal::Refusal;
pub use signal::Signal;
pub use socket::{Listen, ListenAddress, SocketGate, SocketPass, SocketSpec};
pub use spec::{
    Backoff, BackoffCurve, CgroupLimits, Command, EnvironmentSpec, GiveUp, Launch, Limits, Policy,
    Restart, Rlimit, RlimitKind, Source, Spec, StdinSpec, UnitType,
};
pub use status::{
    ActualState, DesiredState, Health, HealthStatus, HeartbeatStatus, LastExitStatus,
    LimitUnsupported, LogStatus, RefusedStatus, SourceStatus, UnitStatus,
};
pub use stop::{KILL_STEP, StopAction, StopPlan, StopReport, StopStep, StopStepReport};
pub use time::{Mono, Now, Wall};
