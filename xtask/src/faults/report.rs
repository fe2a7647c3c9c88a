//! What all rounds had together, and the closing lines that say so.

use std::collections::BTreeMap;

use super::file::{Action, POINTS};
use super::plan::Coverage;

/// What a chapter had, or all of them.
#[derive(Default)]
pub struct Tally {
    pub rounds: u32,
    pub lines: u64,
    pub runs: u64,
    /// Rounds in which somebody was struck at a point.
    pub struck: u32,
    /// How often who suffered what.
    pub told: BTreeMap<(&'static str, Action), u32>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.lines += other.lines;
        self.runs += other.runs;
        self.struck += other.struck;
        for (told, count) in &other.told {
            *self.told.entry(*told).or_default() += count;
        }
    }
}

/// Each point, how often it was passed, and how often somebody was struck at it.
pub fn points(coverage: &Coverage) {
    println!("\npoint                    passed  struck");
    for (point, (name, ..)) in POINTS.iter().enumerate() {
        println!(
            "{name:<22} {:>8} {:>7}",
            coverage.passed[point], coverage.struck[point]
        );
    }
}

/// Who suffered what how often, and one line for everything.
pub fn close(total: &Tally, coverage: &Coverage, violations: usize, seed: u64) {
    println!(
        "\n{:<24} {:>7} {:>7} {:>7}",
        "victim", "killed", "stopped", "hung"
    );
    let mut victims: Vec<&str> = total.told.keys().map(|(victim, _)| *victim).collect();
    victims.dedup();
    for victim in victims {
        let count = |action| total.told.get(&(victim, action)).copied().unwrap_or(0);
        println!(
            "{victim:<24} {:>7} {:>7} {:>7}",
            count(Action::Kill),
            count(Action::Stop),
            count(Action::Hang)
        );
    }
    let never = coverage.never_struck();
    if !never.is_empty() {
        println!("nothing was done at: {}", never.join(" "));
    }
    println!(
        "\n{} rounds from seed {seed}, {violations} violations, {} of {} points hit; {} strikes at points, {} runs, {} lines",
        total.rounds,
        POINTS.len() - never.len(),
        POINTS.len(),
        total.struck,
        total.runs,
        total.lines
    );
}
