//! Running a service's body, on this thread or by whatever polls it.

use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::context::Context;
use crate::error::{BoxError, RunError};
use crate::panics::caught;
use crate::service::Service;
use crate::session::Session;

impl Service {
    /// Runs `body` on this thread until it returns, whoever started the program: a manager or a
    /// person. The body ends when [`stopping`](Context::stopping) does.
    ///
    /// An error or a panic is told to the manager and, when no person is there to read it, to the
    /// log. The program is to end with [`RunError::exit_code`] then, which [`main`](Self::main) does.
    ///
    /// # Errors
    /// What the body returned, its panic, or why it could not begin.
    pub fn run<E: Into<BoxError>>(
        &self,
        body: impl FnOnce(Context) -> Result<(), E>,
    ) -> Result<(), RunError> {
        self.run_with(arguments(), body)
    }

    pub(crate) fn run_with<E: Into<BoxError>>(
        &self,
        arguments: Vec<OsString>,
        body: impl FnOnce(Context) -> Result<(), E>,
    ) -> Result<(), RunError> {
        let session = Session::begin(self, arguments)?;
        let context = session.context();
        let outcome = caught(|| body(context));
        session.end(judge(outcome))
    }

    /// The same for a body that is a future: it is polled by whoever polls this one, so by the
    /// author's own runtime, and need not be `Send`.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn run_async<F, E>(&self, body: impl FnOnce(Context) -> F) -> Result<(), RunError>
    where
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        self.run_async_with(arguments(), body).await
    }

    pub(crate) async fn run_async_with<F, E>(
        &self,
        arguments: Vec<OsString>,
        body: impl FnOnce(Context) -> F,
    ) -> Result<(), RunError>
    where
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        let session = Session::begin(self, arguments)?;
        let context = session.context();
        let outcome = match caught(|| body(context)) {
            Err(panic) => Err(panic),
            Ok(future) => {
                let mut future = pin!(future);
                poll_fn(|task| {
                    session.polled(task);
                    match caught(|| future.as_mut().poll(task)) {
                        Ok(Poll::Pending) => Poll::Pending,
                        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
                        Err(panic) => Poll::Ready(Err(panic)),
                    }
                })
                .await
            }
        };
        session.end(judge(outcome))
    }
}

fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

fn judge<E: Into<BoxError>>(outcome: Result<Result<(), E>, String>) -> Result<(), RunError> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(RunError::Body(error.into())),
        Err(panic) => Err(RunError::Panicked(panic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::task::{Context as Task, Waker};

    use crate::Failure;

    /// A process is one service at a time.
    fn alone() -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn service() -> Service {
        Service::new("tried")
    }

    #[test]
    fn what_becomes_of_the_body_becomes_of_the_service() {
        let _alone = alone();
        assert!(service().run(|_| Ok::<(), io::Error>(())).is_ok());
        let failed = service().run(|_| Err(Failure::new(75, "no room")));
        let failed = failed.expect_err("it failed");
        assert_eq!(
            (failed.exit_code(), failed.to_string().as_str()),
            (75, "no room")
        );
        let panicked = service().run(|_| -> Result<(), io::Error> { panic!("no {}", "room") });
        let panicked = panicked.expect_err("it panicked");
        assert_eq!(panicked.exit_code(), 101);
        assert!(
            panicked
                .to_string()
                .starts_with("panicked: no room (crates/service/src/run.rs:"),
            "{panicked}"
        );
    }

    #[test]
    fn a_process_is_one_service_at_a_time() {
        let _alone = alone();
        let inner = service().run(|_| service().run(|_| Ok::<(), io::Error>(())));
        let RunError::Body(error) = inner.expect_err("there is one already") else {
            panic!("the inner one's error is the body's")
        };
        assert!(
            matches!(error.downcast_ref(), Some(RunError::Busy)),
            "{error}"
        );
        assert!(service().run(|_| Ok::<(), io::Error>(())).is_ok());
    }

    #[test]
    fn a_body_that_asks_itself_to_stop_knows_why() {
        let _alone = alone();
        let outcome = service().run(|ctx| {
            assert_eq!(ctx.stop_reason(), None);
            let other = ctx.clone();
            let helper = std::thread::spawn(move || other.reloading().wait().is_none());
            ctx.stop();
            ctx.stopping().wait();
            assert!(ctx.stopping().wait_for(std::time::Duration::ZERO));
            assert!(helper.join().expect("no panic"), "no reload comes any more");
            assert_eq!(ctx.stop_reason(), Some(crate::StopReason::Itself));
            Ok::<(), io::Error>(())
        });
        assert!(outcome.is_ok(), "{outcome:?}");
    }

    #[test]
    fn a_future_is_polled_by_whoever_polls_the_service() {
        let _alone = alone();
        let service = service();
        let mut running = pin!(service.run_async(async |ctx: Context| {
            ctx.stopping().await;
            Err::<(), _>("stopped")
        }));
        let mut task = Task::from_waker(Waker::noop());
        assert!(running.as_mut().poll(&mut task).is_pending());
        let mut asking = pin!(service.run_async(async |_| Ok::<(), io::Error>(())));
        assert!(matches!(
            asking.as_mut().poll(&mut task),
            Poll::Ready(Err(RunError::Busy))
        ));
    }

    #[test]
    fn a_future_that_panics_or_is_dropped_leaves_the_process_as_it_was() {
        let _alone = alone();
        let service = service();
        let mut task = Task::from_waker(Waker::noop());
        {
            let mut dropped = pin!(service.run_async(async |ctx: Context| {
                ctx.stopping().await;
                Ok::<(), io::Error>(())
            }));
            assert!(dropped.as_mut().poll(&mut task).is_pending());
        }
        let mut panics =
            pin!(service.run_async(async |_| -> Result<(), io::Error> { panic!("no room") }));
        let Poll::Ready(Err(RunError::Panicked(said))) = panics.as_mut().poll(&mut task) else {
            panic!("it panics at its first poll")
        };
        assert!(said.starts_with("no room ("), "{said}");
        assert!(service.run(|_| Ok::<(), io::Error>(())).is_ok());
    }
}
