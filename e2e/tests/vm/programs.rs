//! The programs that are guarded: each wants too much of something.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, exit};
use std::time::Duration;

pub fn main(arguments: &[String]) -> ! {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["idle"] => idle(),
        ["hold", mebibytes] => {
            let _held = take(number(mebibytes));
            println!("held");
            idle()
        }
        ["child-holds", mebibytes] => {
            let status = again(&["hold", mebibytes]).status();
            println!("the child ended: {status:?}");
            idle()
        }
        ["crowd", wanted] => crowd(number(wanted)),
        ["count", every] => count(Duration::from_millis(number(every) as u64)),
        ["spin"] => loop {
            std::hint::spin_loop();
        },
        ["write", device] => write(device),
        _ => exit(64),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

#[expect(clippy::disallowed_methods, reason = "a program that does nothing")]
fn idle() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that takes its time")]
fn count(every: Duration) -> ! {
    for number in 1_u64.. {
        println!("{number}");
        std::thread::sleep(every);
    }
    exit(0)
}

fn again(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our file"));
    command.arg("act").args(words);
    command
}

/// Memory that is really there, a mebibyte at a time.
fn take(mebibytes: usize) -> Vec<Vec<u8>> {
    (0..mebibytes)
        .map(|n| vec![u8::try_from(n % 255).unwrap_or(0) + 1; 1 << 20])
        .collect()
}

fn crowd(wanted: usize) -> ! {
    let mut children = Vec::new();
    let refused = loop {
        if children.len() == wanted {
            break "nothing".to_owned();
        }
        match again(&["idle"]).spawn() {
            Ok(child) => children.push(child),
            Err(error) => break error.to_string(),
        }
    };
    println!("made {} children, then: {refused}", children.len());
    idle()
}

/// Past the page cache, so that the device sees each write.
fn write(device: &str) -> ! {
    const BLOCK: usize = 64 << 10;
    let memory = vec![7_u8; BLOCK + 4096];
    // Such writes have to come from aligned memory.
    let start = memory.as_ptr().align_offset(4096);
    let block = &memory[start..start + BLOCK];
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(device);
    let mut file = file.expect("a device");
    loop {
        file.seek(SeekFrom::Start(0)).expect("a device");
        for _ in 0..256 {
            file.write_all(block).expect("a device");
        }
    }
}
