//! Systems whose files and limits the doctor cannot read yet.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Error;
use crate::doctor::facts::{Facts, Questions};
use crate::doctor::machine::{Clock, Machine};
use crate::doctor::ports::Listener;

fn absent<T>() -> Result<T, Error> {
    Err(Error::Invalid(
        "examine anything here: this version has a doctor on Linux only".to_owned(),
    ))
}

/// Refuses.
pub(in crate::doctor) fn facts(_questions: &Questions) -> Result<Facts, Error> {
    absent()
}

/// Refuses.
pub(in crate::doctor) fn listeners() -> Result<Vec<Listener>, Error> {
    absent()
}

/// What is the same everywhere: the clock. The rest is not known, and not judged.
///
/// # Errors
/// None.
pub fn machine(home: &Path) -> Result<Machine, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Machine {
        home: home.to_owned(),
        clock: Clock {
            now: now.map_or(0, |time| time.as_secs()),
            newest: 0,
        },
        ..Machine::default()
    })
}
