//! A service of the manager, made of an example for one test.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use abide_platform::service_manager::{self, Configuration, RunState};

/// How long anything may take before the test fails. Wine on a busy machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub const STOPPED: u32 = 1;
pub const STARTING: u32 = 2;
pub const RUNNING: u32 = 4;
pub const PAUSED: u32 = 7;

/// `ERROR_SERVICE_DOES_NOT_EXIST`.
const NO_SUCH: i32 = 1060;

/// Wine's manager mixes up the answers to threads that ask at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where cargo puts examples, beside the folder of this test; on a machine without cargo, beside the test.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a file");
    let folder = test.parent().expect("it lies in a folder");
    let built = folder.parent().map(|target| target.join("examples"));
    let file = format!("{name}.exe");
    built
        .map(|folder| folder.join(&file))
        .filter(|path| path.exists())
        .unwrap_or_else(|| folder.join(&file))
}

/// Services are made where nobody's are meddled with.
pub fn may_make_services(test: &str) -> Option<MutexGuard<'static, ()>> {
    if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
        let line = format!(
            "SKIPPED: {test}: services are made only under Wine; verify.ps1 makes them on Windows\n"
        );
        // There is nobody else to tell.
        let _lost = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
        return None;
    }
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Looks again and again until it is so.
#[track_caller]
pub fn until<T: Debug>(look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let seen = look();
        if is_so(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "it stays {seen:?}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// An example, installed by hand; it does not outlive the test.
pub struct Made {
    pub name: String,
    pub notes: PathBuf,
    _folder: tempfile::TempDir,
}

impl Made {
    /// `sc create … binPath= "controls.exe run NOTES"`.
    pub fn of_controls(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let notes = folder.path().join("notes");
        let line = format!(
            "\"{}\" run \"{}\"",
            example("controls").display(),
            notes.display()
        );
        let made = Configuration {
            kind: 0x10,
            start: 3,
            image_path: line,
            account: "LocalSystem".to_owned(),
            display_name: name.to_owned(),
            ..Configuration::default()
        };
        service_manager::create(name, &made, None).expect("it is made");
        Self {
            name: name.to_owned(),
            notes,
            _folder: folder,
        }
    }

    pub fn start(&self, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        service_manager::start(&self.name, &arguments).expect("it is started");
    }

    pub fn control(&self, code: u32) -> std::io::Result<()> {
        service_manager::control(&self.name, code)
    }

    pub fn state(&self) -> RunState {
        service_manager::state(&self.name).expect("it is there")
    }

    #[track_caller]
    pub fn is(&self, state: u32) -> RunState {
        until(|| self.state(), |seen| seen.state == state)
    }

    /// What was noted, as soon as this line was.
    #[track_caller]
    pub fn noted(&self, line: &str) -> Vec<String> {
        until(
            || lines(&self.notes),
            |lines| lines.iter().any(|noted| noted == line),
        )
    }

    pub fn is_gone(&self) -> bool {
        let state = service_manager::state(&self.name);
        state.is_err_and(|error| error.raw_os_error() == Some(NO_SUCH))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // It may have stopped, and be gone.
        let _stopped = self.control(1);
        let _gone = service_manager::delete(&self.name);
    }
}

pub fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
