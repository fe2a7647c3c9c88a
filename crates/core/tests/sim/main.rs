//! The simulator: thousands of seeded histories of the supervisor in a world that crashes, hangs,
//! answers late or twice, and kills the daemon at any instant; after every step the invariants of
//! `watch.rs` are checked.
//!
//! `ABIDE_SIM_SEEDS=N` sets how many histories are run, `ABIDE_SIM_FROM=S` with which seed they begin,
//! and `ABIDE_SIM_SEED=S` runs only that one.
//! A seed that failed once is kept in `regressions.txt` and is run first from then on.

// The ban is for the core; what runs it may be told how, and may say what it found.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod around;
mod history;
mod recorded;
mod rng;
mod shrink;
#[cfg(feature = "teeth")]
mod teeth;
mod vitals;
mod watch;
mod world;

use history::{ACTIONS, History, Parts};

/// Histories of the default run.
const SEEDS: u64 = 2_000;

fn seeds() -> u64 {
    number("ABIDE_SIM_SEEDS").unwrap_or(SEEDS)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text:?} is not a number")),
    )
}

/// Inputs that each history has at least.
const INPUTS: u64 = 200;

/// Runs one history; when it fails, panics with the seed and the shortest history that fails so.
fn check(seed: u64, parts: Parts) -> u64 {
    let mut length = ACTIONS;
    loop {
        let inputs = check_one(seed, History::of_length(seed, length, parts));
        if inputs >= INPUTS {
            return inputs;
        }
        length *= 2; // little happened in it
    }
}

fn check_one(seed: u64, history: History) -> u64 {
    match world::run(&history) {
        Ok(inputs) => inputs,
        Err(failure) => {
            let (history, failure) = shrink::shortest(history, failure);
            let failure = world::run_traced(&history).err().unwrap_or(failure);
            let tail = failure.trace.iter().rev().take(60).rev();
            let tail: Vec<&str> = tail.map(String::as_str).collect();
            panic!(
                "seed {seed} violates {}: {}\nshortest history ({} actions):\n{:?}\nlast of its trace:\n{}\n\
                 run it again with ABIDE_SIM_SEED={seed}, and add it to regressions.txt",
                failure.invariant,
                failure.detail,
                history.actions.len(),
                history.actions,
                tail.join("\n"),
            )
        }
    }
}

#[test]
fn no_history_violates_an_invariant() {
    if let Some(seed) = number("ABIDE_SIM_SEED") {
        for parts in Parts::EACH {
            check(seed, parts);
        }
        return;
    }
    let mut inputs = 0;
    let from = number("ABIDE_SIM_FROM").unwrap_or(0);
    for seed in from..from.saturating_add(seeds()) {
        inputs += check(seed, Parts::ALL);
    }
    println!("{} histories, {inputs} inputs", seeds());
}

#[test]
fn no_history_of_rolling_operations_violates_an_invariant() {
    let (from, count) = match number("ABIDE_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("ABIDE_SIM_FROM").unwrap_or(0), seeds()),
    };
    for seed in from..from.saturating_add(count) {
        check_one(seed, History::rolling(seed));
    }
}

#[test]
fn no_seed_that_once_failed_fails_again() {
    for line in include_str!("regressions.txt").lines() {
        let seed = line.split('#').next().unwrap_or("").trim();
        if !seed.is_empty() {
            let seed = seed.parse().expect("a number");
            for parts in Parts::EACH {
                check(seed, parts);
            }
        }
    }
}

#[test]
fn no_seed_of_rolling_operations_that_once_failed_fails_again() {
    for line in include_str!("rolling.txt").lines() {
        let seed = line.split('#').next().unwrap_or("").trim();
        if !seed.is_empty() {
            let seed = seed.parse().expect("a number");
            check_one(seed, History::rolling(seed));
        }
    }
}
