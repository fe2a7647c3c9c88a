//! The programs of the units: this executable, told what to be by its environment.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use abide_model::Signal;
use abide_platform::file;
use abide_platform::identity::Handle;
use abide_platform::poll::{Events, Interest, Poll};
use abide_platform::signals::Signals;

use crate::shop::{noted_as, pause, wait_until};
use crate::system::{self, become_deaf, breaking_away};

/// Which program is to be played, in the environment of a unit.
pub const PLAY: &str = "ABIDE_TEST_PLAY";

/// What this executable is given to play it.
pub const ARGUMENTS: [&str; 4] = ["--exact", "programs::player", "--ignored", "--nocapture"];

/// Not a test: plays a program. Its directory is that of the shop.
#[test]
#[ignore = "plays a unit's program for the other tests"]
fn player() {
    let Ok(part) = std::env::var(PLAY) else {
        return;
    };
    let words: Vec<&str> = part.split(' ').collect();
    if matches!(words[0], "deaf" | "talker") {
        become_deaf();
    }
    println!("here is {}", words[0]);
    note_start();
    match words[..] {
        ["fragile"] => fragile(),
        ["polite"] => polite(),
        ["reloads"] => reload(),
        ["reader"] => read(),
        ["follower", what, ..] => follow(what, part["follower  ".len() + what.len()..].as_ref()),
        ["counter", at_least] => count(at_least.parse().expect("a number")),
        ["talker"] => talk(),
        ["parent", child] => {
            start(child);
            idle()
        }
        ["leaves", child] => leave(child),
        ["window"] => window(),
        ["wide"] => write_and_idle(&in_utf_16("\r\ngröße 𝄞\r\n")),
        ["paged"] => write_and_idle(b"gr\x94\xe1e\r\n"),
        ["beats", beats] => beat(beats.parse().expect("a number")),
        _ => idle(),
    }
}

/// Goes on writing to the output of whoever has started it.
fn talk() -> ! {
    loop {
        println!("still here");
        pause();
    }
}

/// Starts this program as another one, which is deaf but for what its name says, and waits until it is there.
fn start(child: &str) {
    let mut command = Command::new(std::env::current_exe().expect("it has a file"));
    command.args(ARGUMENTS).stdin(Stdio::null());
    let plays = match child {
        "talker" => "talker",
        _ => "deaf",
    };
    command.env(PLAY, plays);
    if plays == "deaf" {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    // A child that is never waited for: it is the guard who knows of it.
    let started = match child {
        "breakaway" => breaking_away(&mut command),
        _ => command.spawn(),
    };
    drop(started.expect("started"));
    let unit = std::env::var("ABIDE_UNIT").expect("it is guarded");
    wait_until("the child", || {
        let starts = std::fs::read_to_string(format!("starts of {unit}")).ok()?;
        (starts.lines().count() >= 2).then_some(())
    });
}

/// Starts a child and ends, when it may.
fn leave(child: &str) -> ! {
    wait_until("the word", || {
        std::fs::exists("leave").ok().filter(|is| *is)
    });
    start(child);
    std::process::exit(7)
}

/// Says that it is ready, and so often that it lives; then it says nothing more.
fn beat(beats: u32) -> ! {
    say("READY=1\nSTATUS=here");
    for _ in 0..beats {
        say("WATCHDOG=1");
        pause();
    }
    idle()
}

/// Sends a notify message, as any program can.
fn say(message: &str) {
    let address = std::env::var(abide_platform::notify::VARIABLE).expect("it may report");
    system::send(&address, message.as_bytes());
}

/// Ends with the only window that it has opened.
fn window() -> ! {
    let mut notepad = Command::new("notepad.exe").spawn().expect("started");
    let status = notepad.wait().expect("it ends");
    std::process::exit(status.code().unwrap_or(1))
}

/// One line with this process into a file of its unit, whole.
fn note_start() {
    note("starts");
}

/// One line with this process into a file of its unit, whole.
fn note(what: &str) {
    let unit = std::env::var("ABIDE_UNIT").expect("it is guarded");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(format!("{what} of {unit}"));
    let this = Handle::open(std::process::id()).expect("it lives");
    let line = format!("{}\n", noted_as(&this));
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("written");
}

/// Crashes whenever somebody wants it to, with that code.
fn fragile() -> ! {
    loop {
        let code = std::fs::read_to_string("crash now")
            .ok()
            .and_then(|text| text.parse().ok());
        if let Some(code) = code
            && std::fs::remove_file("crash now").is_ok()
        {
            println!("ouch");
            note("ends");
            std::process::exit(code);
        }
        pause();
    }
}

/// Ends as it should when it is asked to, and notes that.
fn polite() -> ! {
    let mut ears = Ears::new(&[Signal::INT, Signal::TERM]);
    ears.hear();
    note("ends");
    std::process::exit(0)
}

/// Notes when it is interrupted, and goes on.
fn reload() -> ! {
    let mut ears = Ears::new(&[Signal::INT]);
    note("ears");
    loop {
        ears.hear();
        note("reloads");
    }
}

/// What a program hears instead of being ended.
struct Ears {
    signals: Signals,
    poll: Poll,
    events: Events,
}

impl Ears {
    fn new(wanted: &[Signal]) -> Self {
        let signals = Signals::new(wanted).expect("heard");
        let poll = Poll::new().expect("made");
        poll.add(&signals, 0, Interest::Input).expect("added");
        let events = Events::new();
        Self {
            signals,
            poll,
            events,
        }
    }

    fn hear(&mut self) {
        while self.signals.take().is_none() {
            self.poll.wait(&mut self.events).expect("waits");
        }
    }
}

/// Follows `logs` or `events` of a unit by a command.
fn follow(what: &str, abide: &Path) -> ! {
    let mut command = Command::new(abide);
    command.args([what, "-f", "said"]).env("ABIDE_HOME", "home");
    system::become_program(&mut command)
}

/// Ends as it should when its input does, and notes that.
fn read() -> ! {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    assert_eq!(read.expect("an end is no error"), 0, "{text}");
    note("ends");
    std::process::exit(0)
}

/// Writes numbered lines, some thousand in a second, until there are so many and somebody has enough.
fn count(at_least: u64) -> ! {
    let mut out = std::io::stdout().lock();
    let mut line = |number: u64, text| writeln!(out, "{number:07} {text}").expect("written");
    let mut number = 0;
    while number < at_least || !std::fs::exists("enough").expect("asked") {
        for _ in 0..20 {
            number += 1;
            line(number, "is a line");
        }
        pause();
    }
    line(number + 1, "is the last one");
    // Whole: somebody looks for it all the time.
    std::fs::write("written part", (number + 1).to_string())
        .and_then(|()| file::replace("written part".as_ref(), "written".as_ref()))
        .expect("written");
    idle()
}

/// The newline that it begins with ends what was written in UTF-8 before.
fn in_utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn write_and_idle(bytes: &[u8]) -> ! {
    let mut out = std::io::stdout();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .expect("written");
    idle()
}

fn idle() -> ! {
    loop {
        std::thread::park();
    }
}
