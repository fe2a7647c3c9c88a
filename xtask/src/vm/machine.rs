//! One boot of the machine: its console is shown, and its last line is the verdict.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::image::Image;
use super::kind::Kind;
use super::packages::Packages;

/// One boot.
pub struct Boot<'a> {
    pub kind: &'a Kind,
    pub packages: &'a Packages,
    pub image: &'a Image,
    /// What is said before each line of the console.
    pub name: &'static str,
    /// In MiB.
    pub memory: u32,
    /// For init, on the kernel's command line.
    pub words: String,
    /// How long it may take.
    pub within: Duration,
}

/// Boots, and waits until it has switched itself off.
///
/// # Errors
/// A test in it failed, it never said how they went, or it took too long.
pub fn boot(boot: &Boot<'_>) -> Result<(), String> {
    let mut qemu = Command::new(boot.kind.qemu);
    qemu.args(boot.kind.board);
    qemu.args(["-accel", "tcg", "-smp", "2", "-m"]);
    qemu.arg(boot.memory.to_string());
    qemu.args([
        "-nodefaults",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-no-reboot",
    ]);
    qemu.arg("-kernel").arg(&boot.packages.kernel);
    qemu.arg("-initrd").arg(&boot.image.archive);
    qemu.arg("-drive").arg(format!(
        "file={},format=raw,if=virtio,cache=unsafe",
        boot.image.disk.display()
    ));
    qemu.arg("-append").arg(format!(
        "console={} quiet panic=-1 random.trust_cpu=on {}",
        boot.kind.console, boot.words
    ));
    let child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut machine = Machine(child.map_err(|error| format!("cannot run qemu: {error}"))?);
    let console = machine.0.stdout.take().ok_or("qemu has no console")?;

    let (said, lines) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            // Nobody listens any more when its time was over.
            if said.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + boot.within;
    let mut verdict = Err("the machine switched off before the tests had ended".to_owned());
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("  {:<5} | {line}", boot.name);
                if let Some(failed) = line.strip_prefix(&format!("vm: {}: failed=", boot.name)) {
                    verdict = match failed {
                        "0" => Ok(()),
                        _ => Err("tests failed, see above".to_owned()),
                    };
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                drop(machine);
                let seconds = boot.within.as_secs();
                return Err(format!(
                    "the machine was ended: it took longer than {seconds} s (--within)"
                ));
            }
        }
    }
    // It has closed its console, which is the last thing that it does.
    let _ = reader.join();
    let status = machine
        .0
        .wait()
        .map_err(|error| format!("cannot wait for qemu: {error}"))?;
    if status.success() {
        verdict
    } else {
        Err(format!("qemu ended with {status}"))
    }
}

/// Ended with us, whatever happens.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
