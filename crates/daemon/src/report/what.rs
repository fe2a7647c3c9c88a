//! What is reported of a unit.

use abide_model::api::BeatRequest;
use abide_model::{ActualState, DesiredState, Health, Wall};

use crate::board::UnitEntry;

/// So many bytes and beats are sent in one message at most; a monitor that is an abide takes no more.
const MAX_BYTES: usize = 60 << 10;
const MAX_BEATS: usize = 1000;

/// What makes a difference to the monitor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Digest {
    state: ActualState,
    desired: DesiredState,
    health: Health,
    ready: bool,
    restarts: u64,
    pid: Option<u32>,
}

impl Digest {
    pub(super) fn of(unit: &UnitEntry) -> Self {
        let view = &unit.view;
        Self {
            state: view.state,
            desired: view.desired,
            health: view.health,
            ready: view.ready,
            restarts: view.restarts,
            pid: view.pid,
        }
    }
}

/// A unit's beat.
pub(super) fn beat(unit: &UnitEntry, host: &str, now: Wall) -> BeatRequest {
    let view = &unit.view;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are exact")]
    let ts = (now.0 / 1_000_000) as f64 / 1e3;
    BeatRequest {
        service: unit.name.to_string(),
        ts: Some(ts),
        host: Some(host.to_owned()),
        state: Some(view.state),
        desired: Some(view.desired),
        health: Some(view.health),
        ready: Some(view.ready),
        restarts: Some(view.restarts),
        pid: view.pid,
    }
}

/// JSON arrays of beats, each not too large, and how many beats it holds.
pub(super) fn bodies(beats: impl Iterator<Item = BeatRequest>) -> Vec<(Vec<u8>, usize)> {
    let mut bodies = Vec::new();
    let mut body = vec![b'['];
    let mut n = 0;
    for beat in beats {
        // Texts, numbers and words: there is nothing that cannot be written.
        let Ok(text) = serde_json::to_vec(&beat) else {
            continue;
        };
        if n > 0 && (n == MAX_BEATS || body.len() + text.len() + 2 > MAX_BYTES) {
            body.push(b']');
            bodies.push((std::mem::replace(&mut body, vec![b'[']), n));
            n = 0;
        }
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&text);
        n += 1;
    }
    if n > 0 {
        body.push(b']');
        bodies.push((body, n));
    }
    bodies
}

/// What a ping says (<https://healthchecks.io/docs/http_api/>).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ping {
    Well,
    Start,
    Fail,
}

impl Ping {
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Well => "",
            Self::Start => "/start",
            Self::Fail => "/fail",
        }
    }
}

/// What to say of a unit; nothing of one that is down as somebody wants it.
pub(super) fn ping(unit: &UnitEntry) -> Option<Ping> {
    let view = &unit.view;
    match view.state {
        ActualState::Failed | ActualState::Backoff => Some(Ping::Fail),
        ActualState::Running if view.health == Health::Unhealthy || view.crash_looping => {
            Some(Ping::Fail)
        }
        // What waits for a connection takes them, and counts as up.
        ActualState::Running | ActualState::Waiting => view.ready.then_some(Ping::Well),
        ActualState::Starting => Some(Ping::Start),
        ActualState::Exited if view.desired == DesiredState::Up => Some(Ping::Well),
        ActualState::Exited | ActualState::Stopping | ActualState::Stopped => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(n: usize) -> BeatRequest {
        BeatRequest {
            service: format!("unit-{n}"),
            host: Some("h".repeat(60)),
            ..BeatRequest::default()
        }
    }

    #[test]
    fn many_beats_are_split_into_messages_that_a_monitor_takes() {
        let bodies = bodies((0..5000).map(named));
        assert!(bodies.len() > 1);
        let mut seen = 0;
        for (body, n) in bodies {
            assert!(body.len() <= MAX_BYTES && n <= MAX_BEATS);
            let beats: Vec<BeatRequest> = serde_json::from_slice(&body).expect("an array");
            assert_eq!(beats.len(), n);
            assert!(
                beats
                    .iter()
                    .enumerate()
                    .all(|(i, it)| *it == named(seen + i))
            );
            seen += n;
        }
        assert_eq!(seen, 5000);
    }

    #[test]
    fn nothing_to_report_is_no_message() {
        assert!(bodies(std::iter::empty()).is_empty());
    }
}
