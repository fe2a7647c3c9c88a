//! Waiting for an operation with its progress in sight. The work is the daemon's; leaving does not stop it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use abide_model::api::OperationView;
use abide_model::{OperationState, StepState};

use super::Context;
use crate::args::Patience;
use crate::client::{Client, Error, Events, Which};
use crate::failure::{Code, Failure};
use crate::render::progress::{Death, Progress};
use crate::render::words::duration;
use crate::term::{Output, Signals, escape};

/// How often the picture is drawn, and lines are printed.
const TICK: Duration = Duration::from_millis(100);

/// How often the whole operation is asked for on the way, for each of its steps: an answer has all of them, and
/// must not cost thousands of units more than what is done with them.
const PER_STEP: Duration = Duration::from_micros(500);

/// How long units that came up are watched: a program that cannot live says so at once.
const INFANCY: Duration = Duration::from_millis(500);

/// What became of an operation.
pub(super) struct Outcome {
    /// Its last state.
    pub operation: OperationView,
    /// Nothing happened to any of its units.
    pub untouched: bool,
    /// Units that came up and ended at once.
    pub deaths: Vec<Death>,
}

/// How to follow an operation.
pub(super) struct Following<'a> {
    pub patience: &'a Patience,
    /// The number of the last event before the operation.
    pub after: u64,
    /// Nothing is drawn.
    pub quiet: bool,
    /// Units that come up are watched for a moment.
    pub infancy: bool,
    /// The daemon ends with the operation: that it cannot be asked any more is the end, not a failure.
    pub vanishes: bool,
}

/// Waits until the operation is finished.
///
/// # Errors
/// Ctrl-C, the time-out, or a daemon that cannot be asked any more.
pub(super) async fn follow(
    context: &mut Context<'_>,
    operation: OperationView,
    how: &Following<'_>,
) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let client = context.client.clone();
    let mut signals = Signals::listen()?;
    let mut progress = Progress::default();
    progress.take_operation(&operation, Duration::ZERO);
    // Progress is a courtesy: without the events the operation itself still tells enough.
    let mut events = client.events_after(how.after, Which::default()).await.ok();
    let mut news = false;
    let pace = PER_STEP.saturating_mul(u32::try_from(operation.steps.len()).unwrap_or(u32::MAX));
    let mut asked = begun;
    let mut picture = Picture {
        lines: 0,
        quiet: how.quiet,
    };
    let mut last = operation;
    let mut tick = tokio::time::interval_at((begun + TICK).into(), TICK);
    let deadline = how.patience.timeout.map(|timeout| begun + timeout);
    let mut done_at = finished(&last).then_some(begun);
    let mut poll = Box::pin(poll(client.clone(), last.id));

    loop {
        if let Some(done) = done_at {
            let young = how.infancy
                && last.state == OperationState::Done
                && (events.is_some() && progress.started().next().is_some()
                    || done.elapsed() < TICK / 2);
            if !young || done.elapsed() >= INFANCY || !progress.deaths().is_empty() {
                break;
            }
        }
        tokio::select! {
            biased;
            event = next(&mut events) => match event {
                Some(event) => {
                    progress.take_event(&event, begun.elapsed());
                    news = true;
                }
                None => events = None,
            },
            answer = &mut poll, if done_at.is_none() => {
                last = match answer {
                    Ok(operation) => operation,
                    Err(_) if how.vanishes => break,
                    Err(error) => return Err(client.failure(error)),
                };
                progress.take_operation(&last, begun.elapsed());
                if finished(&last) {
                    done_at = Some(Instant::now());
                } else {
                    poll.set(self::poll(client.clone(), last.id));
                }
            }
            _ = tick.tick() => {
                // The long poll answers at the end; what happened may have finished a step before.
                if news && done_at.is_none() && asked.elapsed() >= pace {
                    news = false;
                    if let Ok(now) = client.operation_now(last.id).await {
                        progress.take_operation(&now, begun.elapsed());
                    }
                    asked = Instant::now();
                }
                picture.draw(context.out, &mut progress, begun.elapsed())?;
            }
            () = signals.leave() => {
                picture.draw(context.out, &mut progress, begun.elapsed())?;
                return Err(interrupted(&client));
            }
            () = expired(deadline), if done_at.is_none() => {
                picture.draw(context.out, &mut progress, begun.elapsed())?;
                return Err(timed_out(&client, &progress, begun.elapsed()));
            }
        }
    }
    if how.vanishes && last.state != OperationState::Failed {
        progress.all_stopped(begun.elapsed());
    }
    picture.draw(context.out, &mut progress, begun.elapsed())?;
    Ok(Outcome {
        untouched: progress.is_untouched(),
        operation: last,
        deaths: progress.deaths(),
    })
}

async fn poll(client: Client, id: u64) -> Result<OperationView, Error> {
    client.operation(id).await
}

/// The next event; waits for ever without a stream.
async fn next(events: &mut Option<Events>) -> Option<abide_model::api::EventView> {
    match events {
        Some(events) => events.next().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

async fn expired(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn finished(operation: &OperationView) -> bool {
    operation.state != OperationState::Running
}

fn interrupted(client: &Client) -> Failure {
    Failure::new("not waited for: it goes on in the background".to_owned())
        .help(format!(
            "`{}` shows how far it is",
            client.home().hint("status")
        ))
        .code(Code::Interrupted)
}

fn timed_out(client: &Client, progress: &Progress, waited: Duration) -> Failure {
    Failure::new(format!(
        "not done after {}: {}",
        duration(waited),
        progress.pending()
    ))
    .help(format!(
        "it goes on in the background; `{}` shows how far it is",
        client.home().hint("status")
    ))
}

/// The steps that failed, as an error; `None` when all went well.
pub(super) fn failures(client: &Client, operation: &OperationView) -> Option<Failure> {
    let failed: Vec<String> = operation
        .steps
        .iter()
        .filter(|step| step.state == StepState::Failed)
        .map(|step| match &step.note {
            Some(note) => format!("{}: {}", step.unit, escape(note)),
            None => step.unit.to_string(),
        })
        .collect();
    match (failed.as_slice(), operation.state) {
        ([], OperationState::Superseded) => {
            Some(Failure::new("a later command took over".to_owned()))
        }
        ([], OperationState::Failed) => {
            Some(Failure::new("not everything could be done".to_owned()))
        }
        ([], _) => None,
        ([one], _) => Some(Failure::new(one.clone())),
        (several, _) => Some(Failure::new(format!(
            "{} units failed\n  {}",
            several.len(),
            several.join("\n  ")
        ))),
    }
    .map(|failure| {
        let unit = operation
            .steps
            .iter()
            .find(|step| step.state == StepState::Failed);
        match unit {
            Some(step) => failure.help(format!(
                "`{}` says more; `{}` shows what it wrote",
                client.home().hint(&format!("why {}", step.unit)),
                client.home().hint(&format!("logs {}", step.unit)),
            )),
            None => failure,
        }
    })
}

/// The progress as it stands on the terminal.
struct Picture {
    lines: usize,
    quiet: bool,
}

impl Picture {
    fn draw(
        &mut self,
        out: &mut Output,
        progress: &mut Progress,
        now: Duration,
    ) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        let Some((columns, rows)) = out.size() else {
            for line in progress.changes() {
                writeln!(out, "{line}")?;
            }
            out.flush()?;
            return Ok(());
        };
        let frame = progress.frame(now, columns, rows.saturating_sub(3).max(1), out.palette);
        self.rewind(out)?;
        for line in &frame {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        self.lines = frame.len();
        Ok(())
    }

    /// Back to where the picture begins, and nothing left of it.
    fn rewind(&mut self, out: &mut Output) -> Result<(), Failure> {
        if self.lines > 0 {
            write!(out, "\x1b[{}A\r\x1b[J", self.lines)?;
            self.lines = 0;
        }
        Ok(())
    }
}
