//! Full and hung disks, made with mounts: they need root.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use abide_model::UnitId;

use super::{CaptureEvent, PATIENCE, Rig, flush, lines, skipped, spec, start, until};

/// Whether the command could be run and ended well.
fn run(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// A mount that goes with its owner.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a directory");
        let arguments: Vec<_> = arguments.iter().copied().chain([text(at)]).collect();
        run("mount", &arguments).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The engine's threads may have a segment open for a moment more.
        until("it is unmounted", || run("umount", &[text(&self.0)]));
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_full_disk_costs_output_but_never_the_program_and_the_log_goes_on_when_there_is_room() {
    if !is_root() {
        return skipped("mounting a small file system needs root");
    }
    let rig = Rig::new();
    let Some(_mount) = Mount::new(&rig.logs, &["-t", "tmpfs", "-o", "size=512k", "tmpfs"]) else {
        return skipped("tmpfs cannot be mounted here");
    };
    let filler = rig.logs.join("filler");
    std::fs::write(&filler, vec![b'x'; 400 << 10]).expect("filled");
    let (capture, events) = start();
    capture.add(rig.stream(1, spec())).expect("added");
    let mut program = rig.program();
    for n in 0..100_000 {
        writeln!(program, "{n:09}").expect("written");
    }
    let Ok(CaptureEvent::Lost { reason, .. }) = events.recv_timeout(PATIENCE) else {
        panic!("no loss")
    };
    assert_eq!(reason, "the disk is full");
    assert_eq!(
        capture.counters(UnitId(1)).trouble.as_deref(),
        Some("the disk is full")
    );
    let kept = rig.lines();
    assert!(
        kept.len() > 1000
            && kept
                .iter()
                .take(1000)
                .enumerate()
                .all(|(n, line)| *line == format!("{n:09}"))
    );
    std::fs::remove_file(&filler).expect("removed");
    let Ok(CaptureEvent::Resumed { bytes, .. }) = events.recv_timeout(PATIENCE) else {
        panic!("not resumed")
    };
    writeln!(program, "after").expect("written");
    flush(&capture, 1);
    let counters = capture.counters(UnitId(1));
    assert_eq!((counters.trouble, counters.bytes_lost), (None, bytes));
    assert_eq!(counters.bytes + counters.bytes_lost, 1_000_006);
    assert_eq!(rig.lines().last().map(String::as_str), Some("after"));
}

/// A file system in a file on a file system that can be frozen: its writes hang, as on a dead disk.
struct Hanging {
    // In the order in which they have to go.
    inner: Mount,
    outer: Mount,
}

impl Hanging {
    fn new(root: &Path) -> Option<Self> {
        let image = |path: PathBuf, size: u64| {
            let file = std::fs::File::create(&path).and_then(|file| file.set_len(size));
            (file.is_ok() && run("mkfs.ext4", &["-q", "-F", text(&path)])).then_some(path)
        };
        let outer = image(root.join("outer.img"), 96 << 20)?;
        let outer = Mount::new(&root.join("outer"), &["-o", "loop", text(&outer)])?;
        let inner = image(outer.0.join("inner.img"), 64 << 20)?;
        let inner = Mount::new(&root.join("inner"), &["-o", "loop", text(&inner)])?;
        // So that writers feel the disk at once, and not when half the memory is dirty.
        let device = inner.0.metadata().expect("mounted").dev();
        let bdi = format!(
            "/sys/class/bdi/{}:{}",
            rustix::fs::major(device),
            rustix::fs::minor(device)
        );
        for (knob, value) in [("max_bytes", "1000000"), ("strict_limit", "1")] {
            std::fs::write(format!("{bdi}/{knob}"), value).ok()?;
        }
        Some(Self { inner, outer })
    }

    fn freeze(&self, frozen: bool) -> bool {
        run(
            "fsfreeze",
            &[if frozen { "-f" } else { "-u" }, text(&self.outer.0)],
        )
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Harmless if it is not frozen; if it were, nothing could be unmounted.
        self.freeze(false);
    }
}

/// Writes without end.
fn flood(fifo: &Path) -> Child {
    let fifo = OpenOptions::new().write(true).open(fifo).expect("opened");
    Command::new("yes")
        .arg("x".repeat(999))
        .stdout(fifo)
        .spawn()
        .expect("started")
}

#[test]
fn a_hung_disk_stops_neither_its_unit_nor_any_other_and_the_log_goes_on_when_it_answers() {
    if !is_root() {
        return skipped("making a disk that hangs needs root");
    }
    let temporary = tempfile::tempdir().expect("a directory");
    let Some(disk) = Hanging::new(temporary.path()) else {
        return skipped("no loop devices, or no write limit for a device, on this machine");
    };
    let (hung, other) = (Rig::new(), Rig::new());
    let hung_logs = disk.inner.0.join("logs");
    let (capture, events) = start();
    let mut stream = hung.stream(1, spec());
    stream.dir = hung_logs.clone();
    capture.add(stream).expect("added");
    capture.add(other.stream(2, spec())).expect("added");
    let (mut program, mut neighbour) = (hung.program(), other.program());
    writeln!(program, "before").expect("written");
    flush(&capture, 1);
    if !disk.freeze(true) {
        return skipped("fsfreeze does not work here");
    }
    let mut writer = flood(&hung.root.join("fifo"));
    let lost = events.recv_timeout(PATIENCE);
    let CaptureEvent::Lost { unit, reason, .. } = lost.expect("a loss is told of") else {
        panic!("resumed")
    };
    assert_eq!((unit, &reason[..]), (UnitId(1), "the disk does not answer"));
    // It keeps writing into nothing, others are kept, and it can be killed.
    let before = capture.counters(UnitId(1)).bytes_lost;
    until("more is lost", || {
        capture.counters(UnitId(1)).bytes_lost > before + 1_000_000
    });
    for n in 0..100 {
        writeln!(neighbour, "{n}").expect("written");
        flush(&capture, 2);
        assert_eq!(other.lines().len(), n + 1);
    }
    flush(&capture, 1);
    writer.kill().expect("killed");
    writer.wait().expect("gone while the disk still hangs");
    assert!(capture.engine.threads() <= 5);

    assert!(disk.freeze(false), "thawed");
    until("it is kept again", || {
        capture.counters(UnitId(1)).trouble.is_none()
    });
    let resumed = events.recv_timeout(PATIENCE).expect("told");
    assert!(
        matches!(resumed, CaptureEvent::Resumed { .. }),
        "{resumed:?}"
    );
    writeln!(program, "\nafter").expect("written");
    flush(&capture, 1);
    let kept = lines(&hung_logs);
    assert_eq!(
        (
            kept.first().map(String::as_str),
            kept.last().map(String::as_str)
        ),
        (Some("before"), Some("after"))
    );
    drop(capture);
}
