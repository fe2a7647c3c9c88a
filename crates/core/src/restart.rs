//! Arithmetic of restarts: how long to wait, when a run was stable, when to give up.

use std::time::Duration;

use abide_model::{Backoff, GiveUp, Mono};

use crate::rng::Rng;
use crate::teeth::{Fault, planted};

/// A run of this length is stable where the policy has no backoff that would say so.
pub const DEFAULT_RESET_AFTER: Duration = Duration::from_secs(10);

/// How long a run must last to end a row of crashes.
pub(crate) fn reset_after(backoff: &Backoff) -> Duration {
    match backoff {
        Backoff::None => DEFAULT_RESET_AFTER,
        Backoff::Exponential(curve) => curve.reset_after,
    }
}

/// The wait before the next restart, when `row` restarts went before it without a stable run.
///
/// The first is immediate; the second waits `initial`, each further one `factor` times as long, up to
/// `max`; then the jitter is added or taken away, and `max` holds again.
pub(crate) fn delay(backoff: &Backoff, row: u32, rng: &mut Rng) -> Duration {
    let Backoff::Exponential(curve) = backoff else {
        return Duration::ZERO;
    };
    let row = if planted(Fault::BackoffNeverGrows) {
        row.min(1)
    } else {
        row
    };
    let Some(exponent) = row.checked_sub(1) else {
        return Duration::ZERO;
    };
    if curve.initial.is_zero() {
        return Duration::ZERO;
    }
    // A factor below 1 (or no number at all) would let the wait shrink; it counts as 1.
    let factor = curve.factor.max(1.0);
    let max = curve.max.as_secs_f64();
    let growth = factor.powi(i32::try_from(exponent).unwrap_or(i32::MAX));
    let plain = (curve.initial.as_secs_f64() * growth).min(max);
    let jitter = if curve.jitter.is_finite() {
        curve.jitter.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let wait = plain * (1.0 + jitter * (2.0 * rng.share() - 1.0));
    Duration::try_from_secs_f64(wait)
        .unwrap_or(curve.max)
        .min(curve.max)
}

/// Notes a restart at `now`, or says that it would be one too many within the window.
pub(crate) fn gives_up(recent: &mut Vec<Mono>, give_up: Option<GiveUp>, now: Mono) -> bool {
    let Some(give_up) = give_up else {
        recent.clear();
        return false;
    };
    recent.retain(|at| now.since(*at) < give_up.within);
    if recent.len() as u64 >= u64::from(give_up.restarts) && !planted(Fault::GiveUpNever) {
        return true;
    }
    recent.push(now);
    false
}
