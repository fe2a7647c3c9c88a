use super::{Order, SpawnError, Spawned, Step};

/// Starts the run, and returns when its program is executed or cannot be. Blocks: not for the driver.
/// Several threads may spawn at once.
///
/// # Errors
/// [`SpawnError`]; no process is left then.
pub fn spawn(order: &Order) -> Result<Spawned, SpawnError> {
    let _ = order;
    Err(SpawnError {
        step: Step::Clone,
        errno: None,
        text: "make a process: not yet".into(),
        recorded: false,
    })
}
