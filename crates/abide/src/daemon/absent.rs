//! There is no daemon for Windows yet, and no keeper.

/// If this process was started as one of abide's own: be it, and return the code to exit with.
#[must_use]
pub fn enter() -> Option<i32> {
    abide_platform::stop::enter()
}
