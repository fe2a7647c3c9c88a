use std::io::{self, Write};
use std::path::{Path, PathBuf};

use abide_model::{RunId, UnitId};

use super::Identity;
use crate::clock::Boot;

/// The size of a record file. It is written in place with one write, so that it works on a full disk
/// too and is never half of one record and half of another.
pub(crate) const SIZE: usize = 1024;

/// What a run's child writes down before it executes its program, so that a daemon that knows nothing
/// can find it again. The text of `run/UNIT/record`: one `key=value` a line, then spaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The unit.
    pub unit: UnitId,
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub process: Identity,
    /// The process that the run began with, whose number is that of its session and process group,
    /// where the main process is another one by now.
    pub leader: Option<u32>,
    /// Its processes carry the tag that [`crate::tree::Trees`] computes from unit and run.
    pub tagged: bool,
    /// The control group it was put in.
    pub group: Option<PathBuf>,
    /// On Windows: the number that the handle to its job has in its main process.
    pub job: Option<u64>,
    /// On Windows: the numbers that the ends of its output's pipes have in its main process, where they are taken
    /// from and where it writes to; of standard output, then of standard error where that is apart.
    pub outputs: Vec<(u64, u64)>,
}

impl Record {
    /// Reads a record file. `None`: there is none, or no run was ever recorded in it.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes into a run's record file that its main process is another one from now on. Like the
    /// record itself that is one write in place. `Ok(false)`: the file is not that run's, and was left alone.
    ///
    /// # Errors
    /// Those of reading and writing the file.
    pub fn change_main(path: &Path, run: RunId, main: &Identity) -> io::Result<bool> {
        let Some(record) = Self::read(path)?.filter(|record| record.run == run) else {
            return Ok(false);
        };
        let mut text = Self::head(
            record.unit,
            record.run,
            main.boot,
            record.tagged,
            record.group.as_deref(),
        );
        let leader = record.leader.unwrap_or(record.process.pid);
        text.push_str(&format!("leader={leader}\npid={}", main.pid));
        for (key, value) in [("inode", main.inode), ("start", main.start)] {
            if let Some(value) = value {
                text.push_str(&format!("\n{key}={value}"));
            }
        }
        text.push_str("\nend=1\n");
        text.push_str(&" ".repeat(SIZE.saturating_sub(text.len())));
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        file.write_all(text.as_bytes())?;
        Ok(true)
    }

    /// The lines that are known before there is a process.
    pub(crate) fn head(
        unit: UnitId,
        run: RunId,
        boot: Boot,
        tagged: bool,
        group: Option<&Path>,
    ) -> String {
        let mut text = format!(
            "abide-record=1\nunit={}\nrun={}\nboot={boot}\n",
            unit.0, run.0
        );
        if tagged {
            text.push_str("tagged=1\n");
        }
        // A path that does not fit is left out: the tag still finds the processes.
        if let Some(group) = group.and_then(Path::to_str).filter(|g| g.len() < SIZE / 2) {
            text.push_str("group=");
            text.push_str(group);
            text.push('\n');
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let number = |key: &str| value(key).and_then(|v| v.parse::<u64>().ok());
        if number("abide-record") != Some(1) || value("end").is_none() {
            return None;
        }
        Some(Self {
            unit: UnitId(u32::try_from(number("unit")?).ok()?),
            run: RunId(number("run")?),
            process: Identity {
                pid: u32::try_from(number("pid")?).ok()?,
                boot: value("boot")?.parse().ok()?,
                inode: number("inode"),
                start: number("start"),
            },
            leader: number("leader").and_then(|n| u32::try_from(n).ok()),
            tagged: number("tagged") == Some(1),
            group: value("group").map(PathBuf::from),
            job: number("job"),
            outputs: value("outputs").map_or_else(Vec::new, numbers),
        })
    }
}

/// Of "4-8 12-16", as far as it is that.
fn numbers(text: &str) -> Vec<(u64, u64)> {
    let pairs = text.split(' ').map_while(|pair| pair.split_once('-'));
    pairs
        .map_while(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let group = Path::new("/sys/fs/cgroup/abide-1/shop:web@1");
        let head = Record::head(UnitId(3), RunId(9), Boot(0xabc), true, Some(group));
        let text = format!("{head}pid=77\ninode=1234\nend=1\n{:300}", "");
        let record = Record::parse(&text).expect("a whole record");
        assert_eq!((record.unit, record.run), (UnitId(3), RunId(9)));
        let process = Identity {
            pid: 77,
            boot: Boot(0xabc),
            inode: Some(1234),
            start: None,
        };
        assert_eq!(record.process, process);
        assert!(record.tagged);
        assert_eq!(record.group.as_deref(), Some(group));
    }

    #[test]
    fn a_record_says_which_process_is_the_main_one_now_and_which_was_the_first() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("record");
        let group = Path::new("/sys/fs/cgroup/abide-1/web");
        let head = Record::head(UnitId(3), RunId(9), Boot(0xabc), true, Some(group));
        let text = format!("{head}pid=77\ninode=1234\nend=1\n");
        std::fs::write(&path, format!("{text:SIZE$}")).expect("a file");
        let main = |pid| Identity {
            pid,
            boot: Boot(0xabc),
            inode: Some(u64::MAX),
            start: Some(5),
        };
        assert!(!Record::change_main(&path, RunId(8), &main(78)).expect("it can be read"));
        for pid in [78, 7] {
            assert!(Record::change_main(&path, RunId(9), &main(pid)).expect("it is written"));
            let record = Record::read(&path).expect("it can be read").expect("whole");
            assert_eq!((record.process, record.leader), (main(pid), Some(77)));
            assert_eq!(
                (record.tagged, record.group.as_deref()),
                (true, Some(group))
            );
            assert_eq!(std::fs::metadata(&path).expect("there").len(), SIZE as u64);
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_none() {
        let head = Record::head(UnitId(3), RunId(9), Boot(1), false, None);
        assert_eq!(Record::parse(&format!("{head}pid=77\n")), None);
        assert_eq!(Record::parse(""), None);
    }
}
