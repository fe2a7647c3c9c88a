//! The programs of the units: this executable, told what to be by its environment.

use crate::shop::pause;

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
    println!("here is {}", words[0]);
    match words[..] {
        ["fragile"] => fragile(),
        _ => idle(),
    }
}

/// Crashes whenever somebody wants it to.
fn fragile() -> ! {
    loop {
        if std::fs::remove_file("crash now").is_ok() {
            println!("ouch");
            std::process::exit(3);
        }
        pause();
    }
}

fn idle() -> ! {
    loop {
        std::thread::park();
    }
}
