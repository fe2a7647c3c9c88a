//! Rules, and properties over histories of beats, waits and restarts.

use proptest::prelude::*;

use super::super::pattern;
use super::*;

const EVERY: Duration = Duration::from_secs(10);
const MISSES: u32 = 3;
const SILENCE: u64 = 30;

fn rule(services: &[&str]) -> Rule {
    let services = services.iter().map(|text| Service::new(text));
    Rule {
        services: services.collect::<Result<_, _>>().expect("patterns"),
        every: EVERY,
        misses: MISSES,
    }
}

fn machine(services: &[&str]) -> Machine {
    let mut machine = Machine::default();
    machine.configure(Some(rule(services)));
    machine
}

fn at(seconds: u64) -> Now {
    let nanos = 1_000_000_000 * (1000 + seconds);
    Now {
        mono: Mono(nanos),
        wall: Wall(i64::try_from(nanos).expect("small")),
    }
}

fn of(text: &str) -> Key {
    let (host, service) = match text.split_once('/') {
        Some((host, service)) => (Some(host), service),
        None => (None, text),
    };
    pattern::key(service, host).expect("a key")
}

fn beat(machine: &mut Machine, seconds: u64, key: &str) -> Result<Heard, NotTaken> {
    machine.beat(at(seconds), &of(key), &BeatRequest::default(), None)
}

/// Lets time pass as the daemon does: to each deadline, and to the end.
fn pass(machine: &mut Machine, to: u64) -> Vec<Output> {
    while let Some(due) = machine.poll_timeout().filter(|due| *due < at(to).mono) {
        let now = Now {
            mono: due,
            wall: Wall(i64::try_from(due.0).expect("small")),
        };
        machine.handle_timeout(now);
        assert!(machine.poll_timeout().is_none_or(|next| next > due));
    }
    machine.handle_timeout(at(to));
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn silent(key: &str, missed: u32, last: u64) -> Output {
    Output::Silent {
        key: of(key),
        missed,
        last: at(last).wall,
    }
}

#[test]
fn one_falls_silent_after_three_intervals_once_and_comes_back_once() {
    let mut machine = machine(&["*"]);
    assert_eq!(beat(&mut machine, 0, "a/web"), Ok(Heard::New));
    assert_eq!(beat(&mut machine, 5, "a/web"), Ok(Heard::Again));
    assert_eq!(pass(&mut machine, 34), []);
    assert_eq!(machine.views(at(34))[0].missed, 2);
    assert_eq!(pass(&mut machine, 35), [silent("a/web", 3, 5)]);
    assert_eq!(pass(&mut machine, 100), []);
    assert_eq!(machine.views(at(100))[0].missed, 9);
    assert_eq!(beat(&mut machine, 100, "a/web"), Ok(Heard::Back));
    assert_eq!(
        machine.poll_output(),
        Some(Output::Back { key: of("a/web") })
    );
    assert_eq!(pass(&mut machine, 130), [silent("a/web", 3, 100)]);
}

#[test]
fn the_same_service_of_two_machines_is_two() {
    let mut machine = machine(&["*"]);
    beat(&mut machine, 0, "a/web").expect("taken");
    beat(&mut machine, 10, "b/web").expect("taken");
    beat(&mut machine, 10, "web").expect("taken");
    assert_eq!(pass(&mut machine, 31), [silent("a/web", 3, 0)]);
    assert_eq!(machine.counts(), (3, 1));
}

#[test]
fn only_whom_the_patterns_mean_may_report_and_no_more_than_are_remembered() {
    let mut only = machine(&["a/*", "backup"]);
    assert_eq!(beat(&mut only, 0, "web"), Err(NotTaken::Unwanted));
    assert_eq!(beat(&mut only, 0, "b/web"), Err(NotTaken::Unwanted));
    assert!(beat(&mut only, 0, "a/web").is_ok() && beat(&mut only, 0, "b/backup").is_ok());
    only.configure(Some(rule(&["backup"])));
    assert_eq!(only.counts(), (1, 0));
    only.configure(None);
    assert_eq!((only.counts(), only.poll_timeout()), ((0, 0), None));
    let mut full = machine(&["*"]);
    for n in 0..MAX_REMOTES {
        beat(&mut full, 0, &format!("s{n}")).expect("taken");
    }
    assert_eq!(beat(&mut full, 0, "more"), Err(NotTaken::Full));
    assert!(full.forget(&of("s7")) && !full.forget(&of("s7")));
    assert!(beat(&mut full, 0, "more").is_ok());
}

#[test]
fn after_a_restart_everybody_has_the_whole_time_and_who_was_silent_still_is() {
    let mut before = machine(&["*"]);
    beat(&mut before, 0, "a/web").expect("taken");
    beat(&mut before, 60, "a/db").expect("taken");
    assert_eq!(pass(&mut before, 61).len(), 1);
    let mut after = machine(&["*"]);
    after.restore(at(1000), before.save());
    assert_eq!(after.counts(), (2, 1));
    assert_eq!(pass(&mut after, 1029), []);
    assert_eq!(pass(&mut after, 1030), [silent("a/db", 3, 60)]);
    assert_eq!(beat(&mut after, 1040, "a/web"), Ok(Heard::Back));
}

#[test]
fn when_we_have_slept_one_more_interval_is_granted() {
    let mut machine = machine(&["*"]);
    beat(&mut machine, 0, "a/web").expect("taken");
    machine.handle_timeout(at(500));
    assert_eq!(machine.poll_output(), None);
    assert_eq!(machine.poll_timeout(), Some(at(510).mono));
    // Only once: a machine that is always late finds it out all the same.
    machine.handle_timeout(at(600));
    assert!(matches!(machine.poll_output(), Some(Output::Silent { .. })));
}

#[derive(Clone, Debug)]
enum Step {
    Beat(usize),
    Pass(u64),
    Restart,
    Forget(usize),
}

const NAMES: [&str; 4] = ["web", "a/web", "b/web", "a/db"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..NAMES.len()).prop_map(Step::Beat),
        4 => (0..40u64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => (0..NAMES.len()).prop_map(Step::Forget),
    ]
}

proptest! {
    /// Against the plainest model: when each was last heard, and whether it was called silent.
    #[test]
    fn silence_is_told_exactly_when_a_whole_silence_has_passed(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut machine = machine(&["*"]);
        let mut model: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
        let mut now = 0;
        for step in steps {
            let mut expected = Vec::new();
            match step {
                Step::Beat(n) => {
                    let was = model.insert(NAMES[n], (now, false));
                    if was.is_some_and(|(_, silent)| silent) {
                        expected.push(of(NAMES[n]));
                    }
                    beat(&mut machine, now, NAMES[n]).expect("taken");
                }
                Step::Pass(seconds) => {
                    now += seconds;
                    for (name, (heard, silent)) in &mut model {
                        if !*silent && now >= *heard + SILENCE {
                            *silent = true;
                            expected.push(of(name));
                        }
                    }
                }
                Step::Restart => {
                    let saved = machine.save();
                    machine = self::machine(&["*"]);
                    machine.restore(at(now), saved);
                    for (heard, silent) in model.values_mut() {
                        if !*silent {
                            *heard = now;
                        }
                    }
                }
                Step::Forget(n) => {
                    prop_assert_eq!(machine.forget(&of(NAMES[n])), model.remove(NAMES[n]).is_some());
                }
            }
            let mut told: Vec<Key> = pass(&mut machine, now)
                .into_iter()
                .map(|output| match output {
                    Output::Silent { key, .. } | Output::Back { key } => key,
                })
                .collect();
            told.sort();
            expected.sort();
            prop_assert_eq!(told, expected);
            let silent = model.values().filter(|(_, silent)| *silent).count() as u64;
            prop_assert_eq!(machine.counts(), (model.len() as u64, silent));
            prop_assert!(machine.poll_timeout().is_none_or(|due| due > at(now).mono));
        }
    }
}
