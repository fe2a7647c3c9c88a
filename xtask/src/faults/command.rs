//! Commands of a person, some of which die or find nobody.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use abide_e2e::Home;

/// After this a command is killed: whoever waits for an answer that cannot come has this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command on its way.
pub struct Running {
    pub words: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    begun: Instant,
}

/// A command that has ended.
pub struct Ended {
    pub words: String,
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    /// On standard output, and on standard error.
    pub said: String,
    pub complained: String,
    pub overdue: bool,
}

/// Runs `abide` in the background.
pub fn start(home: &Home, number: u64, words: &[&str]) -> Result<Running, String> {
    let out = home.path(&format!("command.{number}"));
    let failed = |error: std::io::Error| format!("cannot run abide {words:?}: {error}");
    let err = home.path(&format!("command.{number}.err"));
    let mut command: Command = home.command(words);
    command
        .stdin(Stdio::null())
        .stdout(File::create(&out).map_err(failed)?)
        .stderr(File::create(&err).map_err(failed)?);
    Ok(Running {
        words: words.join(" "),
        child: command.spawn().map_err(failed)?,
        out,
        err,
        begun: Instant::now(),
    })
}

impl Ended {
    /// It was done, even if it says of others that they crash.
    pub fn done(&self) -> bool {
        self.code == Some(0) || (self.code == Some(1) && self.complained.contains("abide why"))
    }

    /// It found neither keeper nor daemon, and started both.
    pub fn started(&self) -> bool {
        self.said.contains("abide started in")
    }

    /// The last thing it said.
    pub fn last_word(&self) -> &str {
        let both = self.said.lines().chain(self.complained.lines());
        both.last().unwrap_or("")
    }
}

impl Running {
    pub fn kill(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
    }

    fn ended(&mut self, overdue: bool) -> Option<Ended> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(Ended {
            words: self.words.clone(),
            code: status.code(),
            said: std::fs::read_to_string(&self.out).unwrap_or_default(),
            complained: std::fs::read_to_string(&self.err).unwrap_or_default(),
            overdue,
        })
    }

    /// Waits for its end, and sees to it if that takes too long.
    pub fn wait(mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended(false) {
                return ended;
            }
            if self.begun.elapsed() > PATIENCE {
                self.kill();
                loop {
                    if let Some(ended) = self.ended(true) {
                        return ended;
                    }
                    abide_e2e::wait::pause();
                }
            }
            abide_e2e::wait::pause();
        }
    }
}
