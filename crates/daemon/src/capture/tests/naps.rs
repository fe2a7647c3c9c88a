//! What the timer finds to be due, without threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_model::UnitId;
use abide_platform::pipe;

use super::super::state::{Phase, Slot, State};
use super::super::system::Stream;
use super::super::unit::Unit;
use super::{Rig, spec};

/// The process may have stood still for long (SIGSTOP, a machine without time for it).
#[test]
fn a_stream_whose_nap_and_rest_are_both_over_has_one_pass() {
    let rig = Rig::new();
    let name = "u1".parse().expect("a name");
    let unit = Arc::new(Unit::new(UnitId(1), name, Arc::new(spec())));
    let stream = Stream::new(unit, rig.stream(1, spec()), pipe::USUAL_SIZE);
    let (mut state, key, now) = (State::default(), 1, Instant::now());
    state
        .slots
        .insert(key, Slot::new(Arc::new(stream), Phase::Armed));
    let moment = Duration::from_millis(1);
    state.rests.insert((now + moment, key));
    state.nap(key, now, now + 2 * moment);

    let later = now + Duration::from_secs(10);
    let (first, others) = state.due(later);
    assert_eq!(first.map(|(key, _)| key), Some(key));
    assert!(others.is_empty());
    assert!(state.leave(key, later).is_none(), "it waits for nothing");

    // And whoever naps anew while it naps has one nap.
    state.nap(key, later, later + moment);
    state.nap(key, later, later + 2 * moment);
    let (first, others) = state.due(later + Duration::from_secs(1));
    assert!(first.is_some() && others.is_empty());
}
