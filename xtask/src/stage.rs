//! Stages of a long task: each says when it begins, how it ended and how long it took.

use std::time::{Duration, Instant};

/// Runs stages one after another and remembers how they went.
#[derive(Default)]
pub struct Stages {
    done: Vec<(String, Duration, Result<(), String>)>,
}

impl Stages {
    /// Runs one stage. A failure is remembered, and the next stages still run, so that one run
    /// shows everything that is wrong.
    pub fn run(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) -> bool {
        println!("\n=== {name}");
        let begun = Instant::now();
        let outcome = work();
        let took = begun.elapsed();
        match &outcome {
            Ok(()) => println!("=== {name}: ok in {:.1} s", took.as_secs_f64()),
            Err(why) => println!(
                "=== {name}: FAILED after {:.1} s: {why}",
                took.as_secs_f64()
            ),
        }
        let ok = outcome.is_ok();
        self.done.push((name.to_owned(), took, outcome));
        ok
    }

    /// Prints the table of all stages.
    ///
    /// # Errors
    /// Names the stages that failed.
    pub fn finish(self) -> Result<(), String> {
        println!("\nstage                            seconds");
        let mut failed = Vec::new();
        for (name, took, outcome) in &self.done {
            let mark = if outcome.is_ok() { "ok" } else { "FAILED" };
            println!("{name:<32} {:>7.1}  {mark}", took.as_secs_f64());
            if let Err(why) = outcome {
                failed.push(format!("{name} ({why})"));
            }
        }
        let all: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        println!("{:<32} {:>7.1}", "in all", all.as_secs_f64());
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", failed.join("; ")))
        }
    }
}
