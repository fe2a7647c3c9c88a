//! One example as a process, and the manager that it talks to.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where cargo puts examples, beside the folder of this test.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a file");
    let target = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps");
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: `cargo test -p abide-service` builds it",
        path.display()
    );
    path
}

/// A command without what a manager of this machine may have left in the environment, and without the signals
/// that whoever runs the tests may have ignored (nohup(1), a shell's background).
pub fn command(example_name: &str) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(example(example_name));
    for name in [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "ABIDE_UNIT",
        "ABIDE_HEARTBEAT_URL",
        "SYSTEMD_EXEC_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A process of ours; it does not outlive the test.
pub struct Driven(pub Child);

impl Driven {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("it can be started"))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it is there");
    }

    /// How it ended.
    pub fn ended(&mut self) -> ExitStatus {
        let pid = self.pid();
        // Killed if it does not end: the wait below then does, and the status tells.
        let (done, over) = mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                kill_process(pid.expect("a pid"), Signal::KILL).expect("it is there");
            }
        });
        let status = self.0.wait().expect("it is our child");
        drop(done);
        watch.join().expect("no panic");
        status
    }

    /// That it ended well.
    #[track_caller]
    pub fn ended_well(&mut self) {
        let status = self.ended();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What a manager listens on.
pub struct Manager {
    socket: UnixDatagram,
    address: String,
}

impl Manager {
    /// At a path in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        Self::of(
            UnixDatagram::bind(&path).expect("it can be bound"),
            path.to_str().expect("text").to_owned(),
        )
    }

    /// With an abstract name.
    pub fn abstract_named(name: &str) -> Self {
        let name = format!("abide-service-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        Self::of(
            UnixDatagram::bind_addr(&address).expect("it can be bound"),
            format!("@{name}"),
        )
    }

    fn of(socket: UnixDatagram, address: String) -> Self {
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("it can be set");
        Self { socket, address }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next message.
    #[track_caller]
    pub fn next(&self) -> String {
        self.within(PATIENCE).expect("it says something")
    }

    /// The next message that has this line; others are passed over.
    #[track_caller]
    pub fn hears(&self, line: &str) -> String {
        loop {
            let text = self.next();
            if text.lines().any(|said| said == line) {
                return text;
            }
        }
    }

    /// Messages so far are of no interest.
    pub fn forget(&self) {
        self.socket.set_nonblocking(true).expect("it can be set");
        let mut buffer = [0; 4096];
        while self.socket.recv(&mut buffer).is_ok() {}
        self.socket.set_nonblocking(false).expect("it can be set");
    }

    /// The next message, if one comes in this time.
    pub fn within(&self, time: Duration) -> Option<String> {
        self.socket
            .set_read_timeout(Some(time))
            .expect("it can be set");
        let mut buffer = [0; 4096];
        let mut received = self.socket.recv(&mut buffer);
        while matches!(&received, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
            received = self.socket.recv(&mut buffer);
        }
        match received {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Looks again and again until it is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not so far");
        thread::yield_now();
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// How often the worker began, and how often it ended as it should.
pub fn entries_and_finishes(queue: &Path) -> (usize, usize) {
    let history = fs::read_to_string(queue.join("history")).unwrap_or_default();
    let count = |what: &str| history.lines().filter(|l| l.starts_with(what)).count();
    (count("begin"), count("end"))
}
