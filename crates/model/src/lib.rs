//! The vocabulary of abide as plain data: what a user asks for ([`Spec`]), what is true
//! ([`UnitStatus`]), what happened ([`Event`]), and the ids and times that tie them together.
//!
//! Architecture invariant: nothing in this crate reads a clock, a file, the environment or the
//! operating system. It depends on serde alone, so that every other crate may depend on it.

#[cfg(feature = "api")]
pub mod api;
mod event;
mod exit;
mod id;
mod log;
mod name;
mod operation;
mod refusal;
mod signal;
mod spec;
mod status;
mod time;

pub use event::{Event, EventKind};
pub use exit::{ExitClass, ExitStatus, LastExit, SuccessExit};
pub use id::{EffectId, OperationId, RequestId, RunId, UnitId};
pub use log::{LogSpec, Streams};
pub use name::{NameError, UnitName};
pub use operation::{Operation, OperationKind, OperationState, OperationStep, StepState};
pub use refusal::Refusal;
pub use signal::Signal;
pub use spec::{
    Backoff, BackoffCurve, CgroupLimits, Command, EnvironmentSpec, GiveUp, Heartbeat, Launch,
    Limits, Policy, ProbeKind, Ready, Restart, Rlimit, RlimitKind, Source, Spec, StdinSpec,
    StopAction, StopPlan, StopStep, UnitType,
};
pub use status::{
    ActualState, DesiredState, Health, HeartbeatStatus, LastExitStatus, LimitUnsupported,
    LogStatus, SourceStatus, UnitStatus,
};
pub use time::{Mono, Now, Wall};
