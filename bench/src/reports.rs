//! What the measured programs say: a FIFO of lines, each with the time at which something happened. The
//! time is taken by the program itself, so it does not matter when the line is read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::clock;

/// What a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is in `main()`.
    Main,
    /// It begins to write.
    Begins,
    /// It has written so many lines.
    Wrote(u64),
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What it says.
    pub what: What,
    /// Which unit it is.
    pub unit: usize,
    /// Its pid, in its own namespace of pids.
    pub pid: u32,
    /// When, by `clock::now`.
    pub at: u64,
}

/// The reading end.
pub struct Reports {
    path: PathBuf,
    fifo: fs::File,
    pending: Vec<u8>,
}

impl Reports {
    /// Makes the FIFO.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot make {}: {error}", path.display());
        let mode = rustix::fs::Mode::from_raw_mode(0o622);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)
            .map_err(|error| failed(error.into()))?;
        // For both, so that it never ends.
        let fifo = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .map_err(failed)?;
        // Room for ten thousand that begin at once. Without it they find it full and are not heard.
        rustix::pipe::fcntl_setpipe_size(&fifo, 1 << 20).map_err(|error| failed(error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            fifo,
            pending: Vec::new(),
        })
    }

    /// Where programs write to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line, if there is one within this time.
    pub fn next(&mut self, within: Duration) -> Option<Report> {
        let until = clock::now() + u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if let Some(report) = std::str::from_utf8(&line).ok().and_then(parse) {
                    return Some(report);
                }
                continue;
            }
            let mut buffer = [0; 4096];
            match self.fifo.read(&mut buffer) {
                Ok(count) if count > 0 => self
                    .pending
                    .extend_from_slice(buffer.get(..count).unwrap_or_default()),
                _ => {
                    let left = until.checked_sub(clock::now())?;
                    let left = Timespec::try_from(Duration::from_nanos(left)).ok()?;
                    let mut fds = [PollFd::new(&self.fifo, PollFlags::IN)];
                    // An interrupted wait is a short one.
                    let _ = poll(&mut fds, Some(&left));
                }
            }
        }
    }

    /// Forgets what was said so far.
    pub fn clear(&mut self) {
        while self.next(Duration::ZERO).is_some() {}
        self.pending.clear();
    }
}

fn parse(line: &str) -> Option<Report> {
    let mut fields = line.split_whitespace();
    let what = fields.next()?;
    let unit = fields.next()?.parse().ok()?;
    let pid = fields.next()?.parse().ok()?;
    let at = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    let what = match what {
        "M" => What::Main,
        "S" => What::Begins,
        "E" => What::Wrote(count),
        _ => return None,
    };
    Some(Report {
        what,
        unit,
        pid,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line() {
        let report = parse("E 3 4711 123456789 1000\n").expect("it is one");
        assert_eq!(report.what, What::Wrote(1000));
        assert_eq!((report.unit, report.pid, report.at), (3, 4711, 123_456_789));
        assert_eq!(parse("E 3 4711"), None);
        assert_eq!(parse("Q 3 4711 1 1"), None);
    }
}
