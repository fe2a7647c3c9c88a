//! A small tmpfs under a unit's log fills up: the unit runs on, and so do the logs of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use abide_e2e::{Home, skip, wait};

use crate::{events, guest, numbers, written};

/// A mounted tmpfs, gone at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|error| format!("cannot make {}: {error}", at.display()))?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status();
        match mounted {
            Ok(status) if status.success() => Ok(Self(at.to_owned())),
            other => Err(format!("cannot mount a tmpfs: {other:?}")),
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may hold a file in it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_no_program_and_its_loss_is_counted() {
    if !skip::is_root() {
        return skip::skip("full_disk", "mounting a tmpfs needs root");
    }
    let home = Home::new("full");
    let guest = home.bring(guest());
    let logs = home.home().join("logs/writer");
    let tmpfs = match Tmpfs::mount(&logs, "1m") {
        Ok(tmpfs) => tmpfs,
        Err(why) => return skip::skip("full_disk", &why),
    };
    let progress = home.path("progress");
    home.write(
        "abide.toml",
        &format!(
            "[service.writer]\ncommand = [\"{0}\", \"count\", \"100\", \"{1}\"]\n\n[service.other]\ncommand = [\"{0}\", \"count\", \"5000\"]\n",
            guest.display(),
            progress.display()
        ),
    );
    home.ok(&["up"]);
    let pid = home.wait_running("writer");
    let written = || written(&progress);
    wait::until("its log has begun", wait::GENEROUS, || {
        (numbers(&home, "writer").len() > 20).then_some(())
    });

    let filler = logs.join("filler");
    fill(&filler);
    home.wait_for("writer", "tells of its loss", |unit| {
        unit["log"]["bytes_lost"]
            .as_u64()
            .is_some_and(|lost| lost > 0)
    });
    let before = written();
    wait::until("the writer goes on", wait::GENEROUS, || {
        (written() > before + 1000).then_some(())
    });
    let others = numbers(&home, "other").len();
    wait::until("the other unit's log goes on", wait::GENEROUS, || {
        (numbers(&home, "other").len() > others + 50).then_some(())
    });
    assert!(
        events(&home)
            .iter()
            .any(|event| event["event"] == "log_lost" && event["unit"] == "writer")
    );

    fs::remove_file(&filler).expect("the filler can go");
    let then = written();
    wait::until("logging has resumed", wait::GENEROUS, || {
        numbers_leniently(&home)
            .iter()
            .any(|number| *number > then + 100)
            .then_some(())
    });
    home.wait_for("writer", "is out of trouble", |unit| {
        unit["log"]["trouble"].is_null()
    });
    assert!(
        events(&home)
            .iter()
            .any(|event| event["event"] == "log_resumed" && event["unit"] == "writer")
    );
    assert_eq!(home.wait_running("writer"), pid, "the writer was restarted");
    home.ok(&["down"]);
    drop(tmpfs);
}

/// Where bytes were lost a line may be cut.
fn numbers_leniently(home: &Home) -> Vec<u64> {
    let text = home.ok(&["logs", "writer", "-n", "all", "--format", "raw"]);
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).expect("the filler can be made");
    let block = [b'f'; 4096];
    while file.write_all(&block).is_ok() {}
    let _ = file.write_all(&[b'f'; 1]);
}
