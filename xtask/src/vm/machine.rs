//! One boot of the machine: its console is shown, and its last line is the verdict.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::image::Image;
use super::packages::Packages;

/// Boots, and waits until it has switched itself off. `words` go to init, on the kernel's command line.
///
/// # Errors
/// A test in it failed, it never said how they went, or it took too long.
pub fn boot(
    packages: &Packages,
    image: &Image,
    groups: &str,
    words: &str,
    within: Duration,
) -> Result<(), String> {
    let mut qemu = Command::new("qemu-system-x86_64");
    // No KVM: where it is offered to a container it often does not work.
    qemu.args(["-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp", "2"]);
    qemu.args([
        "-nodefaults",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-no-reboot",
    ]);
    qemu.arg("-kernel").arg(&packages.kernel);
    qemu.arg("-initrd").arg(&image.archive);
    qemu.arg("-drive").arg(format!(
        "file={},format=raw,if=virtio,cache=unsafe",
        image.disk.display()
    ));
    qemu.arg("-append").arg(format!(
        "console=ttyS0 quiet panic=-1 random.trust_cpu=on {words}"
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
    let deadline = Instant::now() + within;
    let mut verdict = Err("the machine switched off before the tests had ended".to_owned());
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("  {groups:<4} | {line}");
                if let Some(failed) = line.strip_prefix(&format!("vm: {groups}: failed=")) {
                    verdict = match failed {
                        "0" => Ok(()),
                        _ => Err("tests failed, see above".to_owned()),
                    };
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                drop(machine);
                let seconds = within.as_secs();
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
