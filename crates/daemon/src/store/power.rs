//! What a loss of power leaves of a journal, at every instant and in every order that a disk may
//! choose, also while it is written anew: it is read, what is lost is told, and a supervisor starts from it.

use std::path::Path;

use abide_core::{Change, Saved, Supervisor};
use abide_model::UnitId;
use abide_platform::clock;

use super::entry::{Entry, Image};
use super::journal::{Journal, Loss, encode};

/// What a daemon of this version left: units in many states, specs, operations.
const HISTORY: &str = include_str!("../../tests/fixtures/state/3/image.jsonl");

/// Small enough that every cut lies in a sector of its own soon.
const SECTOR: usize = 512;

/// Names of files, and what is in them.
type Files<'a> = &'a [(&'a str, &'a [u8])];

fn line(entry: &Entry) -> Vec<u8> {
    let mut text = Vec::new();
    encode(entry, &mut text).expect("encodes");
    text
}

/// A history of lines, and how much of it is synced after each.
fn history() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = HISTORY
        .lines()
        .filter_map(|json| serde_json::from_str::<Entry>(json).ok())
        .map(|entry| line(&entry))
        .collect();
    assert!(lines.len() > 10, "the fixture holds a state");
    for n in 0..20 {
        lines.push(line(&Entry::NextUnit(100 + n)));
        lines.push(line(&Entry::Core(Change::Forgotten(UnitId(n % 3)))));
    }
    lines
}

/// Opens what is left, starts a supervisor from it, and goes on writing.
fn recover(dir: &Path, left: Files<'_>) -> (Image, Loss) {
    for file in std::fs::read_dir(dir).expect("a directory").flatten() {
        std::fs::remove_file(file.path()).expect("removed");
    }
    for (name, bytes) in left {
        std::fs::write(dir.join(name), bytes).expect("written");
    }
    let (mut journal, image, loss) = Journal::open(dir).expect("opens");
    assert_eq!(
        std::fs::read_dir(dir).expect("a directory").count(),
        1,
        "the other files are removed"
    );
    let saved = Saved {
        units: image.units.values().cloned().collect(),
        operations: image.operations.values().cloned().collect(),
        same_boot: false,
        halted: image.halted,
        seed: 1,
    };
    let _ = Supervisor::resume(saved, Vec::new(), clock::now());
    journal
        .append(&line(&Entry::NextUnit(4711)), true)
        .expect("goes on");
    let (_, again, _) = Journal::open(dir).expect("opens again");
    assert_eq!(
        again.next_unit, 4711,
        "what is written next is not swallowed"
    );
    (image, loss)
}

fn image_of(lines: &[Vec<u8>]) -> Image {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("journal.1"), lines.concat()).expect("written");
    Journal::open(dir.path()).expect("opens").1
}

#[test]
fn a_loss_of_power_at_any_prefix_loses_what_was_not_whole_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let lines = history();
    let whole = lines.concat();
    let mut ends = vec![0];
    for line in &lines {
        ends.push(ends[ends.len() - 1] + line.len());
    }
    // Each line's end, and three places inside of each.
    let cuts = ends.windows(2).flat_map(|pair| {
        let (from, to) = (pair[0], pair[1]);
        [from, from + 1, (from + to) / 2, to - 1]
    });
    for cut in cuts {
        let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
        let (image, loss) = recover(dir.path(), &[("journal.1", &whole[..cut])]);
        assert_eq!(image, image_of(&lines[..kept]), "cut at {cut}");
        assert_eq!(loss.torn, !ends.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn sectors_that_were_not_written_take_only_their_own_lines_along() {
    let dir = tempfile::tempdir().expect("a directory");
    let lines = history();
    let whole = lines.concat();
    // Half of it is synced: that cannot be lost.
    let synced = lines[..lines.len() / 2].concat().len();
    let sectors = whole.len().div_ceil(SECTOR);
    for lost in synced.div_ceil(SECTOR)..sectors {
        // Later ones are there, this one is not.
        let mut left = whole.clone();
        let end = ((lost + 1) * SECTOR).min(left.len());
        left[lost * SECTOR..end].fill(0);
        let (image, loss) = recover(dir.path(), &[("journal.1", &left)]);
        assert!(
            loss.torn || loss.damaged > 0,
            "sector {lost} is missing, and nobody says so"
        );
        assert_eq!(
            image.seed,
            image_of(&lines).seed,
            "what was synced is there"
        );
    }
}

/// Places in a file of this length at which it may end.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(len / 23).chain([len - 1, len])
}

/// A journal, and what it is when it is written anew.
fn written_anew(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let old = history().concat();
    std::fs::write(dir.join("journal.1"), &old).expect("written");
    let (mut journal, ..) = Journal::open(dir).expect("opens");
    journal.compact().expect("written anew");
    let new = std::fs::read(dir.join("journal.2")).expect("it has the next number");
    (old, new)
}

#[test]
fn a_loss_of_power_at_any_step_of_writing_anew_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let (old, new) = written_anew(dir);
    let whole = image_of(&history());
    let nothing = |files: Files<'_>, step: &str| {
        let (image, loss) = recover(dir, files);
        assert_eq!(image, whole, "{step}");
        assert_eq!(loss, Loss::default(), "{step}");
    };
    // Nothing of the new file is synced: any part of it may be there, and any of its sectors be empty.
    for cut in cuts(new.len()) {
        let files: [(&str, &[u8]); 2] = [("journal.1", &old), ("journal.2.tmp", &new[..cut])];
        nothing(&files, &format!("{cut} bytes of it were written"));
        let mut holed = new.clone();
        let from = cut.min(new.len() - 1) / SECTOR * SECTOR;
        let to = (from + SECTOR).min(new.len());
        holed[from..to].fill(0);
        let files: [(&str, &[u8]); 2] = [("journal.1", &old), ("journal.2.tmp", &holed)];
        nothing(&files, &format!("its sector at {from} was not written"));
    }
    // From here on it is whole. The names of before, or of after, each of the changes of the folder.
    let steps: [(&str, Files<'_>); 4] = [
        ("synced", &[("journal.1", &old), ("journal.2.tmp", &new)]),
        ("renamed", &[("journal.1", &old), ("journal.2", &new)]),
        ("the old one removed", &[("journal.2", &new)]),
        (
            "an earlier try is there too",
            &[
                ("journal.1", &old),
                ("journal.2", &new),
                ("journal.3.tmp", b"x"),
            ],
        ),
    ];
    for (step, files) in steps {
        nothing(files, step);
    }
}

#[test]
fn what_was_appended_after_writing_anew_is_torn_at_any_prefix_and_that_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let (old, new) = written_anew(dir);
    let more = line(&Entry::NextUnit(1234));
    for cut in 0..=more.len() {
        let now = [&new, &more[..cut]].concat();
        // The removal of the old one may not have come to the disk.
        let both: Files<'_> = &[("journal.1", &old), ("journal.2", &now)];
        for files in [both, &both[1..]] {
            let (image, loss) = recover(dir, files);
            assert_eq!(image.next_unit == 1234, cut == more.len(), "cut at {cut}");
            assert_eq!(loss.torn, cut > 0 && cut < more.len(), "cut at {cut}");
            assert_eq!(image.units, image_of(&history()).units, "cut at {cut}");
        }
    }
}

#[test]
fn corrupted_bytes_anywhere_are_told_and_never_a_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = history().concat();
    // How bytes are judged is the same on every system, and files are slow under Wine: fewer are tried there.
    let wine = std::env::var_os("ABIDE_UNDER_WINE").is_some();
    let step = if wine { 1009 } else { 53 };
    for at in (0..whole.len()).step_by(step) {
        let mut left = whole.clone();
        left[at] ^= 0x41;
        let (_, loss) = recover(dir.path(), &[("journal.1", &left)]);
        assert!(
            loss.torn || loss.damaged > 0,
            "byte {at} is another one, and nobody says so"
        );
    }
}
