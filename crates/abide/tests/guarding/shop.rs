//! A folder with a configuration and a home, and what is asked of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use abide_model::Signal;
use abide_platform::file;
use abide_platform::identity::Handle;
use serde_json::Value;

use crate::programs::{ARGUMENTS, PLAY};

/// How long anything may take before the test fails. Wine on a busy machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The executable: the one that `ABIDE_EXE` names, else the one that was built with this test.
pub fn abide() -> PathBuf {
    std::env::var_os("ABIDE_EXE").map_or_else(|| env!("CARGO_BIN_EXE_abide").into(), PathBuf::from)
}

/// Between two looks at something that has no event for a program outside.
pub fn pause() {
    pause_for(Duration::from_millis(20));
}

/// Until a random instant.
#[expect(
    clippy::disallowed_methods,
    reason = "what is to come then is a death, which may come at any time"
)]
pub fn pause_for(time: Duration) {
    std::thread::sleep(time);
}

fn number_in(line: &str) -> Option<u32> {
    line.split(' ').next()?.parse().ok()
}

/// Whether there is such a process.
pub fn lives(pid: u32) -> bool {
    Handle::open(pid).is_ok_and(|process| process.alive())
}

/// A process that notes itself: its number, and what tells it from another one that gets the number later.
pub fn noted_as(process: &Handle) -> String {
    let identity = process.identity();
    let (inode, start) = (identity.inode.unwrap_or(0), identity.start.unwrap_or(0));
    format!("{} {inode}-{start}", identity.pid)
}

/// Ends a process, at once.
pub fn kill(pid: u32) {
    let killed = Handle::open(pid).and_then(|process| process.signal(Signal::KILL));
    assert!(killed.is_ok() || !lives(pid), "{killed:?}");
}

/// What a look finds, as soon as it finds something.
pub fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_or_tell(|| what.to_owned(), look)
}

/// The same, with what there is to say when it was in vain.
pub fn wait_or_tell<T>(tell: impl FnOnce() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        if begun.elapsed() > PATIENCE {
            panic!("waited in vain for {}", tell());
        }
        pause();
    }
}

pub fn running(unit: &Value) -> bool {
    unit["state"] == "running" && unit["pid"].is_u64()
}

/// A unit: its name, the program that it plays ([`crate::programs`]), further lines of its table.
pub type Unit<'a> = (&'a str, &'a str, &'a str);

/// A folder with a configuration, whose units are taken down at the end.
pub struct Shop {
    folder: tempfile::TempDir,
    /// Where its daemon listens, if the configuration says so.
    address: SocketAddr,
    abide: PathBuf,
}

impl Shop {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("shöp ").tempdir();
        // Somebody else may take it before it is listened on, which then fails loudly.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        Self {
            folder: folder.expect("a directory"),
            address: free.and_then(|free| free.local_addr()).expect("a port"),
            abide: abide(),
        }
    }

    /// One with an executable of its own, which may be renamed and replaced.
    pub fn with_its_own_abide() -> Self {
        let mut shop = Self::new();
        shop.abide = shop.bring(&abide(), "abide");
        shop
    }

    /// Copies a program into the shop, under another name.
    pub fn bring(&self, program: &Path, name: &str) -> PathBuf {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let copy = self.path().join("bin").join(name);
        let copied = std::fs::create_dir_all(self.path().join("bin"))
            .and_then(|()| std::fs::copy(program, &copy));
        copied.expect("copied");
        // As the system writes it.
        abide_platform::executable::Executable::open(&copy)
            .expect("a program")
            .path()
            .to_owned()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// These units.
    pub fn configure(&self, units: &[Unit<'_>]) {
        self.configure_with("", units);
    }

    /// These units, and a daemon that answers [`Self::get`].
    pub fn configure_listening(&self, units: &[Unit<'_>]) {
        self.configure_with(&format!("[daemon]\nlisten = \"{}\"\n", self.address), units);
    }

    fn configure_with(&self, head: &str, units: &[Unit<'_>]) {
        let program = std::env::current_exe().expect("this test has a file");
        let command = std::iter::once(program.to_str().expect("text")).chain(ARGUMENTS);
        let command: Vec<String> = command.map(toml_text).collect();
        let command = command.join(", ");
        let mut text = head.to_owned();
        for (name, plays, more) in units {
            let plays = toml_text(plays);
            text += &format!(
                "[service.{name}]\ncommand = [{command}]\nenvironment = {{ {PLAY} = {plays} }}\n{more}\n"
            );
        }
        std::fs::write(self.path().join("abide.toml"), text).expect("written");
    }

    /// A command of its home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.abide);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("ABIDE_HOME", self.path().join("home"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        // `ERROR_INTERNAL_ERROR`: it ended before it could begin, as happens to one in some hundred on a busy machine
        // under Wine. abide makes such a process again, too.
        let begun = || self.command(arguments).output();
        let again = |error: std::io::Error| match error.raw_os_error() {
            Some(1359) => begun(),
            _ => Err(error),
        };
        begun()
            .or_else(again)
            .or_else(again)
            .expect("it can be run")
    }

    /// What it says, which must be a success.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments);
        let err = String::from_utf8_lossy(&stderr);
        let out = String::from_utf8_lossy(&stdout).into_owned();
        assert!(
            status.success(),
            "{arguments:?}: {status}\n{out}\n{err}\n{}",
            self.daemon_log()
        );
        out
    }

    /// What the daemon answers over TCP, which takes less time than a command. `None`: none does.
    pub fn get(&self, path: &str) -> Option<Value> {
        let token = std::fs::read_to_string(self.path().join("home").join("token")).ok()?;
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let head = format!(
            "GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            token.trim()
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let found = head.split(' ').nth(1) == Some("200");
        found.then(|| serde_json::from_str(body).ok()).flatten()
    }

    /// For a program to find, whole.
    pub fn write(&self, name: &str, text: &str) {
        let part = self.path().join(format!("{name} part"));
        let done = std::fs::write(&part, text)
            .and_then(|()| file::replace(&part, &self.path().join(name)));
        done.expect("written");
    }

    /// Whether a shell has written something to a file. That is not opened for it: a shell of Windows that finds it
    /// open gives up.
    pub fn is_noted(&self, name: &str) -> bool {
        std::fs::metadata(self.path().join(name)).is_ok_and(|file| file.len() > 0)
    }

    /// What a program has written. `None`: nothing yet.
    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path().join(name)).ok()
    }

    /// Processes that have begun to play this unit's program.
    pub fn starts(&self, unit: &str) -> Vec<u32> {
        self.noted("starts", unit)
    }

    /// Processes that have noted this of themselves: `starts`, and `ends` of those that end by themselves.
    pub fn noted(&self, what: &str, unit: &str) -> Vec<u32> {
        let noted = self.read(&format!("{what} of {unit}")).unwrap_or_default();
        noted
            .lines()
            .map(|line| number_in(line).expect("a process"))
            .collect()
    }

    /// Processes that have begun to play this unit's program, and live.
    pub fn alive(&self, unit: &str) -> Vec<u32> {
        let noted = self.read(&format!("starts of {unit}")).unwrap_or_default();
        let lives = |line: &&str| {
            let process = number_in(line).and_then(|pid| Handle::open(pid).ok());
            process.is_some_and(|process| process.alive() && noted_as(&process) == **line)
        };
        noted.lines().filter(lives).filter_map(number_in).collect()
    }

    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.path().join("home").join("daemon.log")).unwrap_or_default()
    }

    pub fn status(&self) -> Vec<Value> {
        let Output { stdout, stderr, .. } = self.run(&["status", "--json"]);
        serde_json::from_slice(&stdout).unwrap_or_else(|error| {
            let err = String::from_utf8_lossy(&stderr);
            panic!("{error}: {err}\n{}", self.daemon_log())
        })
    }

    pub fn unit(&self, name: &str) -> Value {
        let units = self.status();
        let found = units.into_iter().find(|unit| unit["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// What the counter has written by the time in which it has enough: the number of its last line, how many of
    /// them are missing, and how many there are twice.
    pub fn lines(&self) -> (u64, u64, u64) {
        self.write("enough", "");
        let last = wait_until("the last line", || {
            self.read("written")?.parse::<u64>().ok()
        });
        let end = format!("{last:07} is the last one\n");
        let log = wait_until("the last line's way to the log", || {
            let log = self.run(&["logs", "counter", "-n", "10000000", "--format", "raw"]);
            let log = String::from_utf8_lossy(&log.stdout).into_owned();
            log.ends_with(&end).then_some(log)
        });
        let (mut lost, mut doubled, mut next) = (0, 0, 1);
        for line in log.lines() {
            let Some(number) = line.get(..7).and_then(|text| text.parse::<u64>().ok()) else {
                continue;
            };
            lost += number.saturating_sub(next);
            doubled += u64::from(number < next);
            next = next.max(number + 1);
        }
        (last, lost, doubled)
    }

    /// The unit, as soon as it is so.
    pub fn wait_for(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let unit = self.unit(name);
            if is_so(&unit) {
                return unit;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{unit:#}\n{}",
                self.daemon_log()
            );
            pause();
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Also when the test failed half-way; down already is fine.
        self.run(&["down"]);
    }
}

/// A basic string of TOML.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
