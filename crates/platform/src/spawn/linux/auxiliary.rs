use std::io;
use std::sync::Arc;

use abide_model::{CgroupLimits, ExitStatus, Launch, Limits};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::descriptors::Ends;
use super::execute;
use super::plan::Plan;
use crate::exit::from_wait_status;
use crate::spawn::{Auxiliary, AuxiliaryOrder, Order, SpawnError};

/// Processes that one command may have at a time, where that can be bounded: one that forks for ever is
/// ended with all it started, but until then it is not to take the machine with it.
const MOST_PROCESSES: u64 = 4096;

/// Starts an auxiliary command, and returns when its program is executed or cannot be. Blocks, for
/// ever if its directory is on a disk that hangs: not for the driver.
///
/// # Errors
/// [`SpawnError`]; no process is left then.
pub fn spawn_auxiliary(order: AuxiliaryOrder) -> Result<Auxiliary, SpawnError> {
    super::reserve_read_ends();
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
        keeper: order.keeper,
        ..Order::new(unit, run, Arc::new(launch), order.tree)
    };
    let ends = Ends::open(&order)?;
    let mut plan = Plan::new(&order, &ends)?;
    // What it knows of the surroundings is in the plan by now; the child is ours.
    plan.keeper = None;
    let cloned = execute(&mut plan, &order)?;
    Ok(Auxiliary {
        pid: cloned.pid,
        handle: cloned
            .pidfd
            .or_else(|| crate::identity::open(cloned.pid).ok()),
    })
}

/// Waits for a child of ours. While nobody has reaped it, its number means nobody else.
pub(in crate::spawn) fn reap(child: &Auxiliary, block: bool) -> io::Result<Option<ExitStatus>> {
    let pid = i32::try_from(child.pid).ok().and_then(Pid::from_raw);
    let options = if block {
        WaitOptions::empty()
    } else {
        WaitOptions::NOHANG
    };
    loop {
        match waitpid(pid, options) {
            Ok(ended) => return Ok(ended.map(|(_, status)| from_wait_status(status.as_raw()))),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
