//! The engine with real FIFOs and files.

mod disk;
mod kill;
mod naps;
mod policy;
mod stages;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use abide_log::{Query, Reader, Source, Stream};
use abide_model::{LogSpec, UnitId};
use abide_platform::pipe;

use super::{Capture, CaptureEvent, StreamSpec};

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn spec() -> LogSpec {
    LogSpec {
        max_age: None,
        keep: u32::MAX,
        ..LogSpec::default()
    }
}

/// A unit's FIFO and stage, and where its segments are.
struct Rig {
    _temporary: tempfile::TempDir,
    root: PathBuf,
    logs: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        pipe::create_fifo(&root.join("fifo"), None).expect("a FIFO");
        Self {
            logs: root.join("logs"),
            root,
            _temporary: temporary,
        }
    }

    fn stream(&self, unit: u32, log: LogSpec) -> StreamSpec {
        let fifo = pipe::hold(&self.root.join("fifo")).expect("held");
        stream(unit, log, &self.logs, fifo, None)
    }

    /// As the program has it: blocking, write-only.
    fn program(&self) -> File {
        OpenOptions::new()
            .write(true)
            .open(self.root.join("fifo"))
            .expect("opened")
    }

    fn lines(&self) -> Vec<String> {
        lines(&self.logs)
    }
}

fn stream(
    unit: u32,
    log: LogSpec,
    dir: &Path,
    fifo: OwnedFd,
    stage: Option<OwnedFd>,
) -> StreamSpec {
    StreamSpec {
        unit: UnitId(unit),
        name: format!("u{unit}").parse().expect("a name"),
        stream: Stream::Out,
        log,
        dir: dir.to_owned(),
        fifo: Arc::new(fifo),
        stage,
        program: None,
    }
}

fn lines(logs: &Path) -> Vec<String> {
    let source = Source {
        unit: "u".parse().expect("a name"),
        dir: logs.to_owned(),
        text: abide_log::Text::default(),
    };
    let mut reader = Reader::open(vec![source], Query::default()).expect("opened");
    let mut lines = Vec::new();
    while let Some(record) = reader.next_line().expect("read") {
        lines.push(String::from_utf8_lossy(&record.line.bytes).into_owned());
    }
    lines
}

fn start() -> (Capture, Receiver<CaptureEvent>) {
    let (send, events) = channel();
    let send = std::sync::Mutex::new(send);
    let capture = Capture::start((), move |event| {
        let _ = send.lock().expect("not poisoned").send(event);
    });
    (capture.expect("started"), events)
}

fn flush(capture: &Capture, unit: u32) {
    let (send, done) = channel();
    capture.flush(UnitId(unit), move || send.send(()).expect("somebody waits"));
    done.recv_timeout(PATIENCE).expect("flushed");
}

/// Waits for what no event tells of.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks from outside at what it is not told of"
)]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says on the real stderr why a test shows nothing here.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

#[test]
fn what_a_program_writes_is_in_its_segment_after_a_flush() {
    let rig = Rig::new();
    let (capture, _events) = start();
    capture.add(rig.stream(1, spec())).expect("added");
    let mut program = rig.program();
    for round in 0..50 {
        writeln!(program, "line {round}").expect("written");
        flush(&capture, 1);
        assert_eq!(rig.lines().len(), round + 1);
    }
    assert_eq!(
        capture.counters(UnitId(1)).bytes,
        std::fs::metadata(rig.logs.join("out.00000001.log"))
            .expect("there")
            .len()
    );
    assert!(capture.engine.threads() <= 3);
}

#[test]
fn a_follower_is_woken_and_one_that_is_not_there_costs_nothing() {
    let rig = Rig::new();
    let (capture, _events) = start();
    capture.add(rig.stream(1, spec())).expect("added");
    let source = Source {
        unit: "u1".parse().expect("a name"),
        dir: rig.logs.clone(),
        text: abide_log::Text::default(),
    };
    let mut reader = Reader::open(
        vec![source],
        Query {
            follow: true,
            last: Some(0),
            ..Query::default()
        },
    )
    .expect("opened");
    let follow = capture.follow();
    follow.watch(UnitId(1));
    let mut program = rig.program();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for round in 0..20 {
        writeln!(program, "line {round}").expect("written");
        let line = runtime.block_on(async {
            loop {
                if let Some(record) = reader.next_line().expect("read") {
                    return record.line;
                }
                tokio::time::timeout(PATIENCE, follow.changed())
                    .await
                    .expect("woken");
            }
        });
        assert_eq!(line.bytes, format!("line {round}").into_bytes());
    }
}

#[test]
fn a_stream_that_is_taken_again_goes_on_in_the_same_segments() {
    let rig = Rig::new();
    let (capture, _events) = start();
    let mut program = rig.program_before_reader();
    for round in 0..20 {
        capture.add(rig.stream(1, spec())).expect("added");
        writeln!(program, "line {round}").expect("written");
        capture.remove(UnitId(1));
    }
    capture.add(rig.stream(1, spec())).expect("added");
    flush(&capture, 1);
    until("all is there", || rig.lines().len() == 20);
    assert!(
        rig.lines()
            .iter()
            .enumerate()
            .all(|(n, line)| *line == format!("line {n}"))
    );
}

impl Rig {
    /// A FIFO cannot be opened to write while nobody has it open to read.
    fn program_before_reader(&self) -> File {
        File::from(pipe::hold(&self.root.join("fifo")).expect("held"))
    }
}

#[test]
fn segments_are_sealed_at_their_size_and_compressed_in_the_background() {
    let rig = Rig::new();
    let (capture, _events) = start();
    capture
        .add(rig.stream(
            1,
            LogSpec {
                max_size: 100_000,
                keep: 3,
                ..spec()
            },
        ))
        .expect("added");
    let mut program = rig.program();
    for n in 0..100_000 {
        writeln!(program, "{n:09}").expect("written");
    }
    flush(&capture, 1);
    let packed = |name: &str| rig.logs.join(name).exists();
    until("the sealed ones are compressed", || {
        packed("out.00000007.log.zst")
            && packed("out.00000008.log.zst")
            && packed("out.00000009.log.zst")
            && !packed("out.00000006.log.zst")
            && !packed("out.00000009.log")
    });
    // 10 bytes a line, 100,000 bytes a segment, three sealed ones and the current one.
    let lines = rig.lines();
    assert_eq!((lines.len(), &lines[0][..]), (40_000, "000060000"));
}

#[test]
fn a_capture_that_is_finished_leaves_no_temporary_file() {
    let rig = Rig::new();
    let (capture, _events) = start();
    let small = LogSpec {
        max_size: 100_000,
        ..spec()
    };
    capture.add(rig.stream(1, small)).expect("added");
    let mut program = rig.program();
    for n in 0..400_000 {
        writeln!(program, "{n:09}").expect("written");
    }
    flush(&capture, 1);
    let of_kind = |end: &str| {
        let files = std::fs::read_dir(&rig.logs).expect("is there").flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().ends_with(end))
            .count()
    };
    until("compression is under way", || of_kind(".zst") > 0);
    capture.finish_tidying(PATIENCE);
    assert_eq!(of_kind(".tmp"), 0);
}

#[test]
fn a_removed_directory_and_a_truncated_segment_do_not_stop_the_log() {
    let rig = Rig::new();
    let (capture, _events) = start();
    capture.add(rig.stream(1, spec())).expect("added");
    let mut program = rig.program();
    let mut write = |text: &str| {
        writeln!(program, "{text}").expect("written");
        flush(&capture, 1);
    };
    write("one");
    std::fs::remove_dir_all(&rig.logs).expect("removed");
    write("two");
    assert_eq!(rig.lines(), ["two"]);
    File::create(rig.logs.join("out.00000002.log")).expect("truncated");
    write("three");
    assert_eq!(rig.lines(), ["three"]);
    assert_eq!(capture.counters(UnitId(1)).trouble, None);
}

#[test]
fn a_directory_that_cannot_be_made_is_trouble_until_it_can() {
    let rig = Rig::new();
    let (capture, events) = start();
    std::fs::write(&rig.logs, "a file in its place").expect("written");
    capture.add(rig.stream(1, spec())).expect("added");
    let mut program = rig.program();
    // More than the pipes hold: the program would wait for ever if nobody threw anything away.
    for n in 0..50_000 {
        writeln!(program, "{n:09}").expect("written");
    }
    let counters = capture.counters(UnitId(1));
    assert!(
        counters.bytes_lost > 0 && counters.trouble.is_some(),
        "{counters:?}"
    );
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(CaptureEvent::Lost { .. })
    ));
    std::fs::remove_file(&rig.logs).expect("removed");
    let CaptureEvent::Resumed { bytes, .. } = events.recv_timeout(PATIENCE).expect("resumed")
    else {
        panic!("lost again");
    };
    flush(&capture, 1);
    let counters = capture.counters(UnitId(1));
    assert_eq!((counters.trouble, counters.bytes_lost), (None, bytes));
    assert_eq!(counters.bytes + counters.bytes_lost, 500_000);
    assert_eq!(rig.lines().last().map(String::as_str), Some("000049999"));
}

#[test]
fn many_quiet_streams_leave_two_threads_waiting_and_no_timer_set() {
    let rigs: Vec<_> = (0..150).map(|_| Rig::new()).collect();
    let (capture, _events) = start();
    for (unit, rig) in (1..).zip(&rigs) {
        capture.add(rig.stream(unit, spec())).expect("added");
        writeln!(rig.program(), "hello").expect("written");
    }
    for (unit, rig) in (1..).zip(&rigs) {
        flush(&capture, unit);
        assert_eq!(rig.lines(), ["hello"]);
    }
    until("everything rests", || capture.engine.is_idle());
    assert!(capture.engine.threads() <= 2);
}
