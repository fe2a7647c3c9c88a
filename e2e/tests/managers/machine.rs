//! A folder with a small Debian in it, and what runs in that.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_e2e::Api;
use abide_e2e::skip::{is_root, program, skip};
use abide_e2e::wait::{GENEROUS, until};

/// A machine boots in seconds, if nobody else needs the processor.
const BOOT: Duration = Duration::from_secs(120);

/// One after the other: each has a whole system to run.
static ONE: Mutex<()> = Mutex::new(());

/// Counts how often it was begun, and how often it ended as it was asked to.
const COUNTER: &str = r#"#!/bin/sh
# counter PLACE: a line in PLACE.entries at the beginning, one in PLACE.finishes at a clean end.
place=$1
finish() {
	echo finish >>"$place.finishes"
	exit 0
}
trap finish TERM
echo "$$" >>"$place.entries"
while :; do
	sleep 1000 &
	wait $!
done
"#;

/// What is process 1, or as good as that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Init {
    Systemd,
    Runsvdir,
    /// A system that nobody manages.
    Nobody,
}

/// A system of its own. It is down and gone when this is dropped.
pub struct Machine {
    root: PathBuf,
    init: Init,
    /// abide is there from the beginning.
    has_abide: bool,
    running: Option<Running>,
    _one: MutexGuard<'static, ()>,
}

struct Running {
    nspawn: Child,
    leader: u32,
}

/// What a program said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Machine {
    /// `None`: it cannot be had here, which was said.
    pub fn boot(test: &str, init: Init) -> Option<Self> {
        Self::boot_with(test, init, true)
    }

    /// As [`Machine::boot`]; with `has_abide` false nobody has installed it yet.
    pub fn boot_with(test: &str, init: Init, has_abide: bool) -> Option<Self> {
        let why = match (
            std::env::var_os("ABIDE_MANAGERS_ROOT"),
            program("systemd-nspawn"),
        ) {
            (None, _) => "`cargo xtask systemd` makes the folder that it needs",
            _ if !is_root() => "only root may run a system in a folder",
            (_, None) => "there is no systemd-nspawn",
            (Some(pristine), Some(_)) => {
                return Some(Self::make(Path::new(&pristine), test, init, has_abide));
            }
        };
        skip(test, why);
        None
    }

    fn make(pristine: &Path, test: &str, init: Init, has_abide: bool) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let root = pristine.with_file_name(format!("root-{test}"));
        // What a test that was killed has left.
        let _ = fs::remove_dir_all(&root);
        let mut copy = Command::new("cp");
        copy.args(["-a", "--reflink=auto"]).arg(pristine).arg(&root);
        assert!(copy.status().expect("cp").success(), "{copy:?}");
        let counter = root.join("usr/bin/counter");
        fs::write(&counter, COUNTER).expect("write");
        fs::set_permissions(&counter, fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::create_dir_all(root.join("counts")).expect("mkdir");
        fs::set_permissions(root.join("counts"), fs::Permissions::from_mode(0o777)).expect("chmod");
        let mut machine = Self {
            root,
            init,
            has_abide,
            running: None,
            _one: one,
        };
        machine.up();
        machine
    }

    fn up(&mut self) {
        let abide = abide_e2e::binary::abide().expect("the binary");
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn
            .args([
                "-q",
                "--register=no",
                "--keep-unit",
                "--kill-signal=SIGRTMIN+3",
                "--console=pipe",
                "-D",
            ])
            .arg(&self.root);
        if self.has_abide {
            nspawn.arg(format!("--bind-ro={}:/usr/bin/abide", abide.display()));
        }
        match self.init {
            Init::Systemd => nspawn.arg("-b"),
            Init::Runsvdir => nspawn.args(["--as-pid2", "runsvdir", "-P", "/etc/service"]),
            Init::Nobody => nspawn.args(["--as-pid2", "sleep", "infinity"]),
        };
        let console = fs::File::create(self.root.with_extension("console")).expect("a file");
        let mut nspawn = nspawn
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a duplicate"))
            .stderr(console)
            .spawn()
            .expect("systemd-nspawn");
        let id = nspawn.id();
        let leader = until("the first process of the machine", BOOT, || {
            if let Some(status) = nspawn.try_wait().expect("our child") {
                let said = fs::read_to_string(self.root.with_extension("console"));
                panic!(
                    "systemd-nspawn ended with {status}: {}",
                    said.unwrap_or_default()
                );
            }
            leader_of(id)
        });
        self.running = Some(Running { nspawn, leader });
        until("the machine to be up", BOOT, || {
            let answers = match self.init {
                Init::Systemd => {
                    let said = self.run(&["systemctl", "is-system-running"]);
                    ["running", "degraded"].contains(&said.out.trim())
                }
                Init::Runsvdir => self.run(&["pgrep", "-x", "runsvdir"]).code == Some(0),
                Init::Nobody => self.run(&["pgrep", "-x", "sleep"]).code == Some(0),
            };
            answers.then_some(())
        });
    }

    /// Down, and up again.
    pub fn reboot(&mut self) {
        self.down();
        self.up();
    }

    fn down(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        // systemd: an orderly end of all services, as at a shutdown.
        let signal = if self.init == Init::Systemd {
            "-RTMIN+3"
        } else {
            "-TERM"
        };
        let leader = running.leader.to_string();
        let pid = if self.init == Init::Systemd {
            leader
        } else {
            running.nspawn.id().to_string()
        };
        let _ = Command::new("kill").args([signal, &pid]).status();
        let gone = abide_e2e::wait::try_until("the machine to be down", BOOT, || {
            running.nspawn.try_wait().ok().flatten()
        });
        if gone.is_err() {
            let _ = running.nspawn.kill();
            let _ = running.nspawn.wait();
        }
    }

    /// Runs a program in it, as root.
    pub fn run(&self, words: &[&str]) -> Said {
        self.enter(&[], words)
    }

    /// Runs a program in it as this user, in a session as a login gives one.
    pub fn run_as(&self, user: &str, id: u32, words: &[&str]) -> Said {
        let id = id.to_string();
        let session = [
            "setpriv".to_owned(),
            format!("--reuid={id}"),
            format!("--regid={id}"),
            "--init-groups".to_owned(),
            "env".to_owned(),
            format!("HOME=/home/{user}"),
            format!("USER={user}"),
            format!("XDG_RUNTIME_DIR=/run/user/{id}"),
        ];
        self.enter(&session, words)
    }

    fn enter(&self, before: &[String], words: &[&str]) -> Said {
        let running = self.running.as_ref().expect("it is up");
        let output = Command::new("nsenter")
            .args(["-t", &running.leader.to_string(), "-a"])
            .args([
                "env",
                "-i",
                "--chdir=/",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
            ])
            .args(before)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("nsenter");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a program in it that must succeed.
    #[track_caller]
    pub fn must(&self, words: &[&str]) -> String {
        let said = self.run(words);
        said.expect_code(0, words);
        said.out
    }

    /// A path of the machine, as seen from outside.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The API of root's abide in it. By way of a process of the machine, since the path of a socket may not be long.
    pub fn api(&self) -> Api {
        let leader = self.running.as_ref().expect("it is up").leader;
        Api::of_home(Path::new(&format!("/proc/{leader}/root/var/lib/abide")))
    }

    /// How often `counter PLACE` was begun, and has ended as it was asked to.
    pub fn counts(&self, place: &str) -> (usize, usize) {
        let lines = |kind: &str| {
            let text = fs::read_to_string(self.path(&format!("{place}.{kind}")));
            text.map_or(0, |text| text.lines().count())
        };
        (lines("entries"), lines("finishes"))
    }

    /// Waits for [`Machine::counts`].
    #[track_caller]
    pub fn until_counts(&self, place: &str, wanted: (usize, usize)) {
        let what = format!(
            "{place} to be begun {} times and ended {} times",
            wanted.0, wanted.1
        );
        let found = abide_e2e::wait::try_until(&what, GENEROUS, || {
            (self.counts(place) == wanted).then_some(())
        });
        assert!(found.is_ok(), "{what}, and it is {:?}", self.counts(place));
    }

    /// The process that `counter PLACE` was last, if it lives.
    pub fn alive(&self, place: &str) -> bool {
        self.process(place)
            .is_some_and(|pid| self.run(&["kill", "-0", &pid]).code == Some(0))
    }

    /// The number of the process that `counter PLACE` was last.
    pub fn process(&self, place: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(&format!("{place}.entries"))).ok()?;
        text.lines().last().map(str::to_owned)
    }

    /// All files outside of what a running system writes by itself.
    pub fn files(&self) -> Vec<String> {
        let said = self.must(&[
            "find",
            "/etc",
            "/usr",
            "/opt",
            "/home",
            "/root",
            "/var/lib",
            "-xdev",
            "-not",
            "-path",
            "/var/lib/systemd/*",
        ]);
        let mut files: Vec<String> = said.lines().map(str::to_owned).collect();
        files.sort();
        files
    }
}

/// Fails with the files that are there now and were not, or the other way round.
#[track_caller]
pub fn assert_same(before: &[String], now: &[String]) {
    let new: Vec<&String> = now.iter().filter(|file| !before.contains(file)).collect();
    let gone: Vec<&String> = before.iter().filter(|file| !now.contains(file)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:?}, gone: {gone:?}"
    );
}

impl Said {
    #[track_caller]
    pub fn expect_code(&self, code: i32, words: &[&str]) {
        assert_eq!(
            self.code,
            Some(code),
            "{words:?} said: {}{}",
            self.out,
            self.err
        );
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.down();
        if !std::thread::panicking() {
            // What is left of it does no harm.
            let _ = fs::remove_dir_all(&self.root);
            let _ = fs::remove_file(self.root.with_extension("console"));
        }
    }
}

/// The process that is 1 in the namespace which this nspawn has made.
fn leader_of(nspawn: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or_default()
                    .trim()
            };
            field("PPid:") == nspawn.to_string()
                && field("NSpid:").split_whitespace().last() == Some("1")
                && field("NSpid:").split_whitespace().count() > 1
        })
}
