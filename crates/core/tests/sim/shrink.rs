//! Makes a failing history as short as it can be made by cutting its end and leaving actions out.

use crate::history::History;
use crate::world::{self, Failure};

/// Runs that shrinking may take.
const BUDGET: usize = 1500;

pub fn shortest(history: History, failure: Failure) -> (History, Failure) {
    let mut budget = BUDGET;
    let mut best = (history, failure);
    loop {
        let end = best.1.at + 1;
        best.0.actions.truncate(end);
        let before = best.0.actions.len();
        let mut chunk = (before / 2).max(1);
        while chunk >= 1 {
            let mut at = 0;
            while at < best.0.actions.len() && budget > 0 {
                let mut candidate = best.0.clone();
                let until = (at + chunk).min(candidate.actions.len());
                candidate.actions.drain(at..until);
                budget -= 1;
                match world::run(&candidate) {
                    Err(failure) if failure.invariant == best.1.invariant => {
                        candidate.actions.truncate(failure.at + 1);
                        best = (candidate, failure);
                    }
                    _ => at += chunk,
                }
            }
            chunk /= 2;
        }
        if best.0.actions.len() == before || budget == 0 {
            return best;
        }
    }
}
