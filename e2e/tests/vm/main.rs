//! What needs a machine of one's own: limits by control groups, and a kernel that lacks what newer ones
//! have. `cargo xtask vm` boots one, with other control groups each time, and one that is small.
//!
//! The executable has its own `main`, because it also plays the programs that are guarded.

mod guarding;
mod limits;
mod machine;
mod memory;
mod programs;
mod survival;

use std::panic::catch_unwind;
use std::process::exit;

use machine::Groups;

/// A test, and the machines that it is for.
type Test = (&'static str, &'static [Groups], fn());

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("act", words)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        programs::main(words);
    }
    let Some(groups) = machine::groups() else {
        println!("this is not the machine that these tests are for: run `cargo xtask vm`");
        return;
    };
    let only = arguments.first().map_or("", String::as_str);
    let mut failed = Vec::new();
    let all = [guarding::ALL, survival::ALL, memory::ALL, limits::ALL];
    for (name, machines, test) in all.into_iter().flatten() {
        if !machines.contains(&groups) || !name.contains(only) {
            continue;
        }
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
        exit(1);
    }
}
