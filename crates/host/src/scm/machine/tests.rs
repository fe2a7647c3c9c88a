//! The machine between a program that does what it likes and a manager that holds it to its rules.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The manager, as far as it has rules for what it is told (SetServiceStatus, ControlService).
struct FakeScm {
    last: Option<Status>,
    /// When something was told last.
    at: Duration,
    told: Vec<Status>,
}

impl FakeScm {
    fn new() -> Self {
        Self {
            last: None,
            at: Duration::ZERO,
            told: Vec::new(),
        }
    }

    fn hear(&mut self, now: Duration, status: Status) {
        use State::*;
        let legal = match (self.last.map(|last| last.state), status.state) {
            (None, Starting) => true,
            (Some(Stopped) | None, _) => false,
            (Some(from), to) if from == to => true,
            (Some(_), Stopping | Stopped) => true,
            (Some(Starting | Pausing | Paused | Continuing), Running) => true,
            (Some(Running | Continuing), Pausing) => true,
            (Some(Running | Pausing), Paused) => true,
            (Some(Paused | Pausing), Continuing) => true,
            _ => false,
        };
        assert!(legal, "{:?} → {status:?}", self.last);
        let pending = status.state.is_pending();
        assert_eq!(pending, status.checkpoint > 0, "{status:?}");
        assert_eq!(pending, !status.hint.is_zero(), "{status:?}");
        if let Some(last) = self.last.filter(|last| last.state == status.state) {
            assert!(last.checkpoint <= status.checkpoint, "{last:?} {status:?}");
        }
        if matches!(status.state, Starting | Stopping | Stopped) {
            assert_eq!(status.accepted.number(), 0, "{status:?}");
        } else {
            assert!(status.accepted.stop, "{status:?}");
        }
        if status.state != Stopped {
            assert_eq!(status.exit(), (0, 0), "{status:?}");
        }
        self.last = Some(status);
        self.at = now;
        self.told.push(status);
    }

    /// Whether it lets somebody send this.
    fn sends(&self, control: Control) -> bool {
        let Some(last) = self.last else { return false };
        match control {
            Control::Stop | Control::Shutdown | Control::Preshutdown => last.accepted.stop,
            Control::Pause | Control::Continue => last.accepted.pause,
            Control::ParamChange => last.accepted.reload,
            Control::Session { .. } => last.accepted.sessions,
            Control::Power(_) => last.accepted.power,
            Control::Interrogate | Control::Custom(_) => !matches!(
                last.state,
                State::Starting | State::Stopping | State::Stopped
            ),
            Control::Other(_) => false,
        }
    }
}

/// Machine and manager, at some time.
struct Lab {
    machine: Machine,
    scm: FakeScm,
    now: Duration,
    asked: Vec<Asked>,
}

impl Lab {
    fn new(settings: Settings) -> Self {
        let mut lab = Self {
            machine: Machine::new(settings, Duration::ZERO),
            scm: FakeScm::new(),
            now: Duration::ZERO,
            asked: Vec::new(),
        };
        lab.settle();
        lab
    }

    fn settle(&mut self) {
        while let Some(status) = self.machine.poll_report() {
            self.scm.hear(self.now, status);
        }
        while let Some(asked) = self.machine.poll_asked() {
            let stopped = self.asked.iter().any(|a| matches!(a, Asked::Stop(_)));
            assert!(!stopped, "{asked:?} after a stop");
            self.asked.push(asked);
        }
        if let Some(due) = self.machine.poll_timeout() {
            assert!(due > self.now, "it is due again at once");
            let promised = self.scm.last.expect("it has begun").hint;
            assert!(due < self.scm.at + promised, "a checkpoint comes too late");
        }
    }

    fn said(&mut self, said: Said) {
        self.machine.handle_said(self.now, said);
        self.settle();
    }

    fn control(&mut self, control: Control) {
        self.machine.handle_control(self.now, control);
        self.settle();
    }

    /// So much time passes; what is due meanwhile is done when it is due.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.machine.handle_timeout(due);
            self.settle();
        }
        self.now = until;
    }

    fn last(&self) -> Status {
        self.scm.last.expect("it has begun")
    }
}

fn everything() -> Settings {
    Settings {
        pauses: true,
        reloads: true,
        sessions: true,
        power: true,
        custom: vec![128, 200],
        ..Settings::default()
    }
}

#[test]
fn a_slow_start_has_checkpoints_until_it_is_ready_and_takes_no_controls() {
    let mut lab = Lab::new(everything());
    lab.pass(seconds(9));
    assert_eq!(
        (lab.last().state, lab.last().checkpoint),
        (State::Starting, 5)
    );
    lab.said(Said::Ready);
    assert_eq!(
        (lab.last().state, lab.last().checkpoint),
        (State::Running, 0)
    );
    assert_eq!(lab.last().accepted.number(), 0x1cf);
    lab.pass(seconds(3600));
    assert_eq!(
        lab.scm.told.len(),
        6,
        "nothing is told while nothing happens"
    );
}

#[test]
fn a_start_that_hangs_gets_no_checkpoints_after_its_limit_unless_it_asks_for_more() {
    let mut lab = Lab::new(Settings {
        start_limit: seconds(10),
        ..Settings::default()
    });
    lab.pass(seconds(600));
    assert_eq!(lab.last().checkpoint, 5);
    assert_eq!(lab.machine.poll_timeout(), None);
    lab.said(Said::More(seconds(4)));
    assert_eq!(lab.last().checkpoint, 6);
    lab.pass(seconds(600));
    assert_eq!(lab.last().checkpoint, 7);
    lab.said(Said::Ready);
    assert_eq!(lab.last().state, State::Running);
}

#[test]
fn each_way_to_stop_is_told_with_its_cause_and_its_progress() {
    for (control, cause) in [
        (Control::Stop, StopCause::Requested),
        (Control::Shutdown, StopCause::Shutdown),
        (Control::Preshutdown, StopCause::Preshutdown),
    ] {
        let mut lab = Lab::new(Settings::default());
        lab.said(Said::Ready);
        lab.control(control);
        assert_eq!(lab.asked, [Asked::Stop(cause)]);
        lab.pass(seconds(7));
        assert_eq!(
            (lab.last().state, lab.last().checkpoint),
            (State::Stopping, 4)
        );
        // Nothing undoes it, and nothing is asked twice.
        lab.said(Said::Ready);
        lab.control(Control::Stop);
        assert_eq!(lab.last().state, State::Stopping);
        lab.said(Said::Ended(Ending::Code(0)));
        assert_eq!(lab.last().exit(), (0, 0));
        assert_eq!(lab.last().state, State::Stopped);
    }
}

#[test]
fn a_stop_that_comes_while_it_starts_is_heeded() {
    let mut lab = Lab::new(Settings::default());
    lab.control(Control::Shutdown);
    assert_eq!(lab.asked, [Asked::Stop(StopCause::Shutdown)]);
    lab.said(Said::Ready);
    assert_eq!(lab.last().state, State::Stopping);
}

#[test]
fn exit_codes_are_its_own_or_those_of_windows() {
    for (ending, exit) in [
        (Ending::Code(0), (0, 0)),
        (Ending::Code(42), (1066, 42)),
        (Ending::Win32(2), (2, 0)),
    ] {
        for ready in [false, true] {
            let mut lab = Lab::new(Settings::default());
            if ready {
                lab.said(Said::Ready);
            }
            lab.said(Said::Ended(ending));
            assert_eq!(lab.last().exit(), exit);
        }
    }
}

#[test]
fn a_pause_is_one_when_the_program_says_so() {
    let mut lab = Lab::new(everything());
    lab.said(Said::Ready);
    lab.control(Control::Pause);
    lab.pass(seconds(3));
    assert_eq!(
        (lab.last().state, lab.last().checkpoint),
        (State::Pausing, 2)
    );
    lab.said(Said::Paused);
    lab.control(Control::Pause);
    assert_eq!(lab.last().state, State::Paused);
    lab.control(Control::Continue);
    assert_eq!(lab.last().state, State::Continuing);
    lab.said(Said::Continued);
    assert_eq!(lab.last().state, State::Running);
    assert_eq!(lab.asked, [Asked::Pause, Asked::Continue]);
}

#[test]
fn what_a_service_does_not_take_is_refused_and_leads_to_nothing() {
    let plain = Settings::default();
    for control in [
        Control::Pause,
        Control::ParamChange,
        Control::Custom(128),
        Control::Power(4),
        Control::Other(20),
    ] {
        assert_eq!(answer(&plain, control), 120, "{control:?}");
        let mut lab = Lab::new(plain.clone());
        lab.said(Said::Ready);
        let told = lab.scm.told.len();
        lab.control(control);
        assert_eq!((lab.scm.told.len(), lab.asked.len()), (told, 0));
    }
    assert_eq!(answer(&everything(), Control::Custom(128)), 0);
    assert_eq!(answer(&everything(), Control::Custom(129)), 120);
}

#[test]
fn controls_have_the_numbers_of_the_system() {
    for (numbers, control) in [
        ((1, 0, 0), Control::Stop),
        ((4, 0, 0), Control::Interrogate),
        ((13, 4, 0), Control::Power(4)),
        ((15, 0, 0), Control::Preshutdown),
        ((127, 0, 0), Control::Other(127)),
        ((128, 0, 0), Control::Custom(128)),
        ((255, 0, 0), Control::Custom(255)),
        ((256, 0, 0), Control::Other(256)),
        (
            (14, 7, 3),
            Control::Session {
                event: 7,
                session: 3,
            },
        ),
    ] {
        let (number, event, session) = numbers;
        assert_eq!(Control::from_numbers(number, event, session), control);
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Somebody sends it by the manager.
    Control(Control),
    /// It comes although the manager should not have let it through.
    Rude(Control),
    Said(Said),
    Time(Duration),
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        Just(Control::Stop),
        Just(Control::Shutdown),
        Just(Control::Preshutdown),
        Just(Control::Pause),
        Just(Control::Pause),
        Just(Control::Continue),
        Just(Control::Continue),
        Just(Control::Interrogate),
        Just(Control::ParamChange),
        Just(Control::Power(4)),
        Just(Control::Session {
            event: 5,
            session: 1
        }),
        any::<u32>().prop_map(|number| Control::from_numbers(number % 300, 0, 0)),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        4 => Just(Said::Ready),
        2 => Just(Said::Paused),
        2 => Just(Said::Continued),
        1 => Just(Said::Stopping),
        1 => (0..200_u64).prop_map(|time| Said::More(seconds(time))),
        1 => (0..3_u32).prop_map(|code| Said::Ended(Ending::Code(code))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        control().prop_map(Step::Control),
        control().prop_map(Step::Rude),
        said().prop_map(Step::Said),
        (0..400_000_u64).prop_map(|time| Step::Time(Duration::from_millis(time))),
        (0..3_000_u64).prop_map(|time| Step::Time(Duration::from_millis(time))),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_the_manager_s_rules_hold(
        steps in vec(step(), 0..80),
        all in any::<bool>(),
    ) {
        let settings = if all { everything() } else { Settings::default() };
        let mut lab = Lab::new(settings.clone());
        for step in steps {
            let before = lab.asked.len();
            match step {
                Step::Control(control) if !lab.scm.sends(control) => continue,
                Step::Control(control) | Step::Rude(control) => {
                    let state = lab.machine.state();
                    lab.control(control);
                    let asks = lab.asked.len() - before;
                    prop_assert!(asks <= 1);
                    if answer(&settings, control) != 0 {
                        prop_assert_eq!((asks, lab.machine.state()), (0, state));
                    }
                }
                Step::Said(said) => {
                    lab.said(said);
                    prop_assert_eq!(lab.asked.len(), before, "saying something asks for nothing");
                }
                Step::Time(time) => lab.pass(time),
            }
        }
        let stopped = lab.machine.state() == State::Stopped;
        lab.said(Said::Ended(Ending::Code(7)));
        prop_assert_eq!(lab.last().state, State::Stopped);
        if !stopped {
            prop_assert_eq!(lab.last().exit(), (1066, 7));
        }
        lab.control(Control::Interrogate);
        lab.pass(seconds(100));
        let ends = lab.scm.told.iter().filter(|s| s.state == State::Stopped).count();
        prop_assert_eq!(ends, 1);
    }
}
