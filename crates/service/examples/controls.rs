//! Notes in a file what its manager says: on Windows pauses, sessions, power, controls of its own; elsewhere reloads and the stop.
//!
//! ```sh
//! controls run FILE               # in the foreground; Ctrl-C ends it
//! controls install -- FILE        # as a service of this machine
//! controls start
//! sc pause abide-example-controls
//! sc control abide-example-controls 150
//! ```
//!
//! Of its controls 128 means a reload, 150 nothing, 200 that it is to fail with the code 42, and 201 that its process is
//! to end without a word. With `slow` after the file (`sc start abide-example-controls slow`) it is ready when there is a file
//! called FILE.go, and with `once` it ends as soon as it is ready.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use abide_service::{Context, Event, Failure, Service};

/// Between two looks for the file that a slow start waits for.
const LOOK: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    Service::new("abide-example-controls")
        .description("notes what is asked of it")
        .reloads()
        .reload_control(128)
        .pauses()
        .control(150)
        .control(200)
        .control(201)
        .session_events()
        .power_events()
        .start_timeout(Duration::from_secs(60))
        .main(body)
}

fn body(ctx: Context) -> Result<(), Failure> {
    let Some((file, words)) = ctx.args().split_first() else {
        return Err(Failure::new(64, "where to? controls run FILE"));
    };
    let notes = Notes(file.into());
    notes.note(format_args!("begin {words:?} for {}", ctx.starter()))?;
    if words.iter().any(|word| word == "slow") {
        let go = Path::new(file).with_extension("go");
        while !go.exists() && !ctx.stopping().wait_for(LOOK) {}
    }
    ctx.ready();
    let (reloads, noted) = (ctx.clone(), notes.clone());
    thread::spawn(move || {
        while let Some(reload) = reloads.reloading().wait() {
            if let Err(error) = noted.note("reload") {
                reloads.log().warning(error);
            }
            reload.done();
        }
    });
    if words.iter().any(|word| word == "once") {
        ctx.stop();
    }
    while let Some(event) = ctx.events().wait() {
        notes.note(format_args!("{event:?}"))?;
        match event {
            Event::Pause => ctx.paused(),
            Event::Continue => ctx.continued(),
            Event::Control(200) => return Err(Failure::new(42, "it was asked to")),
            Event::Control(201) => std::process::exit(9),
            _ => {}
        }
    }
    notes.note(format_args!("end {:?}", ctx.stop_reason()))?;
    Ok(())
}

#[derive(Clone)]
struct Notes(PathBuf);

impl Notes {
    fn note(&self, what: impl Display) -> Result<(), Failure> {
        let open = OpenOptions::new().create(true).append(true).open(&self.0);
        let failed = |error: io::Error| Failure::new(1, error);
        // In one write: two threads note.
        let line = format!("{what}\n");
        open.map_err(failed)?
            .write_all(line.as_bytes())
            .map_err(failed)
    }
}
