use std::io;

use abide_model::Signal;

use crate::absent::Absent;
use crate::tree::RunTree;

/// Whether [`ask`] may block, so that it is not for the driver.
pub const ASKING_BLOCKS: bool = false;

/// Takes one step of a stop: asks all of the run to end, and does not wait for what comes of it. A signal is what its
/// name says, so there is nothing to add.
///
/// # Errors
/// Nobody of it may be asked.
pub fn ask(tree: &RunTree, signal: Signal) -> io::Result<Option<String>> {
    tree.signal(signal)?;
    // One that is stopped could not obey (systemd.kill(5) does the same). If this cannot be sent, its time runs
    // out as it would without it.
    let _ = tree.signal(Signal::CONT);
    Ok(None)
}

/// Whether a program can take this signal as the word to read its configuration again.
///
/// # Errors
/// None: a program can heed any that can be sent.
pub fn can_reload(_: Signal) -> Result<(), &'static Absent> {
    Ok(())
}

/// To be called first of all in `main`, and to end with the code that it says. Nothing is to be played here.
#[must_use]
pub fn enter() -> Option<i32> {
    None
}
