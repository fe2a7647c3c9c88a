//! Whether every line is there once, whole, and in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::cast::forgets;
use super::told::Told;

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

/// Compares what was logged, as `logs --format json` has it, with what was written. `may_lose_end`: runs
/// that may have ended while keeper and daemon were both gone. `told`: what abide itself says is missing.
/// Returns how many lines there are, and what is wrong.
pub fn check(
    dir: &Path,
    units: &BTreeSet<String>,
    log: &str,
    may_lose_end: &BTreeSet<RunOf>,
    told: &Told,
) -> (u64, Vec<String>) {
    let mut seen = Seen {
        may_lose_end,
        told,
        last: BTreeMap::new(),
        ends: BTreeMap::new(),
        wrong: Vec::new(),
    };
    let mut count = 0;
    for line in log.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        let Some(unit) = units.get(text("unit")) else {
            seen.wrong.push(format!("a line of nobody: {line}"));
            continue;
        };
        seen.line(unit, text("line"));
        count += 1;
    }
    for unit in units {
        seen.end_of(dir, unit);
    }
    (count, seen.wrong)
}

struct Seen<'a> {
    may_lose_end: &'a BTreeSet<RunOf>,
    told: &'a Told,
    /// The last line of each unit, and of each run.
    last: BTreeMap<String, (u64, u64)>,
    ends: BTreeMap<RunOf, u64>,
    wrong: Vec<String>,
}

impl Seen<'_> {
    fn line(&mut self, unit: &str, line: &str) {
        let whole = parse(unit, line);
        // What is torn may read like a line that is whole.
        if !whole.is_some_and(|(run, number)| self.follows(unit, run, number))
            && let Some(at) = self.after_a_told_loss(unit, line)
        {
            self.last.insert(unit.to_owned(), at);
            return;
        }
        if let Some((run, number)) = whole {
            return self.whole(unit, run, number);
        }
        // The rest of a line whose beginning was in a segment that is thrown away.
        if forgets(unit) && !self.last.contains_key(unit) {
            self.last.insert(unit.to_owned(), (0, 0));
            return;
        }
        // What a run wrote last is lost from the middle of a line on, and the next run's first line
        // follows: that, and nothing else, is what a lost end may look like.
        if let Some((run, number)) = self.after_a_lost_end(unit, line) {
            return self.whole(unit, run, number);
        }
        self.wrong.push(format!("{unit}: a line is torn: {line:?}"));
    }

    /// A line that begins as the next one should and ends as a later one does, with just so many bytes
    /// missing in between as abide said were lost.
    fn after_a_told_loss(&self, unit: &str, line: &str) -> Option<(u64, u64)> {
        let (run, number) = *self.last.get(unit)?;
        let next = text(unit, run, number + 1) + "\n";
        let common = next.bytes().zip(line.bytes());
        let common = common.take_while(|(a, b)| a == b).count();
        self.told.lost(unit).iter().find_map(|lost| {
            (0..=common).find_map(|begun| {
                let mut at = number + 1;
                let mut skip = begun + usize::try_from(*lost).ok()?;
                loop {
                    let candidate = text(unit, run, at) + "\n";
                    if skip < candidate.len() {
                        let rest = candidate[skip..].trim_end_matches('\n');
                        return (&line[begun..] == rest).then_some((run, at));
                    }
                    skip -= candidate.len();
                    at += 1;
                }
            })
        })
    }

    /// Whole lines are missing in a run, as many bytes as abide said were lost.
    fn told_of(&self, unit: &str, run: u64, from: u64, to: u64) -> bool {
        let missing = (from..to).map(|number| text(unit, run, number).len() as u64 + 1);
        from < to && self.told.accounts_for(unit, missing.sum())
    }

    fn after_a_lost_end(&self, unit: &str, line: &str) -> Option<(u64, u64)> {
        let (run, number) = *self.last.get(unit)?;
        if !self.may_lose_end.contains(&(unit.to_owned(), run)) {
            return None;
        }
        let lost = text(unit, run, number + 1);
        (1..lost.len()).find_map(|at| {
            let (begun, rest) = line.split_at_checked(at)?;
            let whole = parse(unit, rest)?;
            lost.starts_with(begun).then_some(whole)
        })
    }

    fn whole(&mut self, unit: &str, run: u64, number: u64) {
        let follows = self.follows(unit, run, number);
        let before = self.last.insert(unit.to_owned(), (run, number));
        if !follows {
            self.wrong.push(format!(
                "{unit}: line {number} of run {run} follows {before:?}"
            ));
        }
        let end = self.ends.entry((unit.to_owned(), run)).or_default();
        *end = (*end).max(number);
    }

    /// The line may come after what was there before.
    fn follows(&self, unit: &str, run: u64, number: u64) -> bool {
        match self.last.get(unit).copied() {
            Some((0, 0)) => true,
            Some((same, before)) if same == run => {
                number == before + 1 || self.told_of(unit, run, before + 1, number)
            }
            Some((earlier, _)) => earlier < run && number == 1,
            None => number == 1 || forgets(unit),
        }
    }

    fn end_of(&mut self, dir: &Path, unit: &str) {
        for (at, pid) in runs(dir, unit).iter().enumerate() {
            let run = at as u64 + 1;
            let written = written(dir, unit, run);
            let of = (unit.to_owned(), run);
            let logged = self.ends.get(&of).copied();
            if forgets(unit) && logged.is_none() {
                continue;
            }
            let logged = logged.unwrap_or(0);
            // A program is killed before it can say that it has written a line.
            if logged > written + 1 || (logged < written && !self.may_lose_end.contains(&of)) {
                self.wrong.push(format!(
                    "{unit}: run {run} (process {pid}) wrote {written} lines, {logged} are in the log"
                ));
            }
        }
    }
}

/// A line, without its newline, as the program writes it.
fn text(unit: &str, run: u64, number: u64) -> String {
    let fill = usize::try_from(number * 37 % 150).unwrap_or(0);
    format!("{unit} {run} {number} {:x<fill$}.", "")
}

/// The run and the number of a line that is whole.
fn parse(unit: &str, line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix(unit)?.split(' ').skip(1);
    let (run, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (line == text(unit, run, number)).then_some((run, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> String {
        format!("{{\"unit\":\"a\",\"line\":\"{line}\"}}\n")
    }

    fn log(lines: &[(u64, u64)]) -> String {
        lines
            .iter()
            .map(|(run, number)| json(&text("a", *run, *number)))
            .collect()
    }

    /// How much is wrong with this log of a run of three lines and one of two.
    fn wrong(log: &str, excused: bool) -> usize {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.runs"), "11\n12\n").expect("written");
        let numbers: Vec<u8> = [0_u64, 3, 2].iter().flat_map(|n| n.to_ne_bytes()).collect();
        std::fs::write(dir.path().join("a.written"), numbers).expect("written");
        let units = BTreeSet::from(["a".to_owned()]);
        let excuse = excused.then(|| ("a".to_owned(), 1));
        let excuse = excuse.into_iter().collect();
        check(dir.path(), &units, log, &excuse, &Told::default())
            .1
            .len()
    }

    const GOOD: [(u64, u64); 5] = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];

    #[test]
    fn a_line_that_is_missing_doubled_or_out_of_order_is_found() {
        assert_eq!(wrong(&log(&GOOD), false), 0);
        let one_more = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)];
        assert_eq!(wrong(&log(&one_more), false), 0);
        for (at, line) in GOOD.into_iter().enumerate() {
            let mut lines = GOOD.to_vec();
            lines.remove(at);
            assert_ne!(wrong(&log(&lines), false), 0, "without that at {at}");
            lines.insert(at, line);
            lines.insert(at, line);
            assert_ne!(wrong(&log(&lines), false), 0, "that at {at} twice");
        }
    }

    #[test]
    fn of_a_run_that_may_lose_its_end_only_the_end_may_be_lost() {
        assert_eq!(wrong(&log(&[(1, 1), (2, 1), (2, 2)]), true), 0);
        assert_ne!(wrong(&log(&[(1, 1), (1, 3), (2, 1), (2, 2)]), true), 0);
        assert_ne!(wrong(&log(&GOOD[..4]), true), 0, "another run's end");
    }

    #[test]
    fn a_line_may_be_torn_only_where_a_run_lost_its_end() {
        let torn = |lost: &str| {
            let joined = format!("{lost}{}", text("a", 2, 1));
            log(&GOOD[..1]) + &json(&joined) + &log(&GOOD[4..])
        };
        let next = text("a", 1, 2);
        for at in 1..next.len() {
            assert_eq!(wrong(&torn(&next[..at]), true), 0);
            assert_ne!(wrong(&torn(&next[..at]), false), 0);
        }
        assert_ne!(wrong(&torn(&text("a", 1, 3)[..6]), true), 0, "not the next");
        assert_ne!(wrong(&torn("xxx"), true), 0);
        assert_ne!(wrong(&(log(&GOOD) + &json("a 2 3")), true), 0);
    }

    #[test]
    fn what_abide_says_it_lost_may_be_missing_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.runs"), "11\n").expect("written");
        let numbers: Vec<u8> = [0_u64, 9].iter().flat_map(|n| n.to_ne_bytes()).collect();
        std::fs::write(dir.path().join("a.written"), numbers).expect("written");
        let units = BTreeSet::from(["a".to_owned()]);
        let stream: String = (1..=9).map(|n| text("a", 1, n) + "\n").collect();
        let wrong = |from: usize, lost: usize, told: usize| {
            let left = format!("{}{}", &stream[..from], &stream[from + lost..]);
            let log: String = left.lines().map(json).collect();
            let event = format!(
                "{{\"unit\":\"a\",\"event\":\"log_lost\",\"bytes\":1}}\n\
                 {{\"unit\":\"a\",\"event\":\"log_resumed\",\"bytes\":{told}}}\n"
            );
            let told = Told::from_events(&event);
            check(dir.path(), &units, &log, &BTreeSet::new(), &told).1
        };
        let second = text("a", 1, 1).len() + 1;
        let length = text("a", 1, 2).len() + 1;
        assert_eq!(wrong(second, length, length), [""; 0], "a whole line");
        assert_ne!(wrong(second, length, length + 1), [""; 0]);
        for from in second..second + length {
            assert_eq!(wrong(from, 200, 200), [""; 0], "from {from}");
            assert_ne!(wrong(from, 200, 199), [""; 0], "from {from}");
        }
    }
}
