//! The machine at work: on the service's own thread, until it has stopped.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::machine::{Asked, Ending, Machine, Said, Settings};
use super::numbers::{Control, State, Status};

/// Where the manager is told how the service is. (SetServiceStatus; in tests a fake manager.)
pub trait Api {
    /// Tells it.
    ///
    /// # Errors
    /// The manager does not hear it; it may hear the next one.
    fn report(&mut self, status: &Status) -> io::Result<()>;
}

/// What comes to the thread.
pub enum Message {
    /// From the manager.
    Control(Control),
    /// From the program.
    Said(Said),
    /// Who is to hear what is asked, from now on. What was asked before waits for the first one.
    Listener(Box<dyn FnMut(Asked) + Send>),
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Control(control) => control.fmt(f),
            Self::Said(said) => said.fmt(f),
            Self::Listener(_) => f.write_str("Listener"),
        }
    }
}

/// `ERROR_PROCESS_ABORTED`: what the manager says of a process that is gone.
const ABORTED: u32 = 1067;

/// Is that service, until it has stopped: tells the manager what there is to tell, in time, and the program what
/// is asked of it.
pub fn drive(settings: Settings, api: &mut dyn Api, inbox: &Receiver<Message>) {
    let begun = Instant::now();
    let mut machine = Machine::new(settings, Duration::ZERO);
    let mut listener: Option<Box<dyn FnMut(Asked) + Send>> = None;
    loop {
        while let Some(status) = machine.poll_report() {
            // One that is not heard is one that hears no other either, until this process ends.
            let _unheard = api.report(&status);
        }
        if machine.state() == State::Stopped {
            return;
        }
        if let Some(listener) = &mut listener {
            while let Some(asked) = machine.poll_asked() {
                listener(asked);
            }
        }
        let now = begun.elapsed();
        let message = match machine.poll_timeout() {
            Some(due) => inbox.recv_timeout(due.saturating_sub(now)),
            None => inbox.recv().map_err(RecvTimeoutError::from),
        };
        let now = begun.elapsed();
        match message {
            Ok(Message::Control(control)) => machine.handle_control(now, control),
            Ok(Message::Said(said)) => machine.handle_said(now, said),
            Ok(Message::Listener(new)) => listener = Some(new),
            Err(RecvTimeoutError::Timeout) => machine.handle_timeout(now),
            // Nobody is left who could say anything.
            Err(RecvTimeoutError::Disconnected) => {
                machine.handle_said(now, Said::Ended(Ending::Win32(ABORTED)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::scm::StopCause;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<Status>>>);

    impl Api for Heard {
        fn report(&mut self, status: &Status) -> io::Result<()> {
            self.0.lock().expect("no panic").push(*status);
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// Sends all of it before it begins, so that there is one order.
    fn driven(messages: impl FnOnce(&Sender<Message>)) -> Vec<State> {
        let (sender, inbox) = channel();
        messages(&sender);
        drop(sender);
        let mut heard = Heard::default();
        drive(Settings::default(), &mut heard, &inbox);
        let heard = heard.0.lock().expect("no panic");
        heard.iter().map(|status| status.state).collect()
    }

    #[test]
    fn what_was_asked_before_anybody_listened_is_heard() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&asked);
        let told = driven(|to| {
            for message in [
                Message::Said(Said::Ready),
                Message::Control(Control::Preshutdown),
                Message::Listener(Box::new(move |what| {
                    hears.lock().expect("no panic").push(what);
                })),
                Message::Said(Said::Ended(Ending::Code(0))),
            ] {
                to.send(message).expect("it is read");
            }
        });
        use State::{Running, Starting, Stopped, Stopping};
        assert_eq!(told, [Starting, Running, Stopping, Stopped]);
        let asked = asked.lock().expect("no panic");
        assert_eq!(*asked, [Asked::Stop(StopCause::Preshutdown)]);
    }

    #[test]
    fn a_program_that_nobody_speaks_for_any_more_has_ended() {
        assert_eq!(driven(|_| {}), [State::Starting, State::Stopped]);
    }
}
