use std::borrow::Cow;

use abide_model::UnitName;

/// The name of a unit's folder: the unit's.
#[must_use]
pub fn of_unit(unit: &UnitName) -> Cow<'_, str> {
    unit.as_str().into()
}

/// The unit that a folder of this name belongs to, if it is one's.
#[must_use]
pub fn unit_of(folder: &str) -> Option<UnitName> {
    folder.parse().ok()
}
