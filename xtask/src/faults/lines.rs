//! Whether every line is there once, whole, and in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::cast::forgets;

/// A run of a unit: which one of it, as the program counts.
pub type RunOf = (String, u64);

/// The pids of a unit's runs, in their order, as the programs wrote them down.
pub fn runs(dir: &Path, unit: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(dir.join(format!("{unit}.runs"))).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// How many lines a run has written, so far as it came to say so.
pub fn written(dir: &Path, unit: &str, run: u64) -> u64 {
    let mut number = [0; 8];
    let file = std::fs::File::open(dir.join(format!("{unit}.written")));
    let read = file.and_then(|file| file.read_exact_at(&mut number, run * 8));
    read.map_or(0, |()| u64::from_ne_bytes(number))
}

/// Compares what was logged with what was written. `may_lose_end`: runs that ended while keeper and
/// daemon were both gone. Returns how many lines there are, and what is wrong.
pub fn check(
    dir: &Path,
    units: &BTreeSet<String>,
    log: &str,
    may_lose_end: &BTreeSet<RunOf>,
) -> (u64, Vec<String>) {
    let mut wrong = Vec::new();
    // The last line of each unit, and of each run.
    let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut ends: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    let (mut count, mut cut) = (0, !units.iter().any(|unit| forgets(unit)));
    for line in log.lines() {
        let Some((unit, run, number)) = parse(line).filter(|(unit, ..)| units.contains(*unit))
        else {
            // The rest of a line whose beginning was in a segment that is thrown away.
            let begins = units
                .iter()
                .any(|unit| line.starts_with(&format!("{unit} ")));
            if begins || cut {
                wrong.push(format!("a line is torn: {line:?}"));
            }
            cut = true;
            continue;
        };
        count += 1;
        let before = last.insert(unit, (run, number));
        let next = match before {
            Some((same, before)) if same == run => number == before + 1,
            Some((earlier, _)) => earlier < run && number == 1,
            None => number == 1 || forgets(unit),
        };
        if !next {
            wrong.push(format!(
                "{unit}: line {number} of run {run} follows {before:?}"
            ));
        }
        let end = ends.entry((unit, run)).or_default();
        *end = (*end).max(number);
    }
    for unit in units {
        for (at, pid) in runs(dir, unit).iter().enumerate() {
            let run = at as u64 + 1;
            let written = written(dir, unit, run);
            let logged = ends.get(&(unit.as_str(), run)).copied();
            if forgets(unit) && logged.is_none() {
                continue;
            }
            let logged = logged.unwrap_or(0);
            let excused = may_lose_end.contains(&(unit.clone(), run));
            if logged > written + 1 || (logged < written && !excused) {
                wrong.push(format!(
                    "{unit}: run {run} (process {pid}) wrote {written} lines, {logged} are in the log"
                ));
            }
        }
    }
    (count, wrong)
}

/// The unit, the run and the number of a line that is whole.
fn parse(line: &str) -> Option<(&str, u64, u64)> {
    let mut words = line.split(' ');
    let (unit, run, number) = (words.next()?, words.next()?, words.next()?);
    let fill = words.next()?;
    let number: u64 = number.parse().ok()?;
    let whole = fill.strip_suffix('.')?;
    let right = whole.len() as u64 == number * 37 % 150 && whole.bytes().all(|byte| byte == b'x');
    (right && words.next().is_none()).then_some((unit, run.parse().ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[(u64, u64)]) -> String {
        let line = |(run, number): &(u64, u64)| {
            let fill = usize::try_from(number * 37 % 150).expect("small");
            format!("a {run} {number} {:x<fill$}.\n", "")
        };
        lines.iter().map(line).collect()
    }

    fn wrong(lines: &[(u64, u64)], excused: bool) -> usize {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.runs"), "11\n12\n").expect("written");
        let numbers: Vec<u8> = [0_u64, 3, 2].iter().flat_map(|n| n.to_ne_bytes()).collect();
        std::fs::write(dir.path().join("a.written"), numbers).expect("written");
        let units = BTreeSet::from(["a".to_owned()]);
        let excuse = excused.then(|| ("a".to_owned(), 1));
        check(
            dir.path(),
            &units,
            &log(lines),
            &excuse.into_iter().collect(),
        )
        .1
        .len()
    }

    #[test]
    fn a_line_that_is_missing_torn_doubled_or_out_of_order_is_found() {
        let good = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];
        assert_eq!(wrong(&good, false), 0);
        assert_eq!(
            wrong(&[(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)], false),
            0
        );
        for without in 0..good.len() {
            let mut lines = good.to_vec();
            lines.remove(without);
            assert_ne!(wrong(&lines, false), 0, "without the line at {without}");
            let mut lines = good.to_vec();
            lines.insert(without, good[without]);
            assert_ne!(wrong(&lines, false), 0, "with the line at {without} twice");
        }
        assert_eq!(wrong(&[(1, 1), (2, 1), (2, 2)], true), 0);
        assert_ne!(wrong(&[(1, 1), (1, 3), (2, 1), (2, 2)], true), 0);
        assert!(parse("a 1 1 xxx.").is_none());
    }
}
