//! Fault points of this crate, which knows no operating system: whoever uses it says what passing
//! one means. Without the feature `faults`, nothing.

#[cfg(any(test, feature = "faults"))]
static ON_POINT: std::sync::OnceLock<fn(&'static str)> = std::sync::OnceLock::new();

/// From now on this is called at every fault point, with its name.
#[cfg(any(test, feature = "faults"))]
pub fn on_fault_point(call: fn(&'static str)) {
    // The first word counts: there is one program that says it, once.
    let _ = ON_POINT.set(call);
}

#[cfg(any(test, feature = "faults"))]
pub(crate) fn point(name: &'static str) {
    if let Some(call) = ON_POINT.get() {
        call(name);
    }
}

#[cfg(not(any(test, feature = "faults")))]
#[inline(always)]
pub(crate) fn point(_: &'static str) {}
