//! The engine with real pipes and files.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::windows::io::AsHandle;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use abide_log::{Query, Reader, Source, Stream};
use abide_model::{LogSpec, UnitId, WhenFull};
use abide_platform::{Borrowed, Handle, pipe};

use super::super::{Capture, Holder, StreamSpec};

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The directory of the rig that a child pumps.
const RIG: &str = "ABIDE_TEST_PUMP";

/// No more kills than this, and none after so long.
const KILLS: usize = 100;
const AT_MOST: Duration = Duration::from_secs(10);

struct Slots(PathBuf);

impl Holder for Slots {
    fn hold(&self, _: UnitId, _: Stream, _: Borrowed<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn release(&self, _: UnitId, _: Stream) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn slots(&self) -> Option<&Path> {
        Some(&self.0)
    }
}

fn start(root: &Path) -> Capture {
    Capture::start(Slots(root.join("slots")), |_| {}).expect("started")
}

fn stream(root: &Path, reader: Handle) -> StreamSpec {
    StreamSpec {
        unit: UnitId(1),
        name: "u".parse().expect("a name"),
        stream: Stream::Out,
        log: LogSpec {
            max_age: None,
            keep: u32::MAX,
            max_size: 128 << 10,
            when_full: WhenFull::Block,
            ..LogSpec::default()
        },
        dir: root.join("logs"),
        fifo: Arc::new(reader),
        stage: None,
        program: None,
    }
}

fn flush(capture: &Capture) {
    let (send, done) = channel();
    capture.flush(UnitId(1), move || send.send(()).expect("somebody waits"));
    done.recv_timeout(PATIENCE).expect("flushed");
}

fn lines(root: &Path) -> Vec<String> {
    let source = Source {
        unit: "u".parse().expect("a name"),
        dir: root.join("logs"),
        text: abide_log::Text::default(),
    };
    let mut reader = Reader::open(vec![source], Query::default()).expect("opened");
    let mut lines = Vec::new();
    while let Some(record) = reader.next_line().expect("read") {
        lines.push(String::from_utf8_lossy(&record.line.bytes).into_owned());
    }
    lines
}

fn line(n: usize) -> String {
    format!("{n:08} and some more text")
}

fn check(lines: &[String], count: usize) {
    for (n, found) in lines.iter().enumerate() {
        assert_eq!(*found, line(n), "line {n}");
    }
    assert_eq!(lines.len(), count);
}

#[test]
fn output_is_in_its_segments_in_order_and_what_comes_later_too() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    let pipe = pipe::create().expect("a pipe");
    let capture = start(root);
    let reader = pipe.reader.try_clone().expect("a copy");
    capture.add(stream(root, reader)).expect("added");
    let mut count = 0;
    for _ in 0..3 {
        let mut program = File::from(pipe::writer(&pipe.writer).expect("an end"));
        for _ in 0..5_000 {
            writeln!(program, "{}", line(count)).expect("written");
            count += 1;
        }
        drop(program);
        // A machine without time for it looks like a disk that hangs, which is not waited for.
        let begun = Instant::now();
        flush(&capture);
        while pipe::available(&pipe.reader).expect("asked") > 0 {
            assert!(begun.elapsed() < PATIENCE, "it is not taken");
            flush(&capture);
        }
    }
    check(&lines(root), count);
    let counters = capture.counters(UnitId(1));
    assert_eq!(counters.bytes, (count * (line(0).len() + 1)) as u64);
    assert_eq!(counters.bytes_lost, 0);
    assert!(root.join("logs").join("out.00000003.log").exists());
}

/// No test by itself: the program that is killed.
#[test]
fn pump_process() {
    let Some(root) = std::env::var_os(RIG).map(PathBuf::from) else {
        return;
    };
    let reader = io::stdin().as_handle().try_clone_to_owned();
    let capture = start(&root);
    let stream = stream(&root, reader.expect("the pipe"));
    capture.add(stream).expect("added");
    loop {
        std::thread::park();
    }
}

fn pump(root: &Path, reader: &Handle) -> Child {
    let reader = reader.try_clone().expect("a copy");
    Command::new(std::env::current_exe().expect("a path"))
        .args([
            "--exact",
            "capture::windows::tests::pump_process",
            "--nocapture",
        ])
        .env(RIG, root)
        .stdin(Stdio::from(reader))
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kills at a random instant")]
fn no_line_is_lost_or_doubled_by_killing_the_daemon_at_random() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    let pipe = pipe::create().expect("a pipe");
    let mut program = File::from(pipe::writer(&pipe.writer).expect("an end"));
    let (stop, stopped) = channel::<()>();
    let program = std::thread::spawn(move || {
        let mut count = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            writeln!(program, "{}", line(count)).expect("written");
            count += 1;
        }
        count
    });
    let (begun, mut kills) = (Instant::now(), 0);
    let mut random = 88_172_645_463_325_252_u64;
    while kills < KILLS && begun.elapsed() < AT_MOST {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = pump(root, &pipe.reader);
        // Its start takes a while; what counts is when after that it is killed.
        std::thread::sleep(Duration::from_micros(20_000 + random % 150_000));
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    drop(stop);
    let mut last = pump(root, &pipe.reader);
    let count = program.join().expect("it wrote");
    let begun = Instant::now();
    while pipe::available(&pipe.reader).expect("asked") > 0 || lines(root).len() < count {
        assert!(begun.elapsed() < PATIENCE, "not all of it comes");
        std::thread::sleep(Duration::from_millis(50));
    }
    last.kill().expect("killed");
    last.wait().expect("gone");
    println!("{kills} kills, {count} lines");
    check(&lines(root), count);
}
