//! The life of one command, from its place in the queue until nothing of it is left.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use abide_model::{ExitStatus, UnitId};
use abide_platform::spawn::{Auxiliary, AuxiliaryOrder, SpawnError, spawn_auxiliary};
use abide_platform::tree::{RunTree, Sweep};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::STUCK;
use super::care::{Ask, Care, Ended, Lane};
use super::exit::Exit;
use super::floor::Blocks;

/// One that is being made and is to be ended is killed again after so long, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(10));

/// How a command's owner hears of it. Dropped: the command is ended, and nobody is told.
pub struct Attended {
    answer: oneshot::Receiver<Ended>,
    cancel: Option<oneshot::Sender<()>>,
}

impl Attended {
    pub fn new() -> (Self, oneshot::Receiver<()>, oneshot::Sender<Ended>) {
        let (cancel, cancelled) = oneshot::channel();
        let (answer, wait) = oneshot::channel();
        let attended = Self {
            answer: wait,
            cancel: Some(cancel),
        };
        (attended, cancelled, answer)
    }

    /// A command that could not even be begun.
    pub fn failed(reason: String) -> Self {
        let (attended, _, answer) = Self::new();
        // The other end is in our hand.
        let _ = answer.send(Ended::Failure(reason));
        attended
    }

    /// Ends it now. The answer comes all the same.
    pub fn cancel(&mut self) {
        self.cancel = None;
    }

    /// How it ended. To be asked until it answers, once.
    pub async fn ended(&mut self) -> Ended {
        let lost = |_| Ended::Failure("a mistake in abide; its log says more".into());
        (&mut self.answer).await.unwrap_or_else(lost)
    }
}

/// Why a command is ended.
#[derive(Clone, Copy)]
enum Why {
    TimedOut(Duration),
    Cancelled,
}

impl Why {
    fn words(self) -> String {
        match self {
            Self::TimedOut(after) => format!("killed after {after:?}"),
            Self::Cancelled => "cancelled".into(),
        }
    }
}

/// The answer, given once, sooner or later.
struct Answer {
    sender: Option<oneshot::Sender<Ended>>,
}

impl Answer {
    fn give(&mut self, ended: Ended) {
        if let Some(sender) = self.sender.take() {
            // Whoever asked may be gone.
            let _ = sender.send(ended);
        }
    }
}

/// Runs a command until nothing of it is left.
pub async fn attend(
    care: Arc<Care>,
    ask: Ask,
    cancelled: oneshot::Receiver<()>,
    answer: oneshot::Sender<Ended>,
) {
    let mut answer = Answer {
        sender: Some(answer),
    };
    let (unit, lane, time) = (ask.unit, ask.lane, ask.timeout);
    // A sender that is dropped is one that cancels.
    let mut cancelled = pin!(async { drop(cancelled.await) });
    let place = tokio::select! {
        biased;
        () = &mut cancelled => None,
        place = care.place(lane) => place,
    };
    let Some(_place) = place else {
        return answer.give(Ended::Failure(Why::Cancelled.words()));
    };
    let tree = match care.enter(&ask) {
        Ok(tree) => tree,
        Err(reason) => return answer.give(Ended::Failure(reason)),
    };
    let mut stop = pin!(async {
        tokio::select! {
            biased;
            () = &mut cancelled => Why::Cancelled,
            () = sleep(time) => Why::TimedOut(time),
        }
    });

    let order = AuxiliaryOrder {
        launch: ask.launch,
        command: ask.command,
        variables: ask.variables,
        stdout: ask.stdout,
        stderr: ask.stderr,
        tree: tree.clone(),
        keeper: care.keeper.clone(),
    };
    let mut spawning = pin!(
        care.floor()
            .block(Blocks::Spawn, move || spawn_auxiliary(order))
    );
    let (spawned, stopped) = tokio::select! {
        spawned = &mut spawning => (spawned, None),
        why = &mut stop => {
            let spawned = unspawn(&care, &tree, spawning, (why, &mut answer)).await;
            (spawned, Some(why))
        }
    };
    let child = match spawned {
        Ok(Ok(child)) => child,
        failed => {
            care.leave(&tree);
            let reason = match (failed, stopped) {
                (_, Some(why)) => why.words(),
                (Ok(Err(error)), None) => error.to_string(),
                (Err(mistake), None) => mistake,
                (Ok(Ok(_)), None) => return,
            };
            return answer.give(Ended::Failure(reason));
        }
    };

    let process = Exit::of(&child);
    let mut status = None;
    let ended = match stopped {
        Some(why) => Err(why),
        None => tokio::select! {
            ended = exit(&child, &process) => Ok(status.insert(ended).clone()),
            why = &mut stop => Err(why),
        },
    };
    let (outcome, sweep) = match ended {
        Ok(ExitStatus::Code(0)) => (Ended::Success, sweep_after(lane)),
        Ok(status) => (Ended::Failure(status.to_string()), sweep_after(lane)),
        Err(why) => (Ended::Failure(why.words()), Sweep::Thorough),
    };
    let mut gone = pin!(async {
        care.end_tree(&tree, sweep).await;
        if status.is_none() {
            exit(&child, &process).await;
        }
    });
    if timeout(STUCK, &mut gone).await.is_err() {
        answer.give(outcome.clone());
        warn_stuck(&care, unit, child.pid());
        gone.await;
    }
    care.leave(&tree);
    answer.give(outcome);
}

/// A probe that ended by itself rarely leaves anything; a look at all processes each time, where there is
/// no control group, would be dear: what left its process group is hunted in the background.
fn sweep_after(lane: Lane) -> Sweep {
    match lane {
        Lane::Probe => Sweep::Prompt,
        Lane::HoldsUp | Lane::Background => Sweep::Thorough,
    }
}

fn warn_stuck(care: &Care, unit: UnitId, pid: u32) {
    care.warn(
        unit,
        format!(
            "one of its commands (process {pid}) was killed and has not ended within {STUCK:?}; it is not waited for"
        ),
    );
}

type Spawned = Result<Result<Auxiliary, SpawnError>, String>;

/// Ends a command that is not made yet: what there is of it is killed until that is answered.
async fn unspawn(
    care: &Arc<Care>,
    tree: &RunTree,
    mut spawning: Pin<&mut impl Future<Output = Spawned>>,
    (why, answer): (Why, &mut Answer),
) -> Spawned {
    let mut patience = pin!(sleep(STUCK));
    let mut told = false;
    let mut pause = AGAIN.0;
    loop {
        // Whether it is empty now says nothing: it may not have begun.
        drop(care.end_tree(tree, Sweep::Thorough));
        tokio::select! {
            spawned = &mut spawning => return spawned,
            () = &mut patience, if !told => {
                told = true;
                answer.give(Ended::Failure(why.words()));
                care.warn(
                    tree.unit(),
                    format!(
                        "one of its commands could not be executed for {STUCK:?} (its directory or its program may be on a disk that hangs); \
                         it is not waited for"
                    ),
                );
            }
            () = sleep(pause) => pause = (pause * 2).min(AGAIN.1),
        }
    }
}

/// Waits for the command's main process, and reaps it.
async fn exit(child: &Auxiliary, process: &Exit) -> ExitStatus {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status,
            Ok(None) => {}
            Err(_) => return ExitStatus::Unknown,
        }
        if !process.wait().await {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}
