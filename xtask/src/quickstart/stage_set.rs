//! The home, the configuration and the commands of the quickstart.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use abide_e2e::{Api, processes, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::command;

/// How long anything here may take: generous, since nothing is timed by it.
const PATIENCE: Duration = wait::GENEROUS;

/// Three programs in a home of their own.
pub struct Demo {
    folder: PathBuf,
    abide: PathBuf,
    page: String,
}

impl Demo {
    /// Makes the home and writes the configuration.
    pub fn prepare() -> Result<Self, String> {
        let programs = programs()?;
        let folder = fresh_folder()?;
        let page = free_address()?;
        let text = configuration(&programs, &page);
        let file = folder.join("abide.toml");
        fs::write(&file, &text)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        println!("\n{} says:\n", file.display());
        for line in text.lines() {
            println!("    {line}");
        }
        println!();
        Ok(Self {
            folder,
            abide: programs.join("abide"),
            page,
        })
    }

    /// The address that the page is served on.
    pub fn page(&self) -> &str {
        &self.page
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    fn api(&self) -> Api {
        Api::of_home(&self.home())
    }

    /// The folder that the programs run in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// As short as it can be typed in the folder where `cargo xtask` was typed.
    fn typed(&self, args: &[&str]) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let program = self.abide.strip_prefix(&here).unwrap_or(&self.abide);
        let mut words = vec![program.display().to_string()];
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        words.push("--home".to_owned());
        words.push(self.home().display().to_string());
        words.join(" ")
    }

    /// Echoes a command of abide, and runs it on this terminal.
    pub fn abide(&self, args: &[&str]) -> Result<(), String> {
        let typed = self.typed(args);
        println!("$ {typed}");
        let status = Command::new(&self.abide)
            .args(args)
            .arg("--home")
            .arg(self.home())
            .stdin(Stdio::null())
            .status()
            .map_err(|error| format!("cannot run `{typed}`: {error}"))?;
        println!();
        if status.success() {
            Ok(())
        } else {
            Err(format!("`{typed}` ended with {status}"))
        }
    }

    /// Brings everything up.
    pub fn up(&self) -> Result<(), String> {
        let file = self.folder.join("abide.toml");
        self.abide(&["up", &file.display().to_string()])
    }

    /// What an API path answers, as JSON.
    pub fn ask(&self, path: &str) -> Result<Value, String> {
        let answer = self.api().get(path)?;
        if answer.status == 200 {
            answer.json()
        } else {
            Err(format!(
                "GET {path} was answered with {}: {}",
                answer.status, answer.body
            ))
        }
    }

    /// A unit's status.
    pub fn unit(&self, name: &str) -> Result<Value, String> {
        self.ask(&format!("/v1/units/{name}"))
    }

    /// The text of a unit's whole log, as the API gives it.
    pub fn log(&self, name: &str) -> Result<String, String> {
        let answer = self
            .api()
            .get(&format!("/v1/units/{name}/logs?lines=all&format=raw"))?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("the log was refused: {}", answer.body))
        }
    }

    /// Waits until a unit is as wanted.
    pub fn wait_for(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let what = format!("{name} {what}");
        wait::try_until(&what, PATIENCE, || {
            self.unit(name).ok().filter(|unit| wanted(unit))
        })
    }

    /// Waits for a daemon that is not the one with this number, and returns its own.
    pub fn wait_for_other_daemon(&self, before: u64) -> Result<u64, String> {
        wait::try_until("a new daemon answers", PATIENCE, || {
            self.ask("/v1/daemon").ok()?["pid"]
                .as_u64()
                .filter(|pid| *pid != before)
        })
    }

    /// Echoes a `kill -9`, and does it.
    pub fn kill(&self, pid: u64, whom: &str) -> Result<(), String> {
        println!("$ kill -9 {pid}        # {whom}");
        let pid = u32::try_from(pid).map_err(|_| format!("{pid} is no process"))?;
        processes::signal(pid, Signal::KILL);
        Ok(())
    }

    /// Takes everything down.
    pub fn down(&self) {
        if self.abide(&["down"]).is_err() {
            println!("ending what is left of it");
        }
        if let Err(why) = processes::end_all(&self.folder) {
            println!("{why}");
        }
    }

    /// For the reader who wants to go on.
    pub fn say_what_next(&self) {
        println!("It is still running. Type next:\n");
        for (args, why) in [
            (&["status", "--watch"][..], "what is up, refreshed in place"),
            (&["logs", "-f"][..], "what the programs write"),
            (&["events"][..], "what happened, when and why"),
            (&["why", "page"][..], "why it is as it is"),
            (&["down"][..], "the end of it"),
        ] {
            println!("  {}    # {why}", self.typed(args));
        }
        println!(
            "\nThe page is at http://{}/, the configuration in {}.",
            self.page,
            self.folder.join("abide.toml").display()
        );
    }
}

/// Where cargo put the programs.
fn programs() -> Result<PathBuf, String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .map_err(|error| format!("cannot read `cargo metadata`: {error}"))?;
    Ok(metadata.target_directory.join("ci").into_std_path_buf())
}

/// A new folder in the system's place for temporary things. It stays, for what is left running in it.
fn fresh_folder() -> Result<PathBuf, String> {
    let place = std::env::temp_dir();
    for attempt in 0..1000 {
        let folder = place.join(format!("abide-quickstart-{}", std::process::id() + attempt));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot make {}: {error}", folder.display())),
        }
    }
    Err(format!("cannot find a free name in {}", place.display()))
}

fn free_address() -> Result<String, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.to_string())
        .map_err(|error| format!("cannot find a free port: {error}"))
}

fn configuration(programs: &Path, page: &str) -> String {
    let programs = programs.display();
    format!(
        r#"[service.page]
command = ["{programs}/quickstart-page", "{page}"]
ready = {{ http = "http://{page}/", within = "10s" }}

[service.worker]
command = ["{programs}/quickstart-worker"]
heartbeat = {{ every = "1s", misses = 3 }}

[service.counter]
command = ["{programs}/quickstart-counter"]
"#
    )
}
