//! What the simulator records is replayed with the same effects.

use abide_core::recording::{Divergence, Line, replay};

use crate::history::History;
use crate::world;

#[test]
fn a_recording_is_replayed_with_the_same_effects() {
    for seed in 0..50 {
        let lines = world::record(&History::generate(seed)).expect("holds");
        let text: Vec<String> = lines
            .iter()
            .map(|line| serde_json::to_string(line).expect("written"))
            .collect();
        let lines: Vec<Line> = text
            .iter()
            .map(|line| serde_json::from_str(line).expect("read back"))
            .collect();
        assert_eq!(replay(&lines), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_recording_with_a_line_left_out_is_told_from_its_core() {
    let mut lines = world::record(&History::generate(3)).expect("holds");
    let at = lines
        .iter()
        .position(|line| matches!(line, Line::Effect { .. }))
        .expect("has effects");
    lines.remove(at);
    assert!(matches!(
        replay(&lines),
        Err(Divergence::Differs { .. } | Divergence::More { .. })
    ));
}
