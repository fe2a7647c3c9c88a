//! Systems whose files and limits the doctor cannot read yet.

use std::path::Path;

use crate::Error;
use crate::doctor::facts::{Facts, Questions};
use crate::doctor::machine::Machine;
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

/// Refuses.
pub fn machine(_home: &Path) -> Result<Machine, Error> {
    absent()
}
