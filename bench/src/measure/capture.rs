//! Log capture: programs write lines of 100 bytes as fast as they can. From the first one's first write until
//! the last line of each is in its log; and the CPU time of the peer in that time. Then the logs are read
//! and the lines counted.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::session::{Out, Session};
use crate::ground::{Ground, Unit, Writing};
use crate::lines::{self, Count};
use crate::peers::Peer;
use crate::reports::What;
use crate::{clock, processes, tool};

/// How much is written how.
#[derive(Debug, Clone)]
pub struct Load {
    /// In the names of results.
    pub name: &'static str,
    /// So many programs.
    pub writers: usize,
    /// Bytes a write.
    pub block: usize,
    /// Lines of all programs together.
    pub lines: u64,
    /// Between two writes.
    pub pace: Duration,
}

/// The FIFO that writers wait for.
///
/// # Errors
/// It cannot be made.
pub fn gate(ground: &mut Ground) -> Result<PathBuf, String> {
    let path = ground.session()?.join("gate");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
        .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    Ok(path)
}

/// Lets all writers begin.
///
/// # Errors
/// The gate cannot be opened.
pub fn open_gate(path: &Path) -> Result<std::fs::File, String> {
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| format!("cannot open {}: {error}", path.display()))
}

/// Measures one load.
///
/// # Errors
/// Something cannot be started; what is lost is a result and no error.
pub fn measure(
    ground: &mut Ground,
    peer: &dyn Peer,
    load: &Load,
    out: &mut Out,
) -> Result<(), String> {
    let gate = gate(ground)?;
    let each = load.lines / load.writers as u64;
    let writing = Writing {
        gate: Some(gate.clone()),
        block: load.block,
        lines: each,
        pace_us: u64::try_from(load.pace.as_micros()).unwrap_or(u64::MAX),
    };
    let units: Vec<Unit> = (0..load.writers)
        .map(|id| ground.writer(id, &writing))
        .collect();
    let mut session = Session::begin(ground, peer, units)?;
    clock::let_pass(Duration::from_millis(1500));
    let pids = session.guard.supervisors();
    let before = processes::used(&pids);
    let _open = open_gate(&gate)?;
    let (begun, ended, pipe) = follow(&mut session, each)?;
    let cost = processes::used(&session.guard.supervisors()).since(&before);
    let seconds = clock::ms(begun, ended) / 1e3;
    let bytes = (each * load.writers as u64 * 100) as f64;
    let cpu = cost.cpu.as_secs_f64();
    let switches = cost.switches as f64;
    let name = load.name;
    let wrong = verify(&session, each)?.min(load.lines);
    session.say(out, &format!("{name} lines wrong"), &[wrong as f64]);
    if !load.pace.is_zero() {
        // How fast it writes is the program's own doing.
        return session.end();
    }
    session.say(out, &format!("{name} MB/s"), &[bytes / 1e6 / seconds]);
    session.say(
        out,
        &format!("{name} CPU s/GiB"),
        &[cpu / (bytes / f64::from(1 << 30))],
    );
    session.say(
        out,
        &format!("{name} switches/MB"),
        &[switches / (bytes / 1e6)],
    );
    if let Some(size) = pipe {
        session.say(out, &format!("{name} pipe KiB"), &[size as f64 / 1024.0]);
    }
    session.end()
}

/// The size of the first unit's pipe.
fn pipe_of(session: &Session) -> Option<usize> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = session.guard.pipe(session.units.first()?)?;
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let pipe = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .ok()?;
    rustix::pipe::fcntl_getpipe_size(&pipe).ok()
}

/// Waits until all is written, and is in the logs. When it began, when it was done, and the size of the pipe
/// then.
fn follow(session: &mut Session, lines: u64) -> Result<(u64, u64, Option<usize>), String> {
    let mut pipe = None;
    let mut begun = u64::MAX;
    let mut writing: BTreeSet<usize> = session.pids.keys().copied().collect();
    let mut reading = writing.clone();
    let limit = clock::now() + 120_000_000_000;
    loop {
        // The log is looked at only when its program is through: looking costs time that is measured.
        let wait = if writing.is_empty() {
            Duration::from_micros(500)
        } else {
            Duration::from_millis(20)
        };
        while let Some(report) = session.ground.reports.next(wait) {
            match report.what {
                What::Begins => begun = begun.min(report.at),
                What::Wrote(_) => {
                    writing.remove(&report.unit);
                    pipe = pipe.or_else(|| pipe_of(session));
                    break;
                }
                What::Main => {}
            }
        }
        if writing.is_empty() {
            reading.retain(|unit| {
                let tail = session.units.get(*unit);
                let tail = tail.map(|unit| session.guard.log_tail(unit));
                let last = tail.and_then(|tail| lines::last(&tail));
                last.is_none_or(|(_, number)| number as u64 + 1 < lines)
            });
        }
        if reading.is_empty() {
            return Ok((begun, clock::now(), pipe));
        }
        if clock::now() > limit {
            return Err(format!(
                "{}: {} writers and {} logs were not at their ends after 120 s",
                session.peer,
                writing.len(),
                reading.len()
            ));
        }
    }
}

/// Reads all logs: how many lines are missing, there twice, or torn.
fn verify(session: &Session, lines: u64) -> Result<u64, String> {
    let mut wrong = 0;
    for unit in &session.units {
        let count = count(session, unit)?;
        let pid = session.pids.get(&unit.id).copied().unwrap_or(0);
        wrong += count.torn;
        wrong += count
            .writers
            .get(&pid)
            .map_or(lines, |seen| seen.lost(lines) + seen.doubled());
    }
    Ok(wrong)
}

/// Counts the lines of one unit's log.
///
/// # Errors
/// It cannot be read.
pub fn count(session: &Session, unit: &Unit) -> Result<Count, String> {
    let mut count = Count::default();
    let mut buffer = vec![0; 1 << 18];
    let mut all = |from: &mut dyn Read| -> std::io::Result<()> {
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                size => count.take(buffer.get(..size).unwrap_or_default()),
            }
        }
    };
    let failed = |error| format!("cannot read the log of {}: {error}", unit.name());
    if let Some(mut command) = session.guard.log_command(unit) {
        let mut child = tool::start(command.stdout(Stdio::piped()))?;
        if let Some(mut stdout) = child.stdout.take() {
            all(&mut stdout).map_err(failed)?;
        }
        child.wait().map_err(failed)?;
    } else {
        for file in session.guard.log_files(unit) {
            all(&mut std::fs::File::open(file).map_err(failed)?).map_err(failed)?;
        }
    }
    Ok(count)
}
