//! The one place where a thread waits for everything that it has to do: ends of processes, deadlines,
//! messages of other threads and of the keeper. Each thing has a number, its *token*; what comes back from a
//! wait is tokens. Nothing is looked at again and again: with nothing to do the thread sleeps.
//!
//! On Linux that is epoll. On Windows it is a completion port, to which the system's own threads post the
//! token of an object that is signalled; unlike `WaitForMultipleObjects` that has no limit of 64.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Bell, Events, Poll};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Bell, Events, Poll, Wait};

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// There is something to read, or it has ended; told again as long as it is so.
    Input,
    /// As [`Interest::Input`], and there is room to write.
    InputAndRoom,
    /// As [`Interest::Input`], told once.
    Once,
    /// Only that its other end is gone.
    Loss,
}

/// Tokens that are told at once; more of them are told with the next wait.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn told(poll: &Poll) -> Vec<u64> {
        let mut events = Events::new();
        poll.wait(&mut events).expect("waits");
        events.tokens().collect()
    }

    #[test]
    fn a_bell_that_is_rung_by_another_thread_wakes_and_is_silent_once_it_was_heard() {
        let poll = Poll::new().expect("made");
        let bell = Arc::new(Bell::new(&poll, 7).expect("made"));
        let other = Bell::new(&poll, 8).expect("made");
        let ringer = Arc::clone(&bell);
        let rings = std::thread::spawn(move || ringer.ring());
        assert_eq!(told(&poll), [7]);
        rings.join().expect("it rang");
        bell.clear();
        other.ring();
        assert_eq!(told(&poll), [8]);
    }

    #[test]
    fn a_deadline_is_told_and_may_be_set_again() {
        use crate::clock::now;
        use crate::timer::Timer;
        let poll = Poll::new().expect("made");
        let timer = Timer::new().expect("made");
        poll.add(&timer, 1 << 40, Interest::Input).expect("added");
        for _ in 0..3 {
            let at = now().mono.after(std::time::Duration::from_millis(5));
            timer.set(Some(at)).expect("set");
            assert_eq!(told(&poll), [1 << 40]);
            assert!(now().mono >= at);
            timer.clear();
        }
    }
}
