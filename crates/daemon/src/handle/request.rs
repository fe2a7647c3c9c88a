//! The requests that the driver takes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use abide_config::DaemonSettings;
use abide_core::{Command, Explanation, PlanStep};
use abide_model::api::Upgrading;
use abide_model::{Operation, OperationKind, Refusal, Rolling, Spec, UnitId};
use abide_platform::executable::Executable;
use tokio::sync::oneshot;

use crate::api::Door;

/// Where an answer goes. Dropping it unsent tells the asker that the driver is gone.
#[derive(Debug)]
pub struct Reply<T>(pub(super) oneshot::Sender<Result<T, Refusal>>);

impl<T> Reply<T> {
    /// Answers. Whether the asker still waits is no concern of the driver's.
    pub fn send(self, answer: Result<T, Refusal>) {
        let _ = self.0.send(answer);
    }
}

/// One configuration file, read and checked: all of its units.
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigSource {
    /// The source's name: the file's absolute path. `UnitRecord::source` and
    /// `Command::DownSource` hold its text.
    pub file: PathBuf,
    /// The argument that it was found by: itself, or its directory.
    pub argument: PathBuf,
    /// All of its units, instances told apart.
    pub specs: Vec<Spec>,
    /// The variables that its `inherit` took from the caller, remembered for the next reading.
    pub environment: BTreeMap<String, String>,
    /// What it says about the daemon itself.
    pub settings: DaemonSettings,
    /// Numbers of instances set by hand, by full name without instance; remembered for the next
    /// reading of what is remembered. `up FILE` clears them.
    pub scale: BTreeMap<String, u32>,
}

impl ConfigSource {
    /// The name that the core knows the source by.
    #[must_use]
    pub fn name(&self) -> String {
        self.file.to_string_lossy().into_owned()
    }
}

/// What [`Request::Upgrade`] is about.
#[derive(Debug)]
pub struct Replacement {
    /// The file.
    pub executable: Executable,
    /// Its version, for people.
    pub to: String,
    /// The keeper is to execute it, too.
    pub keeper: bool,
}

/// A request to the driver.
#[derive(Debug)]
pub enum Request {
    /// Hand the command to the core, answer with the operation. Never `Command::Apply`.
    Command {
        /// Ids are resolved already.
        command: Command,
        /// Sent when the core's `Reply` effect comes.
        reply: Reply<Operation>,
    },
    /// Give ids to the units and hand `Command::Apply` to the core; when it is taken, remember the
    /// sources, their environment and `listen`.
    Apply {
        /// `Up`, `Run` or `Scale`.
        kind: OperationKind,
        /// The sources that change; others are left alone.
        sources: Vec<ConfigSource>,
        /// What runs and changed is restarted a few at a time.
        rolling: Option<Rolling>,
        /// Sent when the core's `Reply` effect comes.
        reply: Reply<Operation>,
    },
    /// What `Apply` would change.
    Plan {
        /// As for `Apply`.
        sources: Vec<ConfigSource>,
        /// The core's plan; the asker compares the specs by itself.
        reply: Reply<Vec<PlanStep>>,
    },
    /// Another executable is to be the daemon.
    Upgrade {
        /// It has said that it can.
        replacement: Replacement,
        /// Sent when the new daemon is prepared and this one leaves, or with the reason why not.
        reply: Reply<Upgrading>,
    },
    /// A socket that the API listens on is to outlive this daemon.
    KeepDoor(Door, abide_platform::Handle),
    /// It is not needed any more.
    DropDoor(Door),
    /// Why the unit is in its state.
    Explain {
        /// The unit.
        unit: UnitId,
        /// From the core's own state.
        reply: Reply<Explanation>,
    },
}
