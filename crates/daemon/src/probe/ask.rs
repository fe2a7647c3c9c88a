//! Asking: one probe, a round of them, or one again and again.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use abide_log::Text;
use abide_model::{HealthProbe, ProbeKind};
use abide_platform::{clock, text};
use tokio::time::{sleep, timeout};

use super::address::Names;
use super::memory::{self, Memory};
use super::{ReadyWatch, Round, Subject, file, http, log, tcp};
use crate::assist::{Assistants, ProbeCommand, Report};
use crate::capture::Capture;
use crate::home::Home;

/// How long one try for readiness may take.
const TRY: Duration = Duration::from_secs(5);
/// The wait between the first two tries; grows to [`SLOWEST`].
const QUICKEST: Duration = Duration::from_millis(20);
/// The longest wait between two tries.
const SLOWEST: Duration = Duration::from_secs(1);

/// What all probes share.
pub struct Asker {
    pub assistants: Assistants,
    capture: Capture,
    home: Home,
    names: Names,
    memory: Memory,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

impl Asker {
    pub fn new(assistants: Assistants, capture: Capture, home: Home) -> Self {
        Self {
            assistants,
            capture,
            home,
            names: Names::default(),
            memory: Memory::default(),
        }
    }

    /// Reports once the run is ready.
    pub async fn until_ready(&self, watch: ReadyWatch) {
        let (unit, run) = (watch.subject.unit, watch.subject.run);
        let mut said = String::new();
        let mut not_yet = |reason: String| {
            if said != reason {
                said.clone_from(&reason);
                self.assistants.report(Report::NotYet { unit, run, reason });
            }
        };
        match &watch.probe {
            ProbeKind::Notify | ProbeKind::Fd(_) => return,
            ProbeKind::Log(pattern) => {
                let wanted = log::Wanted {
                    unit,
                    dir: self.home.unit_logs(&watch.subject.name),
                    pattern: pattern.clone(),
                    mark: watch.mark,
                    since: watch.since,
                    text: Text::new(watch.encoding, text::read),
                };
                not_yet(format!("log: no line has matched {pattern:?} so far"));
                if let Err(reason) = log::appears(&self.assistants, &self.capture, wanted).await {
                    return not_yet(format!("log: {reason}"));
                }
            }
            probe => {
                let mut wait = QUICKEST;
                while let Err(reason) = self.within(TRY, self.ready_probe(&watch, probe)).await {
                    not_yet(reason);
                    sleep(wait).await;
                    wait = (wait * 2).min(SLOWEST);
                }
            }
        }
        self.assistants.report(Report::Ready { unit, run });
    }

    fn ready_probe<'a>(
        &'a self,
        watch: &'a ReadyWatch,
        probe: &'a ProbeKind,
    ) -> (String, Answer<'a>) {
        match probe {
            ProbeKind::Tcp(address) => self.tcp(address),
            ProbeKind::Http(probe) => self.http(probe),
            ProbeKind::Exec(argv) => self.exec(&watch.subject, argv, TRY),
            ProbeKind::File(path) => {
                let path = watch.subject.launch.directory.join(path);
                let name = format!("file {}", path.display());
                let answer = file::is_there(&self.assistants, path, watch.since);
                (name, Box::pin(answer))
            }
            ProbeKind::Notify | ProbeKind::Fd(_) | ProbeKind::Log(_) => {
                (String::new(), Box::pin(std::future::pending()))
            }
        }
    }

    /// All probes of a round at once. What fails first says why the round is bad.
    pub async fn round(&self, round: Round) -> Result<(), String> {
        let time = round.check.timeout;
        let mut asked: Vec<Answer<'_>> = round
            .check
            .probes
            .iter()
            .map(|probe| -> Answer<'_> {
                Box::pin(self.within(time, self.health_probe(&round, probe)))
            })
            .collect();
        std::future::poll_fn(|context| {
            let mut failed = None;
            asked.retain_mut(|answer| match answer.as_mut().poll(context) {
                std::task::Poll::Ready(Err(reason)) => {
                    failed.get_or_insert(reason);
                    false
                }
                std::task::Poll::Ready(Ok(())) => false,
                std::task::Poll::Pending => true,
            });
            match failed {
                Some(reason) => std::task::Poll::Ready(Err(reason)),
                None if asked.is_empty() => std::task::Poll::Ready(Ok(())),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }

    fn health_probe<'a>(
        &'a self,
        round: &'a Round,
        probe: &'a HealthProbe,
    ) -> (String, Answer<'a>) {
        match probe {
            HealthProbe::Tcp(address) => self.tcp(address),
            HealthProbe::Http(probe) => self.http(probe),
            HealthProbe::Exec(argv) => self.exec(&round.subject, argv, round.check.timeout),
            HealthProbe::Silence(most) => {
                let result = self.silence(round, *most);
                ("log".into(), Box::pin(std::future::ready(result)))
            }
            HealthProbe::Memory(most) => {
                let answer = async {
                    let used = self.memory.used(&self.assistants, &round.tree).await?;
                    if used > *most {
                        return Err(memory::above(used, *most));
                    }
                    Ok(())
                };
                ("memory".into(), Box::pin(answer))
            }
        }
    }

    fn tcp<'a>(&'a self, address: &'a str) -> (String, Answer<'a>) {
        let answer = tcp::accepts(&self.assistants, &self.names, address);
        (format!("tcp {address}"), Box::pin(answer))
    }

    fn http<'a>(&'a self, probe: &'a abide_model::HttpProbe) -> (String, Answer<'a>) {
        let answer = http::answers(&self.assistants, &self.names, probe);
        (format!("http {}", probe.url), Box::pin(answer))
    }

    fn exec<'a>(
        &'a self,
        subject: &Subject,
        argv: &[String],
        time: Duration,
    ) -> (String, Answer<'a>) {
        let command = ProbeCommand {
            unit: subject.unit,
            name: subject.name.clone(),
            launch: subject.launch.clone(),
            argv: argv.to_vec(),
            variables: subject.variables.clone(),
            timeout: time,
        };
        ("exec".into(), Box::pin(self.assistants.probe(command)))
    }

    fn silence(&self, round: &Round, most: Duration) -> Result<(), String> {
        let unit = round.subject.unit;
        let Some(last) = self.capture.last_output(unit) else {
            return Ok(());
        };
        // What it writes cannot be seen then; that is the disk's fault and not its.
        if last.trouble || last.silent_for(clock::now().mono, round.began) <= most {
            return Ok(());
        }
        Err(format!("no output for {}", words(most)))
    }

    async fn within(
        &self,
        time: Duration,
        (name, answer): (String, Answer<'_>),
    ) -> Result<(), String> {
        match timeout(time, answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) if name == "memory" => Err(format!("{name} {reason}")),
            Ok(Err(reason)) if name == "log" => Err(reason),
            Ok(Err(reason)) => Err(format!("{name}: {reason}")),
            Err(_) => Err(format!("{name}: no answer within {}", words(time))),
        }
    }
}

/// "5 min", "90 s", "0.5 s".
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        _ if time.subsec_nanos() != 0 => format!("{} s", time.as_secs_f64()),
        3600.. if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        60.. if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
