//! A worker with a queue: takes jobs from a folder one by one and counts the words in them.
//!
//! ```sh
//! worker run QUEUE              # in the foreground; Ctrl-C ends it after the job it is at
//! worker install -- QUEUE       # as a service of this machine
//! worker start
//! echo "four words to count" > QUEUE/jobs/one
//! cat QUEUE/done/one
//! ```
//!
//! Jobs that are there when it starts are done first. It gives a beat for each job and while it waits
//! for one, so a job that hangs is noticed: put a job with the text `hang` there and see. What it
//! does stands in `QUEUE/history`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use abide_service::{Context, Failure, Service};

/// How often it looks for jobs when there are none.
const LOOK: Duration = Duration::from_millis(200);

/// EX_USAGE of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    Service::new("abide-example-worker")
        .display_name("Example worker")
        .description("counts the words of the jobs in a folder")
        .watchdog(Duration::from_secs(10))
        .stop_timeout(Duration::from_secs(20))
        .main(body)
}

fn body(ctx: Context) -> Result<(), Failure> {
    let [folder] = ctx.args() else {
        return Err(Failure::new(
            USAGE,
            "which folder has the queue? worker run QUEUE",
        ));
    };
    let queue = Queue::open(Path::new(folder)).map_err(|error| {
        let folder = Path::new(folder).display();
        Failure::new(1, format!("cannot open the queue in {folder}: {error}"))
    })?;
    queue.note("begin")?;
    ctx.ready();
    let mut done = 0;
    loop {
        ctx.beat();
        match queue.next()? {
            Some(job) => {
                queue.work(&job)?;
                done += 1;
                ctx.status(format_args!("{done} jobs done"));
                ctx.log().info(format_args!("did {}", job.display()));
                if ctx.is_stopping() {
                    break;
                }
            }
            None if ctx.stopping().wait_for(pause(&ctx)) => break,
            None => {}
        }
    }
    let reason = ctx.stop_reason();
    ctx.log()
        .info(format_args!("{done} jobs done, stopped: {reason:?}"));
    queue.note("end")?;
    Ok(())
}

/// Not longer than somebody wants to wait for a beat.
fn pause(ctx: &Context) -> Duration {
    ctx.beat_every().map_or(LOOK, |every| every.min(LOOK))
}

struct Queue {
    folder: PathBuf,
}

impl Queue {
    fn open(folder: &Path) -> io::Result<Self> {
        for name in ["jobs", "done"] {
            fs::create_dir_all(folder.join(name))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The job that is there and comes first by name.
    fn next(&self) -> Result<Option<PathBuf>, Failure> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(self.folder.join("jobs")).map_err(failed)? {
            jobs.push(entry.map_err(failed)?.path());
        }
        Ok(jobs.into_iter().min())
    }

    fn work(&self, job: &Path) -> Result<(), Failure> {
        let text = fs::read_to_string(job).map_err(failed)?;
        if text.trim() == "hang" {
            fs::remove_file(job).map_err(failed)?;
            loop {
                thread::park();
            }
        }
        let words = text.split_whitespace().count();
        let name = job.file_name().unwrap_or_default();
        fs::write(self.folder.join("done").join(name), format!("{words}\n")).map_err(failed)?;
        fs::remove_file(job).map_err(failed)
    }

    fn note(&self, what: &str) -> Result<(), Failure> {
        let mut history = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("history"))
            .map_err(failed)?;
        writeln!(history, "{what} {}", std::process::id()).map_err(failed)
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::new(1, error)
}
