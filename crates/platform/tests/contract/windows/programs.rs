//! The programs that are guarded.

#![allow(unsafe_code)] // windows, crashes and consoles are what these are for

use std::io::{Read, Write};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::time::Duration;

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::{CREATE_BREAKAWAY_FROM_JOB, DETACHED_PROCESS};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DispatchMessageW, GetMessageW, IsWindow, MSG, WS_OVERLAPPEDWINDOW,
};

pub fn main(arguments: &[String]) -> ! {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["exit", code] => exit(code.parse().expect("a number")),
        ["idle"] => idle(),
        ["ready", file] => {
            say(file, "ready");
            idle()
        }
        ["escape"] => {
            escape("escape-again");
            exit(0)
        }
        ["escape-again"] => {
            escape("idle");
            exit(0)
        }
        ["hop"] => {
            escape("hop-on");
            exit(0)
        }
        ["hop-on"] => {
            escape("hop-on");
            exit(0)
        }
        ["crash"] => crash(),
        ["grow", bytes] => {
            // Written to, so that it is really there.
            let grown = vec![1_u8; bytes.parse().expect("a number")];
            exit(i32::from(std::hint::black_box(&grown)[0]) - 1)
        }
        ["two"] => exit(match own(&["exit", "0"]).spawn() {
            Ok(_) => 0,
            Err(_) => 3,
        }),
        ["burn", file] => {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(500) {}
            say(file, "burnt");
            idle()
        }
        ["deaf", file] => {
            // SAFETY: without a handler it has Ctrl-C ignored.
            unsafe { SetConsoleCtrlHandler(None, 1) };
            say(file, "ready");
            idle()
        }
        ["window", file] => window(file),
        ["read"] => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).expect("read");
            exit(i32::try_from(bytes.len()).expect("small"))
        }
        ["leave", file] => {
            // A child that has our standard output, and stays.
            let child = own(&["ready", file]).spawn().expect("it starts");
            drop(child);
            exit(9)
        }
        ["guard", record, file] => super::lives::guard(record.as_ref(), file.as_ref()),
        ["pump", file, slot] => super::slot::pump(file.as_ref(), slot.as_ref()),
        ["report", file, ..] => report(file, &words[2..]),
        _ => exit(64),
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that does nothing")]
fn idle() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// A file that is there when it is whole.
pub fn say(file: impl AsRef<Path>, text: &str) {
    let file = file.as_ref();
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("it is written");
    abide_platform::file::replace(&new, file).expect("it is there");
}

fn own(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our file"));
    command.arg("act").args(words);
    command
}

/// Starts itself again out of reach: without a console, and out of its job if that were allowed.
fn escape(word: &str) {
    let silent = |flags| {
        own(&[word])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .creation_flags(flags)
            .spawn()
    };
    let child = silent(DETACHED_PROCESS | CREATE_BREAKAWAY_FROM_JOB)
        .or_else(|_| silent(DETACHED_PROCESS))
        .expect("it starts");
    // It goes on without us.
    drop(child);
}

fn crash() -> ! {
    // SAFETY: not at all; that is what it is for.
    unsafe { std::ptr::null_mut::<u32>().write_volatile(1) };
    exit(0)
}

/// Has a window, and ends with 33 when that is closed.
fn window(file: &str) -> ! {
    let class: Vec<u16> = "STATIC\0".encode_utf16().collect();
    // SAFETY: the class is one of the system's and ends with a zero; the message goes to a local.
    unsafe {
        let window = CreateWindowExW(
            0,
            class.as_ptr(),
            class.as_ptr(),
            WS_OVERLAPPEDWINDOW,
            0,
            0,
            10,
            10,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null(),
        );
        assert!(!window.is_null(), "no window");
        say(file, "ready");
        let mut message = MSG::default();
        while IsWindow(window) != 0 && GetMessageW(&mut message, std::ptr::null_mut(), 0, 0) > 0 {
            DispatchMessageW(&message);
        }
    }
    exit(33)
}

/// Writes down what it finds itself in.
fn report(file: &str, arguments: &[&str]) -> ! {
    let mut input = Vec::new();
    let read = std::io::stdin().read_to_end(&mut input);
    let mut text = String::new();
    for argument in arguments {
        text.push_str(&format!("argument {argument:?}\n"));
    }
    let directory = std::env::current_dir().expect("a directory");
    text.push_str(&format!("directory {}\n", directory.display()));
    text.push_str(&format!("input {:?}\n", read.ok().map(|_| input.len())));
    for (name, value) in std::env::vars() {
        text.push_str(&format!("variable {name}={value}\n"));
    }
    std::io::stdout().write_all(b"out\xff\n").expect("written");
    std::io::stderr().write_all(b"err").expect("written");
    say(file, &text);
    exit(0)
}
