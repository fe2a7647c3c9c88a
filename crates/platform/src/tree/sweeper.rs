use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use super::{Answer, Hunt, RunTree, Sweep, SweepEvent, Wake, hunt, wait};

/// Only what is used takes memory.
const STACK: usize = 256 * 1024;

/// The thread that ends trees. Scans are shared by all hunts of the moment; with no hunt it sleeps.
#[derive(Debug)]
pub struct Sweeper {
    hunts: Sender<Hunt>,
    wake: Wake,
}

impl Sweeper {
    /// Starts the thread. `report` is called on it, and must not block.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(report: impl Fn(SweepEvent) + Send + 'static) -> io::Result<Self> {
        let (hunts, arriving) = channel();
        let wake = Wake::new()?;
        let woken = wake.clone();
        thread::Builder::new()
            .name("sweeper".into())
            .stack_size(STACK)
            .spawn(move || sweep(&arriving, &woken, &report))?;
        Ok(Self { hunts, wake })
    }

    /// Ends the tree of a run, or watches it end. Never blocks: what can be known at once is
    /// answered, the rest is told by `report`. A later call for the same run replaces an earlier one.
    ///
    /// While the run's spawn is unanswered, this ends what there is, so that a spawn that hangs fails;
    /// that nothing is left is then only true if it is said again after the spawn's answer.
    pub fn kill(&self, tree: &RunTree, sweep: Sweep) -> Answer {
        let (answer, hunt) = Hunt::begin(tree, sweep);
        if let Some(hunt) = hunt {
            // The thread ends only with us.
            let _ = self.hunts.send(hunt);
            self.wake.wake();
        }
        answer
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The thread finds the channel closed.
        let (closed, _) = channel();
        self.hunts = closed;
        self.wake.wake();
    }
}

fn sweep(arriving: &Receiver<Hunt>, wake: &Wake, report: &dyn Fn(SweepEvent)) {
    let mut hunts: Vec<Hunt> = Vec::new();
    loop {
        wake.clear();
        loop {
            match arriving.try_recv() {
                Ok(new) => {
                    hunts.retain(|old| !old.is_same(&new));
                    hunts.push(new);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        hunt(&mut hunts, report);
        hunts.retain(|hunt| !hunt.done());
        wait(&mut hunts, wake);
    }
}
