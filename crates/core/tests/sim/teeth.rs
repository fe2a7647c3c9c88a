//! The simulator has teeth: every fault that is planted in the core, one at a time, is found.

use abide_core::teeth::{Fault, plant};

use crate::history::History;
use crate::{seeds, world};

#[test]
fn teeth() {
    // Faults that panic inside the core would fill the output.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    println!("{:<28} {:>6}  violated", "fault", "seeds");
    for &fault in Fault::ALL {
        plant(Some(fault));
        let found = (0..seeds()).find_map(|seed| {
            let failure = world::run(&History::generate(seed))
                .and_then(|_| world::run(&History::rolling(seed)))
                .err()?;
            Some((seed + 1, failure.invariant))
        });
        plant(None);
        match found {
            Some((seeds, invariant)) => {
                println!("{:<28} {seeds:>6}  {invariant}", format!("{fault:?}"))
            }
            None => {
                println!("{:<28} {:>6}  NOT FOUND", format!("{fault:?}"), "-");
                missed.push(fault);
            }
        }
    }
    let _ = std::panic::take_hook();
    println!(
        "{} of {} planted faults found",
        Fault::ALL.len() - missed.len(),
        Fault::ALL.len()
    );
    assert!(missed.is_empty(), "not found: {missed:?}");
}
