use std::io;
use std::os::windows::io::AsHandle;
use std::sync::Arc;
use std::time::Duration;

use abide_model::{CgroupLimits, ExitStatus, Launch, Limits};

use super::create::System;
use super::{Logon, begin};
use crate::identity::Handle;
use crate::spawn::{Auxiliary, AuxiliaryOrder, Order, SpawnError};

/// Processes that one command may have at a time: one that forks for ever is ended with all it started, but
/// until then it is not to take the machine with it.
const MOST_PROCESSES: u64 = 4096;

/// Starts an auxiliary command, and returns when its program is going or cannot be started. Blocks while the
/// system looks for the file: not for the driver. It dies with this process, as its job does.
///
/// # Errors
/// [`SpawnError`]; no process is left then.
pub fn spawn_auxiliary(order: AuxiliaryOrder) -> Result<Auxiliary, SpawnError> {
    let launch = Launch {
        command: order.command,
        limits: Limits {
            tree: CgroupLimits {
                processes: Some(MOST_PROCESSES),
                ..CgroupLimits::default()
            },
            process: order.launch.limits.process.clone(),
        },
        ..(*order.launch).clone()
    };
    let (unit, run) = (order.tree.unit(), order.tree.run());
    let order = Order {
        variables: order.variables,
        stdout: order.stdout,
        stderr: order.stderr,
        ..Order::new(unit, run, Arc::new(launch), order.tree)
    };
    let spawned = begin(&order, &System::machine(), Logon::Once)?.go_with_us(&order)?;
    Ok(Auxiliary {
        pid: spawned.identity().pid,
        handle: spawned.as_handle().try_clone_to_owned().ok(),
    })
}

/// How a command ended, if it has.
pub(in crate::spawn) fn reap(child: &Auxiliary, block: bool) -> io::Result<Option<ExitStatus>> {
    let Some(handle) = &child.handle else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let handle = Handle::new(handle.try_clone()?)?;
    handle.exit((!block).then_some(Duration::ZERO))
}
