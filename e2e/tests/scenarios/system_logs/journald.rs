//! A real journald, alone in a mount namespace with a `/run` of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use abide_e2e::{Home, skip, wait};
use serde_json::Value;

const PROGRAM: &str = "/lib/systemd/systemd-journald";

struct Journald(Child);

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Journald {
    /// Starts it, if that can be done here.
    fn start() -> Result<Self, String> {
        if !skip::is_root() {
            return Err("a journald of its own needs root".into());
        }
        if !PathBuf::from(PROGRAM).is_file() || skip::program("journalctl").is_none() {
            return Err("there is no systemd-journald (package systemd)".into());
        }
        let script = format!(
            "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && mkdir -p /run/systemd/journal /run/log/journal && \
             echo 0123456789abcdef0123456789abcdef > /run/machine-id && mount --bind /run/machine-id /etc/machine-id && exec {PROGRAM}"
        );
        let child = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut this = Self(child);
        let socket = this.socket();
        let there = wait::try_until("journald listens", wait::GENEROUS, || {
            let ended = this.0.try_wait().ok().flatten();
            (ended.is_some() || socket.exists()).then_some(ended.is_none())
        });
        match there {
            Ok(true) => Ok(this),
            Ok(false) => Err("journald does not run in a mount namespace here".into()),
            Err(why) => Err(why),
        }
    }

    /// Its socket, seen from outside.
    fn socket(&self) -> PathBuf {
        format!("/proc/{}/root/run/systemd/journal/socket", self.0.id()).into()
    }

    /// All entries of a service.
    fn entries(&self, service: &str) -> Vec<Value> {
        let output = Command::new("nsenter")
            .args(["--mount", "--target", &self.0.id().to_string()])
            .args(["journalctl", "-o", "json", "--all", "--no-pager"])
            .arg(format!("SERVICE_NAME={service}"))
            .output()
            .expect("journalctl can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let entries = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        entries.collect()
    }
}

#[test]
fn journald_shows_the_fields_and_takes_an_entry_of_a_megabyte() {
    let journald = match Journald::start() {
        Ok(journald) => journald,
        Err(why) => return skip::skip("system_logs::journald", &why),
    };
    let home = Home::new("syslog-journald");
    let program = r#"printf '{"level":"warn","msg":"two\\nlines ä","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","time":1769868301234}\n'; head -c 1048576 /dev/zero | tr '\0' x; echo; exec sleep 1000"#;
    home.write("program.sh", program);
    home.write(
        "abide.toml",
        &format!(
            "[service.web]\ncommand = [\"sh\", \"program.sh\"]\nsystem_log = {{ to = \"journald://{}\", output = true }}\n",
            journald.socket().display()
        ),
    );
    home.ok(&["up"]);
    let entries = wait::until("all of it is in the journal", wait::GENEROUS, || {
        let entries = journald.entries("web");
        let output = entries
            .iter()
            .filter(|entry| entry["MESSAGE_KIND"] == "stdout")
            .count();
        let started = entries
            .iter()
            .any(|entry| entry["MESSAGE_KIND"] == "started");
        (output == 2 && started).then_some(entries)
    });
    let lifted = entries
        .iter()
        .find(|entry| entry["MESSAGE"] == "two\nlines ä")
        .expect("it is there");
    assert_eq!(lifted["PRIORITY"], "4");
    assert_eq!(lifted["EVENT_SEVERITY"], "4");
    assert_eq!(lifted["TRACE_ID"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(lifted["TIMESTAMP"], "1769868301234");
    assert_eq!(lifted["SYSLOG_IDENTIFIER"], "web");
    let instance = lifted["INSTANCE_ID"].as_str().expect("a text");
    assert!(instance.starts_with("web/1/"), "{instance}");
    assert!(
        lifted["LINE"]
            .as_str()
            .is_some_and(|line| line.starts_with("{\"level\""))
    );
    let large = entries.iter().filter_map(|entry| entry["MESSAGE"].as_str());
    assert!(large.map(str::len).any(|length| length == 1 << 20));
    let started = entries
        .iter()
        .find(|entry| entry["MESSAGE_KIND"] == "started")
        .expect("it is there");
    assert_eq!(started["EVENT_ID"], "4");
    assert_eq!(started["MESSAGE_ID"], "b2c1f7a85d0e4c639e417a3d90f40004");
}
