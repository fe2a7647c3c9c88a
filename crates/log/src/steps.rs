//! A daemon that dies between any two steps of writing, sealing, compressing and removing: the directory
//! is copied at each fault point, as a death there would leave it, and from each copy the log goes on.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use abide_model::{LogSpec, Wall};

use crate::{Stream, Tail, Writer, tidy};

/// What a segment holds at most, in bytes.
const SEGMENT: usize = 4096;

/// How many segments are written. Every step is passed in each of them, and tried in each copy: the time it takes
/// grows with the square of their number, and under Wine a file costs ten times as much as on Linux.
fn segments() -> usize {
    match std::env::var_os("ABIDE_UNDER_WINE") {
        Some(_) => 3,
        None => 8,
    }
}

/// Copies of a directory, one for each fault point that was passed.
struct Recorder {
    dir: PathBuf,
    copies: PathBuf,
    passed: Vec<(&'static str, PathBuf)>,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

fn record(name: &'static str) {
    RECORDER.with_borrow_mut(|recorder| {
        if let Some(recorder) = recorder {
            let copy = recorder.copies.join(recorder.passed.len().to_string());
            copy_files(&recorder.dir, &copy);
            recorder.passed.push((name, copy));
        }
    });
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Lines that fill so many segments and begin another one.
fn stream(segments: usize) -> Vec<u8> {
    let line = |n| format!("line {n:05}\n");
    let count = segments * SEGMENT / line(0).len() + 1;
    (0..count).map(line).collect::<String>().into_bytes()
}

/// Takes the bytes as a pass does, 999 at a time, so that lines are torn by batches and by segments.
fn take(dir: &Path, spec: &LogSpec, bytes: &[u8]) {
    let mut now = Wall(1000);
    let mut writer = Writer::open(dir, Stream::Out, 0, now).expect("opened");
    for mut batch in bytes.chunks(999) {
        while !batch.is_empty() {
            now = Wall(now.0 + 1);
            let sealed = writer.prepare(spec, now).expect("prepared");
            let room = usize::try_from(writer.room(spec)).expect("a size");
            let (step, rest) = batch.split_at(batch.len().min(room));
            let file = writer.file();
            crate::disk::write_all_at(file, step, writer.offset()).expect("written");
            writer.advance(writer.offset() + step.len() as u64);
            crate::fault::point("capture.drained");
            batch = rest;
            if sealed {
                tidy(dir, spec, now).expect("tidied");
            }
        }
    }
}

fn all_bytes(dir: &Path) -> Vec<u8> {
    let (mut tail, mut bytes) = (Tail::new(dir, Stream::Out, None, 0), Vec::new());
    while tail.read(1 << 16, &mut bytes).expect("read") > 0 {}
    bytes
}

fn play(stream: &[u8], keep: u32) -> (tempfile::TempDir, LogSpec, Vec<(&'static str, PathBuf)>) {
    crate::fault::on_fault_point(record);
    let temporary = tempfile::tempdir().expect("a directory");
    let [dir, copies] = ["logs", "copies"].map(|name| temporary.path().join(name));
    for made in [&dir, &copies] {
        std::fs::create_dir(made).expect("a directory");
    }
    let spec = LogSpec {
        max_size: SEGMENT as u64,
        keep,
        max_age: None,
        ..LogSpec::default()
    };
    RECORDER.set(Some(Recorder {
        dir: dir.clone(),
        copies,
        passed: Vec::new(),
    }));
    take(&dir, &spec, stream);
    let recorder = RECORDER.take().expect("it was set");
    (temporary, spec, recorder.passed)
}

#[test]
fn a_death_between_any_two_steps_loses_and_doubles_nothing() {
    let stream = stream(segments());
    let (_temporary, spec, passed) = play(&stream, 1000);
    for point in [
        "capture.noted",
        "capture.drained",
        "rotate.begin",
        "rotate.index",
        "rotate.created",
        "rotate.done",
        "pack.begin",
        "pack.written",
        "pack.renamed",
        "pack.plain-gone",
        "pack.done",
    ] {
        assert!(passed.iter().any(|(name, _)| *name == point), "{point}");
    }
    for (name, dir) in passed {
        // What is not in a segment is in the stage or in the FIFO, and comes next.
        let there = all_bytes(&dir);
        assert!(stream.starts_with(&there), "{name}: not what was written");
        take(&dir, &spec, &stream[there.len()..]);
        assert!(
            all_bytes(&dir) == stream,
            "{name}: something is missing, or there twice"
        );
        tidy(&dir, &spec, Wall(1)).expect("tidied");
        assert!(all_bytes(&dir) == stream, "{name}: not after tidying");
    }
}

#[test]
fn a_death_while_old_segments_are_removed_takes_nothing_else() {
    // Two are kept, and more than three removed.
    let stream = stream(segments().max(6));
    let (_temporary, spec, passed) = play(&stream, 2);
    let removing = passed.iter().filter(|(name, _)| *name == "keep.remove");
    assert!(removing.count() > 3);
    for (name, dir) in passed {
        let there = all_bytes(&dir);
        let taken = (0..=stream.len())
            .rev()
            .find(|&end| stream[..end].ends_with(&there))
            .expect("what is there is a part of what was written");
        if there.is_empty() {
            continue;
        }
        take(&dir, &spec, &stream[taken..]);
        assert!(stream.ends_with(&all_bytes(&dir)), "{name}");
    }
}
