//! Finding out whether a program is ready: a thread of its own that asks, and tells the driver.
//!
//! Only units that are starting are asked, so with nothing starting nothing here wakes up. A try
//! that hangs holds up neither the others nor the driver: each has a time-out of its own, and there
//! is at most one at a time for a run.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use abide_model::{ProbeKind, RunId, UnitId};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
/// The wait between the first two tries; grows to [`SLOWEST`].
const QUICKEST: Duration = Duration::from_millis(20);
/// The longest wait between two tries.
const SLOWEST: Duration = Duration::from_secs(1);

/// What to ask, and in which surroundings a command is run.
#[derive(Clone, Debug)]
pub struct Question {
    /// How to find out.
    pub probe: ProbeKind,
    /// Variables of the unit, for a command.
    pub environment: Vec<(String, String)>,
    /// Directory of the unit, for a command.
    pub directory: PathBuf,
    /// User and group id of the unit, for a command.
    pub identity: Option<(u32, u32)>,
    /// When the run began: an older file is a leftover of an earlier run.
    pub since: SystemTime,
}

enum Order {
    Watch(UnitId, RunId, Box<Question>),
    Stop(UnitId),
}

/// The asking thread; started when it is first needed.
pub struct Probes {
    report: Option<Report>,
    orders: Option<UnboundedSender<Order>>,
}

type Report = Box<dyn Fn(UnitId, RunId) + Send>;

impl Probes {
    /// `report` is called on the asking thread, once for each run that is found ready.
    pub fn new(report: impl Fn(UnitId, RunId) + Send + 'static) -> Self {
        Self {
            report: Some(Box::new(report)),
            orders: None,
        }
    }

    /// Asks until the answer is yes, or until [`Probes::stop`]. Replaces an earlier watch of the unit.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn watch(&mut self, unit: UnitId, run: RunId, question: Question) -> io::Result<()> {
        if let Some(report) = self.report.take() {
            let (sender, receiver) = unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            std::thread::Builder::new()
                .name("probes".into())
                .stack_size(256 << 10)
                .spawn(move || runtime.block_on(serve(receiver, report)))?;
            self.orders = Some(sender);
        }
        if let Some(orders) = &self.orders {
            // A thread that is gone has panicked; the run then ends at its readiness deadline.
            let _ = orders.send(Order::Watch(unit, run, Box::new(question)));
        }
        Ok(())
    }

    /// Stops asking.
    pub fn stop(&self, unit: UnitId) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Stop(unit));
        }
    }
}

async fn serve(mut orders: UnboundedReceiver<Order>, report: Report) {
    let (found, mut yes) = unbounded_channel::<(UnitId, RunId)>();
    let mut watches: HashMap<UnitId, (RunId, AbortHandle)> = HashMap::new();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Watch(unit, run, question)) => {
                    let found = found.clone();
                    let task = tokio::spawn(async move {
                        until_ready(&question).await;
                        let _ = found.send((unit, run));
                    });
                    if let Some((_, old)) = watches.insert(unit, (run, task.abort_handle())) {
                        old.abort();
                    }
                }
                Some(Order::Stop(unit)) => {
                    if let Some((_, task)) = watches.remove(&unit) {
                        task.abort();
                    }
                }
                None => return,
            },
            Some((unit, run)) = yes.recv() => {
                if watches.get(&unit).is_some_and(|(current, _)| *current == run) {
                    watches.remove(&unit);
                    report(unit, run);
                }
            }
        }
    }
}

async fn until_ready(question: &Question) {
    let mut wait = QUICKEST;
    while !tokio::time::timeout(TRY, ask(question))
        .await
        .unwrap_or(false)
    {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(SLOWEST);
    }
}

async fn ask(question: &Question) -> bool {
    match &question.probe {
        ProbeKind::Tcp(address) => TcpStream::connect(address.as_str()).await.is_ok(),
        ProbeKind::Http(probe) => super::status::answers(&probe.url).await,
        ProbeKind::Exec(argv) => super::exec::succeeds(argv, question).await,
        ProbeKind::File(path) => std::fs::metadata(question.directory.join(path))
            .and_then(|meta| meta.modified())
            .is_ok_and(|modified| modified >= question.since),
        ProbeKind::Notify | ProbeKind::Fd(_) | ProbeKind::Log(_) => false,
    }
}
