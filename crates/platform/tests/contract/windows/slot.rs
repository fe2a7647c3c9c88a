//! Output that is taken by a process which is killed all the time.

#![allow(unsafe_code)] // one handle that is put into a process

use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_platform::pipe::{Place, Slot, Waits, available, create, writer};
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{LONG, Test};

pub const ALL: &[Test] = &[(
    "no_line_is_lost_or_doubled_by_killing_who_takes_it_at_random",
    killed_at_random,
)];

/// No more kills than this, and none after so long: under Wine each takes a while.
const KILLS: usize = 200;
const AT_MOST: Duration = Duration::from_secs(15);

/// Plays the process that takes output: reads the number of the pipe, says that it has it, and takes from it
/// until it is killed.
pub fn pump(file: &Path, slot: &Path) -> ! {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("read");
    let number: usize = line.trim().parse().expect("a number");
    // SAFETY: the parent made it for this process.
    let reader = Arc::new(unsafe { OwnedHandle::from_raw_handle(number as _) });
    let segment = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)
        .expect("a file");
    let mut slot = Slot::open(slot).expect("a slot");
    let mut offset = segment.metadata().expect("asked").len();
    if let Some(left) = slot.left() {
        write(&segment, slot.bytes(), left.place.offset);
        offset = offset.max(left.place.offset + left.length as u64);
        slot.settle(&reader).expect("settled");
    }
    println!("at work");
    let waits = Waits::new().expect("a set");
    loop {
        waits.arm(1, &reader).expect("armed");
        waits.next().expect("called");
        while slot.peek(&reader, 1 << 16).expect("peeked") > 0 {
            slot.fill(Place {
                unit: 1,
                stream: 0,
                segment: 1,
                offset,
            });
            write(&segment, slot.bytes(), offset);
            offset += slot.bytes().len() as u64;
            slot.consume(&reader).expect("consumed");
        }
    }
}

fn write(file: &File, mut bytes: &[u8], mut offset: u64) {
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, offset).expect("written");
        offset += written as u64;
        bytes = &bytes[written..];
    }
}

fn start(reader: &OwnedHandle, place: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("our file"))
        .args(["act", "pump"])
        .args([place.join("segment"), place.join("slot")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut there = std::ptr::null_mut();
    // SAFETY: all are held for the call, and the number goes to a local.
    let put = unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            reader.as_handle().as_raw_handle(),
            child.as_raw_handle(),
            &mut there,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    };
    assert_ne!(put, 0);
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", there as usize).expect("told");
    let stdout = child.stdout.take().expect("a pipe");
    let mut said = String::new();
    std::io::BufReader::new(stdout)
        .read_line(&mut said)
        .expect("read");
    assert_eq!(said.trim(), "at work");
    child
}

fn line(n: usize) -> String {
    format!("{n:08} and some more text\n")
}

#[expect(clippy::disallowed_methods, reason = "kills at a random instant")]
fn killed_at_random() {
    let place = tempfile::tempdir().expect("a directory");
    let pipe = create().expect("a pipe");
    let mut program = File::from(writer(&pipe.writer).expect("an end"));
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let program = std::thread::spawn(move || {
        let mut n = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            program.write_all(line(n).as_bytes()).expect("written");
            n += 1;
        }
        n
    });
    let (begun, mut kills, mut left) = (Instant::now(), 0, 0);
    let mut random = 88_172_645_463_325_252_u64;
    // A slow machine comes to few kills: then it takes longer until one of them hits.
    while (kills < KILLS && begun.elapsed() < AT_MOST) || left == 0 {
        assert!(begun.elapsed() < LONG, "nothing was ever on its way");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = start(&pipe.reader, place.path());
        std::thread::sleep(Duration::from_micros(random % 12_000));
        child.kill().expect("killed");
        child.wait().expect("it ended");
        kills += 1;
        let slot = Slot::open(&place.path().join("slot")).expect("it is there");
        left += usize::from(slot.left().is_some());
    }
    drop(stop);
    let mut last = start(&pipe.reader, place.path());
    let lines = program.join().expect("it wrote");
    let size = (lines * line(0).len()) as u64;
    let file = place.path().join("segment");
    let begun = Instant::now();
    while available(&pipe.reader).expect("asked") > 0
        || std::fs::metadata(&file).expect("there").len() < size
    {
        assert!(begun.elapsed() < LONG, "not all of it comes");
        std::thread::yield_now();
    }
    last.kill().expect("killed");
    last.wait().expect("it ended");
    println!("{kills} kills, {left} of them with something in the slot, {lines} lines");
    let text = std::fs::read_to_string(&file).expect("text");
    let mut count = 0;
    for (n, found) in text.split_inclusive('\n').enumerate() {
        assert_eq!(found, line(n), "line {n}");
        count += 1;
    }
    assert_eq!(count, lines);
}
