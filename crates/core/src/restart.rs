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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use abide_model::BackoffCurve;
    use proptest::prelude::*;

    fn curve() -> impl Strategy<Value = BackoffCurve> {
        let nanos = 0..=u64::MAX;
        (
            nanos.clone(),
            0.0..1e300f64,
            nanos.clone(),
            0.0..=1.0f64,
            nanos,
        )
            .prop_map(|(initial, factor, max, jitter, reset_after)| BackoffCurve {
                initial: Duration::from_nanos(initial),
                factor,
                max: Duration::from_nanos(max),
                jitter,
                reset_after: Duration::from_nanos(reset_after),
            })
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_max(curve in curve(), row: u32, seed: u64) {
            let wait = delay(&Backoff::Exponential(curve), row, &mut Rng::new(seed));
            prop_assert!(wait <= curve.max);
        }

        #[test]
        fn waits_grow_until_they_reach_max(mut curve in curve(), row in 0..u32::MAX, seed: u64) {
            curve.jitter = 0.0;
            let backoff = Backoff::Exponential(curve);
            let wait = |row| delay(&backoff, row, &mut Rng::new(seed));
            prop_assert!(wait(row) <= wait(row + 1));
        }

        #[test]
        fn the_jitter_stays_within_its_share(
            millis in 1..10_000u64, factor in 1.0..4.0f64, jitter in 0.0..=1.0f64, row in 1..20u32, seed: u64,
        ) {
            let curve = BackoffCurve {
                initial: Duration::from_millis(millis),
                factor,
                max: Duration::from_secs(3600),
                jitter,
                reset_after: Duration::from_secs(10),
            };
            let plain = delay(&Backoff::Exponential(BackoffCurve { jitter: 0.0, ..curve }), row, &mut Rng::new(0));
            let wait = delay(&Backoff::Exponential(curve), row, &mut Rng::new(seed));
            let plain = plain.as_secs_f64();
            prop_assert!(wait.as_secs_f64() >= plain * (1.0 - jitter) - 1e-6);
            prop_assert!(wait.as_secs_f64() <= plain * (1.0 + jitter) + 1e-6);
        }

        #[test]
        fn never_more_restarts_than_allowed_fall_within_the_window(
            restarts in 0..6u32, within in 1..1000u64, gaps in prop::collection::vec(0..400u64, 0..60),
        ) {
            let give_up = GiveUp { restarts, within: Duration::from_nanos(within) };
            let (mut recent, mut taken, mut now) = (Vec::new(), Vec::new(), 1000u64);
            for gap in gaps {
                now += gap;
                if !gives_up(&mut recent, Some(give_up), Mono(now)) {
                    taken.push(now);
                }
                let inside = taken.iter().filter(|at| now - **at < within).count();
                prop_assert!(inside as u64 <= u64::from(restarts));
            }
        }

        #[test]
        fn time_saturates_at_its_ends(at: u64, nanos: u64, secs: u64) {
            let at = Mono(at);
            prop_assert!(at.after(Duration::from_nanos(nanos)) >= at);
            prop_assert_eq!(at.after(Duration::new(secs.max(u64::MAX / 2), 0)), Mono(u64::MAX));
            prop_assert_eq!(at.since(at.after(Duration::from_nanos(nanos))), Duration::ZERO);
        }
    }

    #[test]
    fn the_first_restart_and_a_unit_without_backoff_wait_for_nothing() {
        let mut rng = Rng::new(1);
        assert_eq!(delay(&Backoff::default(), 0, &mut rng), Duration::ZERO);
        assert_eq!(delay(&Backoff::None, 1000, &mut rng), Duration::ZERO);
    }

    #[test]
    fn a_factor_that_is_no_number_counts_as_one() {
        let Backoff::Exponential(mut curve) = Backoff::default() else {
            return;
        };
        (curve.factor, curve.jitter) = (f64::NAN, f64::NAN);
        let wait = delay(&Backoff::Exponential(curve), 50, &mut Rng::new(1));
        assert_eq!(wait, curve.initial);
    }
}
