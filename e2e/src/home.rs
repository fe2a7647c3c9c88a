//! A home of its own for one scenario.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Gid, Signal, Uid};
use serde_json::Value;

use crate::{Api, binary, processes, skip, wait};

/// The account `nobody` of every Linux: the ordinary user that root's scenarios turn into.
const NOBODY: u32 = 65534;

/// How long one command may take before the scenario fails.
const PATIENCE: Duration = wait::GENEROUS;

/// A folder with a home, the binary, and the files of one scenario. Everything goes at the end.
pub struct Home {
    folder: tempfile::TempDir,
    user: Option<u32>,
    environment: Vec<(String, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What was typed.
    pub command: String,
    /// Exit code; 128 + signal when a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Insists on an exit code.
    ///
    /// # Panics
    /// It was another one.
    #[track_caller]
    #[must_use]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "`{}` was to end with {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command, self.stdout, self.stderr
        );
        self
    }

    /// stdout as one JSON document.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "`{}` wrote no JSON ({error}): {}",
                self.command, self.stdout
            )
        })
    }
}

impl Home {
    /// A fresh home of the user that runs the tests.
    ///
    /// # Panics
    /// The folder or the binary cannot be had.
    #[must_use]
    pub fn new(scenario: &str) -> Self {
        let abide = binary::abide().unwrap_or_else(|why| panic!("{why}"));
        Self::with(scenario, &abide)
    }

    /// A fresh home of the user that runs the tests, for another `abide` than the one under test.
    ///
    /// # Panics
    /// As for [`Home::new`].
    #[must_use]
    pub fn with(scenario: &str, abide: &Path) -> Self {
        Self::of(scenario, None, abide)
    }

    /// A fresh home of an ordinary user: the current one, or `nobody` when this is root.
    ///
    /// # Panics
    /// As for [`Home::new`].
    #[must_use]
    pub fn of_ordinary_user(scenario: &str) -> Self {
        let abide = binary::abide().unwrap_or_else(|why| panic!("{why}"));
        Self::of(scenario, skip::is_root().then_some(NOBODY), &abide)
    }

    fn of(scenario: &str, user: Option<u32>, abide: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("abide-{scenario}-"))
            .tempdir()
            .unwrap_or_else(|error| panic!("cannot make a folder for {scenario}: {error}"));
        let this = Self {
            folder,
            user,
            environment: Vec::new(),
        };
        must(
            fs::set_permissions(this.folder.path(), fs::Permissions::from_mode(0o755)),
            this.folder.path(),
        );
        must(fs::create_dir(this.path("bin")), this.folder.path());
        this.bring_as(abide, "abide");
        this.own(this.folder.path());
        this
    }

    /// Copies a program into the scenario's folder: another user can run it there, and whatever
    /// becomes of its processes, their program tells whose they are.
    ///
    /// # Panics
    /// It cannot be copied.
    pub fn bring(&self, program: &Path) -> PathBuf {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        self.bring_as(program, &name)
    }

    /// As [`Home::bring`], under another name.
    ///
    /// # Panics
    /// It cannot be copied.
    pub fn bring_as(&self, program: &Path, name: &str) -> PathBuf {
        let to = self.path("bin").join(name);
        // By a process of its own: a file that is still open for writing in this one, or in a child
        // that another scenario forks meanwhile, cannot be executed ("text file busy").
        let copied = Command::new("cp").arg(program).arg(&to).status();
        match copied {
            Ok(status) if status.success() => {}
            other => panic!("cannot copy {}: {other:?}", program.display()),
        }
        must(
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755)),
            &to,
        );
        to
    }

    fn own(&self, path: &Path) {
        if let Some(user) = self.user {
            let owned =
                rustix::fs::chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
            owned.unwrap_or_else(|error| panic!("cannot chown {}: {error}", path.display()));
        }
    }

    /// Sets a variable for all commands of this scenario.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A path in the scenario's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder that `--home` names.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file into the scenario's folder, for its user.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        must(fs::write(&path, text), &path);
        self.own(&path);
        path
    }

    /// Makes a folder in the scenario's folder, for its user.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        must(fs::create_dir_all(&path), &path);
        self.own(&path);
        path
    }

    /// A command line of `abide`, in the scenario's folder, for its home and its user.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin").join("abide"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("ABIDE_HOME", self.home())
            .env("NO_COLOR", "1")
            // Where control groups v1 are in use they are the machine's, and may be somebody's only means
            // against what the tests do. In a machine of their own they are tried.
            .envs(
                std::env::var_os("ABIDE_VM")
                    .is_none()
                    .then_some(("ABIDE_CGROUP_V1", "0")),
            )
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user).env("HOME", self.folder.path());
        }
        command
    }

    /// Runs `abide` to its end. Its output goes to files, not to pipes: a daemon that kept them
    /// open must not keep the scenario waiting.
    ///
    /// # Panics
    /// It cannot be run, or takes longer than two minutes.
    #[track_caller]
    pub fn abide(&self, args: &[&str]) -> Finished {
        self.finish(self.command(args), &format!("abide {}", args.join(" ")))
    }

    /// Runs any prepared command to its end, as [`Home::abide`] does.
    ///
    /// # Panics
    /// As for [`Home::abide`].
    #[track_caller]
    pub fn finish(&self, command: Command, shown: &str) -> Finished {
        self.finish_within(PATIENCE, command, shown)
    }

    /// As [`Home::finish`], with another patience.
    ///
    /// # Panics
    /// It cannot be run, or takes longer.
    #[track_caller]
    pub fn finish_within(&self, patience: Duration, mut command: Command, shown: &str) -> Finished {
        let mut output = [tempfile::tempfile(), tempfile::tempfile()].map(|file| {
            file.unwrap_or_else(|error| panic!("cannot make a file for the output: {error}"))
        });
        let share = |file: &File| {
            file.try_clone()
                .unwrap_or_else(|error| panic!("cannot share a file: {error}"))
        };
        let mut child = command
            .stdout(share(&output[0]))
            .stderr(share(&output[1]))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run `{shown}`: {error}"));
        let ended = wait::try_until(shown, patience, || child.try_wait().ok().flatten());
        if ended.is_err() {
            let _ = child.kill();
        }
        let status = child.wait();
        let [stdout, stderr] = output.each_mut().map(read_whole);
        let said = format!("--- stdout\n{stdout}\n--- stderr\n{stderr}");
        if let Err(why) = ended {
            panic!("{why}\n{said}");
        }
        let status = status.unwrap_or_else(|error| panic!("cannot wait for `{shown}`: {error}"));
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Finished {
            command: shown.to_owned(),
            code,
            stdout,
            stderr,
        }
    }

    /// Runs `abide`, which must end with 0, and returns its stdout.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        self.abide(args).expect(0).stdout
    }

    /// The API on the home's socket.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::of_home(&self.home())
    }

    /// All units, as `GET /v1/units` has them; `None` while no daemon answers.
    #[must_use]
    pub fn units(&self) -> Option<Vec<Value>> {
        let answer = self.api().get("/v1/units").ok()?;
        if answer.status != 200 {
            return None;
        }
        match answer.json().ok()? {
            Value::Array(units) => Some(units),
            _ => None,
        }
    }

    /// One unit, `None` while it or the daemon is not there.
    #[must_use]
    pub fn unit(&self, name: &str) -> Option<Value> {
        self.units()?.into_iter().find(|unit| unit["name"] == name)
    }

    /// Waits until what the API says of a unit suits `wanted`, and returns it.
    ///
    /// # Panics
    /// It does not come about in time; says what the unit was last.
    #[track_caller]
    pub fn wait_for(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        let found = wait::try_until(&format!("{name}: {what}"), wait::GENEROUS, || {
            last = self.unit(name);
            last.clone().filter(&wanted)
        });
        found.unwrap_or_else(|why| panic!("{why}\nlast seen: {last:#?}"))
    }

    /// Waits until a unit runs and is ready, and returns its main process.
    ///
    /// # Panics
    /// As for [`Home::wait_for`].
    #[track_caller]
    pub fn wait_running(&self, name: &str) -> u32 {
        pid(&self.wait_for(name, "runs and is ready", |unit| {
            unit["state"] == "running" && unit["ready"] == true && unit["pid"].is_u64()
        }))
    }

    /// The process of the daemon, as it says itself.
    #[must_use]
    pub fn daemon(&self) -> Option<u32> {
        let daemon = self.api().get("/v1/daemon").ok()?.json().ok()?;
        u32::try_from(daemon["pid"].as_u64()?).ok()
    }

    /// The process of the keeper: the daemon's parent.
    #[must_use]
    pub fn keeper(&self) -> Option<u32> {
        processes::parent(self.daemon()?)
    }

    /// Kills the daemon and returns the number of its successor, once that answers.
    ///
    /// # Panics
    /// There is none to kill, or none comes back.
    #[track_caller]
    pub fn kill_daemon(&self) -> u32 {
        let before = wait::until("a daemon answers", wait::GENEROUS, || self.daemon());
        processes::signal(before, Signal::KILL);
        wait::until("a new daemon answers", wait::GENEROUS, || {
            self.daemon().filter(|pid| *pid != before)
        })
    }

    /// Kills keeper and daemon at once: neither does anything about the death of the other.
    ///
    /// # Panics
    /// One of them is not there, or does not go.
    #[track_caller]
    pub fn kill_both(&self) {
        let keeper = wait::until("there is a keeper", wait::GENEROUS, || self.keeper());
        let daemon = wait::until("there is a daemon", wait::GENEROUS, || self.daemon());
        for signal in [Signal::STOP, Signal::KILL] {
            processes::signal(daemon, signal);
            processes::signal(keeper, signal);
        }
        wait::until("both are gone", wait::GENEROUS, || {
            (!processes::lives(keeper) && !processes::lives(daemon)).then_some(())
        });
    }

    /// Processes of a program that was brought here.
    #[must_use]
    pub fn running(&self, program: &str) -> Vec<u32> {
        let program = self.path("bin").join(program);
        let runs =
            |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        let mut found: Vec<u32> = processes::all().into_iter().filter(runs).collect();
        found.sort_unstable();
        found
    }

    /// Keeps the folder, to be looked at. Its processes end all the same.
    pub fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    /// Processes that have to do with this scenario, whatever they are.
    #[must_use]
    pub fn processes(&self) -> Vec<processes::Process> {
        processes::belonging_to(self.folder.path())
    }
}

/// The main process in what the API says of a unit.
///
/// # Panics
/// There is none.
#[track_caller]
#[must_use]
pub fn pid(unit: &Value) -> u32 {
    unit["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or_else(|| panic!("the unit has no process: {unit:#}"))
}

#[track_caller]
fn must<T>(result: std::io::Result<T>, path: &Path) {
    if let Err(error) = result {
        panic!("cannot prepare {}: {error}", path.display());
    }
}

fn read_whole(file: &mut File) -> String {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    if let Err(error) = read {
        panic!("cannot read a command's output: {error}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Home {
    /// Stops what runs as a person would, then ends whatever is left.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let left: Vec<String> = self
                .processes()
                .iter()
                .map(|process| format!("{process:?}"))
                .collect();
            eprintln!(
                "--- processes of the scenario at its failure\n{}",
                left.join("\n")
            );
            for log in ["home/daemon.log", "home/keeper.log"] {
                if let Ok(text) = fs::read_to_string(self.path(log)) {
                    let lines: Vec<&str> = text.lines().collect();
                    eprintln!(
                        "--- end of {log}\n{}",
                        lines[lines.len().saturating_sub(40)..].join("\n")
                    );
                }
            }
        }
        if let Err(why) = processes::end_all(self.folder.path()) {
            eprintln!("{why}");
        }
    }
}
