//! For tests: what `abide upgrade` may be pointed at by mistake, or what a release may turn out to be. Which of them it is
//! says its own file's name; a real `abide` lies beside it.
//!
//! - `hangs`: never says anything.
//! - `mute`: ends with 1 whatever it is asked.
//! - `older`, `newer`: reads other formats of the state only.
//! - `unable`: reads the format, and cannot make sense of this state.
//! - `stillborn`: says that it can, and ends at once when it is to.
//! - `sleeper`: says that it can, and then hangs beside the daemon that it is to follow; its process stands in
//!   `sleeper.pid` beside its file.
//! - `short-lived`: takes over, and ends before it is ready.

use std::process::Command;

use abide_platform::keeper::{Launch, Successor};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let own = std::env::current_exe()?;
    let name = own.file_stem().unwrap_or_default().to_string_lossy();
    let asked = std::env::args().nth(1).as_deref() == Some("__upgrade-check");
    match (&*name, asked) {
        ("hangs", _) => sleep(),
        ("mute", _) => std::process::exit(1),
        ("sleeper", false) => {
            let note = own.with_extension("pid");
            let part = own.with_extension("part");
            std::fs::write(&part, std::process::id().to_string())?;
            std::fs::rename(part, note)?;
            sleep()
        }
        ("older", true) => say("[1, 2]", "true"),
        ("newer", true) => say("[900, 901]", "true"),
        ("unable", true) => say("[1, 900]", "false, \"reason\": \"it is in verse\""),
        (_, true) => {
            let real = own.with_file_name(format!("abide{}", std::env::consts::EXE_SUFFIX));
            let answered = Command::new(real)
                .args(std::env::args_os().skip(1))
                .status()?;
            std::process::exit(answered.code().unwrap_or(1))
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

fn sleep() -> ! {
    loop {
        std::thread::park();
    }
}

fn say(formats: &str, readable: &str) -> Outcome {
    println!(
        "{{\"abide\": \"upgrade-check\", \"version\": \"7.7.7\", \"keeper\": 1, \"formats\": {formats}, \"readable\": {readable}}}"
    );
    Ok(())
}
