//! Running a manager's own programs, each with a deadline.

#[cfg(all(test, unix))]
mod tests;

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::Error;
use crate::plan::Call;

/// How long what a program wrote is waited for once it has ended: somebody else may have its pipes, such as a
/// service that an init script started.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What a program said.
#[derive(Debug)]
pub(crate) struct Output {
    /// How it ended; `None`: by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Output {
    /// It ended with 0.
    pub(crate) fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// What it complained of, in one line.
    pub(crate) fn complaint(&self) -> String {
        let text = if self.err.trim().is_empty() {
            &self.out
        } else {
            &self.err
        };
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        match (lines.is_empty(), self.code) {
            (false, _) => lines.join("; "),
            (true, Some(code)) => format!("it ended with code {code} and said nothing"),
            (true, None) => "it was killed and said nothing".to_owned(),
        }
    }
}

impl Call {
    /// Runs it.
    ///
    /// # Errors
    /// It cannot be executed, or has not ended in time (it is killed then). Its exit code is the caller's
    /// business.
    pub(crate) fn run(&self, within: Duration) -> Result<Output, Error> {
        let failed = |e: io::Error| Error::Failed {
            command: self.to_string(),
            output: e.to_string(),
        };
        let (program, arguments) = self.words.split_first().ok_or_else(|| Error::Failed {
            command: String::new(),
            output: "it has no words".to_owned(),
        })?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("SYSTEMD_PAGER", "")
            .env("SYSTEMD_COLORS", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let out = Collected::of(child.stdout.take());
        let err = Collected::of(child.stderr.take());
        match wait(child, within).map_err(failed)? {
            Some(status) => Ok(Output {
                code: status.code(),
                out: out.text(),
                err: err.text(),
            }),
            None => Err(Error::TimedOut {
                action: format!("`{self}`"),
                within,
                state: String::new(),
            }),
        }
    }

    /// Runs it, and takes every code but 0 for a failure.
    pub(crate) fn succeed(&self, within: Duration) -> Result<Output, Error> {
        let output = self.run(within)?;
        if output.ok() {
            return Ok(output);
        }
        Err(Error::Failed {
            command: self.to_string(),
            output: output.complaint(),
        })
    }
}

/// Waits for it; `None`: it took too long, and was killed.
fn wait(mut child: Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let (tell, told) = channel();
    let id = child.id();
    thread::scope(|scope| {
        scope.spawn(move || {
            // It stays a zombie, so that nobody else has its number when it is killed.
            crate::process::wait_and_leave(id);
            let _ = tell.send(());
        });
        let late = told.recv_timeout(within) == Err(RecvTimeoutError::Timeout);
        if late {
            // It may have ended by itself at this instant.
            let _ = child.kill();
        }
        let status = child.wait()?;
        Ok((!late).then_some(status))
    })
}

/// What is read from a pipe, by a thread of its own.
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    end: std::sync::mpsc::Receiver<()>,
}

impl Collected {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let (tell, end) = channel();
        let into = Arc::clone(&text);
        thread::spawn(move || {
            let mut part = [0; 4096];
            let mut pipe = pipe;
            while let Some(pipe) = &mut pipe
                && let Ok(read @ 1..) = pipe.read(&mut part)
            {
                let part = part.get(..read).unwrap_or(&part);
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(part);
            }
            let _ = tell.send(());
        });
        Self { text, end }
    }

    fn text(self) -> String {
        let _ = self.end.recv_timeout(LAST_WORDS);
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}
