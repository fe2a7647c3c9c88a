//! What `abide upgrade` may be pointed at by mistake, or what a release may turn out to be. Which of them it is
//! says its own file's name; a real `abide` lies beside it.
//!
//! - `hangs`: never says anything.
//! - `older`, `newer`: reads other formats of the state only.
//! - `unable`: reads the format, and cannot make sense of this state.
//! - `stillborn`: says that it can, and ends at once when it is to.
//! - `sleeper`: says that it can, and then hangs beside the daemon that it is to follow.
//! - `short-lived`: takes over, and ends before it is ready.

use std::os::unix::process::CommandExt;
use std::process::Command;

use abide_platform::keeper::{Launch, Successor};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let own = std::env::current_exe()?;
    let name = own.file_name().unwrap_or_default().to_string_lossy();
    let asked = std::env::args().nth(1).as_deref() == Some("__upgrade-check");
    match (&*name, asked) {
        ("hangs", _) | ("sleeper", false) => loop {
            std::thread::park();
        },
        ("older", true) => say("[1, 2]", "true"),
        ("newer", true) => say("[900, 901]", "true"),
        ("unable", true) => say("[1, 900]", "false, \"reason\": \"it is in verse\""),
        (_, true) => {
            let real = own.with_file_name("abide");
            Err(Command::new(real)
                .args(std::env::args_os().skip(1))
                .exec()
                .into())
        }
        ("short-lived", false) => {
            let successor = Successor::here().ok_or("nobody to follow")?;
            // It never brings a keeper back.
            let launch = Launch {
                home: "/nowhere".into(),
                daemon: Vec::new(),
            };
            successor.prepared(&launch)?;
            successor.turn(&launch)?;
            std::process::exit(3)
        }
        _ => std::process::exit(3),
    }
}

fn say(formats: &str, readable: &str) -> Outcome {
    println!(
        "{{\"abide\": \"upgrade-check\", \"version\": \"7.7.7\", \"keeper\": 1, \"formats\": {formats}, \"readable\": {readable}}}"
    );
    Ok(())
}
