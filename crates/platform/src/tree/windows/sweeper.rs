//! The thread that ends jobs and waits until nothing of them is left. It waits for their processes, not for
//! messages of jobs, which may get lost.

use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::job::opened;
use super::{RunTree, TERMINATED};
use crate::poll::{Bell, Events, Interest, Poll};
use crate::tree::{Answer, Sweep, SweepEvent};

/// Only what is used takes memory.
const STACK: usize = 256 * 1024;

/// A process that was terminated and is still there after this long is told of.
const STUCK: Duration = Duration::from_secs(3);

/// A process that is in its job's list and cannot be opened ends in this moment.
const MOMENT: Duration = Duration::from_millis(5);

const RUNG: u64 = 0;

/// The thread that ends trees; with none to end it sleeps.
#[derive(Debug)]
pub struct Sweeper {
    hunts: Sender<Hunt>,
    bell: Bell,
}

/// One tree.
#[derive(Debug)]
struct Hunt {
    tree: RunTree,
    sweep: Sweep,
    since: Instant,
    /// It was told that it is stuck.
    told: bool,
    /// By what one of its processes is waited for.
    token: Option<u64>,
}

impl Sweeper {
    /// Starts the thread. `report` is called on it, and must not block.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(report: impl Fn(SweepEvent) + Send + 'static) -> io::Result<Self> {
        let (hunts, arriving) = channel();
        let poll = Poll::new()?;
        let bell = Bell::new(&poll, RUNG)?;
        thread::Builder::new()
            .name("sweeper".into())
            .stack_size(STACK)
            .spawn(move || sweep(&arriving, &poll, &report))?;
        Ok(Self { hunts, bell })
    }

    /// Ends the tree of a run, or watches it end. Never blocks: what can be known at once is
    /// answered, the rest is told by `report`. A later call for the same run replaces an earlier one.
    ///
    /// A run whose spawn is unanswered may have no process yet; so that nothing is left is then only true if
    /// it is said again after the spawn's answer.
    pub fn kill(&self, tree: &RunTree, sweep: Sweep) -> Answer {
        if sweep != Sweep::Watch {
            // Why it cannot be ended is told when it is still there after a while.
            let _ = tree.terminate(TERMINATED);
        }
        if tree.all().is_ok_and(|left| left.is_empty()) {
            return Answer::Empty;
        }
        let hunt = Hunt {
            tree: tree.clone(),
            sweep,
            since: Instant::now(),
            told: false,
            token: None,
        };
        // The thread ends only with us.
        let _ = self.hunts.send(hunt);
        self.bell.ring();
        Answer::Pending
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The thread finds the channel closed.
        let (closed, _) = channel();
        self.hunts = closed;
        self.bell.ring();
    }
}

fn sweep(arriving: &Receiver<Hunt>, poll: &Poll, report: &dyn Fn(SweepEvent)) {
    let mut hunts: Vec<Hunt> = Vec::new();
    let mut events = Events::new();
    let mut tokens = RUNG;
    loop {
        loop {
            match arriving.try_recv() {
                Ok(new) => {
                    hunts.retain(|old| {
                        let same = old.is_same(&new);
                        if same {
                            old.wait_no_more(poll);
                        }
                        !same
                    });
                    hunts.push(new);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        hunts.retain_mut(|hunt| !hunt.is_over(poll, report));
        let mut soon = false;
        for hunt in &mut hunts {
            soon |= !hunt.is_waited_for(poll, &mut tokens);
        }
        let stuck = hunts.iter().filter_map(Hunt::stuck_in).min();
        let at_most = if soon { Some(MOMENT) } else { stuck };
        if poll.wait_within(&mut events, at_most).is_err() {
            // Without memory for a wait: a look now and then is all that is left.
            #[expect(
                clippy::disallowed_methods,
                reason = "the system refuses to wait for anything"
            )]
            thread::sleep(MOMENT);
        }
        for token in events.tokens().filter(|token| *token != RUNG) {
            for hunt in hunts.iter_mut().filter(|hunt| hunt.token == Some(token)) {
                hunt.token = None;
            }
        }
    }
}

impl Hunt {
    fn is_same(&self, other: &Self) -> bool {
        (self.tree.unit(), self.tree.run(), self.tree.is_auxiliary())
            == (
                other.tree.unit(),
                other.tree.run(),
                other.tree.is_auxiliary(),
            )
    }

    /// Nothing is left, and that was told.
    fn is_over(&mut self, poll: &Poll, report: &dyn Fn(SweepEvent)) -> bool {
        let (unit, run) = (self.tree.unit(), self.tree.run());
        match self.tree.all() {
            Ok(left) if left.is_empty() => {
                self.wait_no_more(poll);
                report(SweepEvent::Empty { unit, run });
                return true;
            }
            Ok(left) => {
                if self.token.is_some() && self.stuck_in() != Some(Duration::ZERO) {
                    return false;
                }
                let failed = match self.sweep {
                    Sweep::Watch => None,
                    // What was made in the instant of the first time.
                    Sweep::Prompt | Sweep::Thorough => self.tree.terminate(TERMINATED).err(),
                };
                if self.stuck_in() == Some(Duration::ZERO) {
                    self.told = true;
                    let why = failed.map_or_else(
                        || "a driver of the system holds it".to_owned(),
                        |error| error.to_string(),
                    );
                    let pid = left.first().copied().unwrap_or(0);
                    let reason = format!("process {pid} was terminated and is still there: {why}");
                    report(SweepEvent::Stuck { unit, run, reason });
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    let reason = format!("the processes of its job cannot be listed: {error}");
                    report(SweepEvent::Stuck { unit, run, reason });
                }
            }
        }
        false
    }

    /// Until it counts as stuck, if it was not told yet.
    fn stuck_in(&self) -> Option<Duration> {
        if self.told || self.sweep == Sweep::Watch {
            return None;
        }
        Some(STUCK.saturating_sub(self.since.elapsed()))
    }

    /// Has one of its processes waited for; false: none could be opened, so it is to be looked at again soon.
    fn is_waited_for(&mut self, poll: &Poll, tokens: &mut u64) -> bool {
        if self.token.is_some() {
            return true;
        }
        let left = self.tree.all().unwrap_or_default();
        let Some(process) = left.into_iter().find_map(opened) else {
            return false;
        };
        *tokens += 1;
        let added = poll.add(&process, *tokens, Interest::Once);
        self.token = added.is_ok().then_some(*tokens);
        self.token.is_some()
    }

    fn wait_no_more(&self, poll: &Poll) {
        if let Some(token) = self.token {
            poll.forget(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use abide_model::{RunId, UnitId, UnitName};

    use super::*;
    use crate::tree::Trees;

    const LONG: Duration = Duration::from_secs(120);

    /// A run with one process, which ends when its standard input does.
    fn run(trees: &Trees, run: u64) -> (RunTree, Child) {
        let name = UnitName::new("web").expect("a name");
        let tree = trees.run(UnitId(1), &name, RunId(run));
        let child = Command::new("cmd.exe")
            .args(["/d", "/c", "set /p x="])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        tree.enter(&child).expect("it is in");
        (tree, child)
    }

    #[test]
    fn a_tree_is_ended_or_watched_and_that_nothing_is_left_of_it_is_told_once() {
        let (told, hear) = channel();
        let sweeper = Sweeper::start(move |event| told.send(event).expect("heard"));
        let sweeper = sweeper.expect("it starts");
        let trees = Trees::new(Path::new("home"));
        let empty = |run| SweepEvent::Empty {
            unit: UnitId(1),
            run: RunId(run),
        };
        let (tree, mut ended) = run(&trees, 1);
        let (watched, mut child) = run(&trees, 2);
        assert_eq!(sweeper.kill(&watched, Sweep::Watch), Answer::Pending);
        if sweeper.kill(&tree, Sweep::Thorough) == Answer::Pending {
            assert_eq!(hear.recv_timeout(LONG).expect("told"), empty(1));
        }
        ended.wait().expect("it ended");
        assert_eq!(sweeper.kill(&tree, Sweep::Prompt), Answer::Empty);
        drop(child.stdin.take());
        assert_eq!(hear.recv_timeout(LONG).expect("told"), empty(2));
        child.wait().expect("it ended");
        let name = UnitName::new("web").expect("a name");
        let never = trees.run(UnitId(1), &name, RunId(3));
        assert_eq!(sweeper.kill(&never, Sweep::Thorough), Answer::Empty);
        assert!(hear.try_recv().is_err());
    }
}
