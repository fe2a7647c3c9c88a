//! `system_log`: events and output in the system's own logs, with the real receivers.

mod journald;
mod rsyslog;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use abide_e2e::{Home, wait};
use serde_json::Value;

use crate::{events, guest, numbers};

/// A journald that only listens: the fields of each entry, as they come. Values with newlines are not sent here.
struct Listener(UnixDatagram);

impl Listener {
    fn at(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path("journal.sock")).expect("bound");
        let patience = Duration::from_millis(500);
        socket.set_read_timeout(Some(patience)).expect("set");
        Self(socket)
    }

    fn next(&self) -> Option<BTreeMap<String, String>> {
        let mut bytes = [0; 4096];
        let got = self.0.recv(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes[..got]).into_owned();
        let fields = text.lines().filter_map(|line| line.split_once('='));
        Some(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Has all that comes looked at, until it is enough.
    #[track_caller]
    fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(BTreeMap<String, String>) -> Option<T>,
    ) -> T {
        wait::until(what, wait::GENEROUS, || {
            while let Some(fields) = self.next() {
                if let Some(found) = look(fields) {
                    return Some(found);
                }
            }
            None
        })
    }
}

fn standing(home: &Home) -> Value {
    let daemon = home.api().get("/v1/daemon").expect("the daemon answers");
    let daemon: Value = serde_json::from_str(&daemon.body).expect("JSON");
    daemon["system_logs"].clone()
}

#[test]
fn every_line_is_sent_once_but_for_one_at_each_death_of_the_daemon() {
    let home = Home::new("syslog-deaths");
    let guest = home.bring(guest());
    let listener = Listener::at(&home);
    let socket = home.path("journal.sock");
    home.write(
        "abide.toml",
        &format!(
            "[service.counter]\ncommand = [\"{}\", \"count\", \"2000\"]\nlog = {{ max_size = \"4K\", keep = 1000 }}\n\
             system_log = {{ to = \"journald://{}\", output = true }}\n",
            guest.display(),
            socket.display()
        ),
    );
    home.ok(&["up"]);
    let deaths = 5;
    let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
    let mut kinds = Vec::new();
    let mut hear = |until: u64| {
        listener.until("what was written is heard", |fields| {
            if fields["MESSAGE_KIND"] != "stdout" {
                kinds.push(fields["MESSAGE_KIND"].clone());
                return None;
            }
            assert_eq!(fields["SERVICE_NAME"], "counter");
            assert!(
                fields["INSTANCE_ID"].starts_with("counter/1/"),
                "{fields:?}"
            );
            let number = fields["MESSAGE"].parse().expect("a number");
            *seen.entry(number).or_default() += 1;
            (number >= until).then_some(())
        });
        seen.len() as u64
    };
    let mut heard = hear(200);
    for _ in 0..deaths {
        home.kill_daemon();
        heard = hear(heard + 200);
    }
    home.ok(&["stop", "counter"]);
    let written = numbers(&home, "counter");
    hear(*written.last().expect("it wrote"));
    assert!(seen.keys().eq(written.iter()), "something is missing");
    let doubled = seen.values().filter(|times| **times > 1).count();
    assert!(doubled <= deaths, "{doubled} of {} twice", written.len());
    for kind in ["added", "started"] {
        assert!(
            kinds.iter().any(|heard| heard == kind),
            "{kind} in {kinds:?}"
        );
    }
}

#[test]
fn a_receiver_that_is_away_holds_up_nobody_and_what_is_deleted_meanwhile_is_counted() {
    let home = Home::new("syslog-away");
    let guest = home.bring(guest());
    let socket = home.path("journal.sock");
    home.write(
        "abide.toml",
        &format!(
            "[service.counter]\ncommand = [\"{}\", \"count\", \"200\"]\nlog = {{ max_size = \"4K\", keep = 2 }}\n\
             system_log = {{ to = \"journald://{}\", output = true }}\n",
            guest.display(),
            socket.display()
        ),
    );
    home.ok(&["up"]);
    wait::until("it is said that it is away", wait::GENEROUS, || {
        let said = |event: &Value| event["event"] == "system_log_away";
        events(&home).iter().any(said).then_some(())
    });
    wait::until("far more was written than is kept", wait::GENEROUS, || {
        let last = home.ok(&["logs", "counter", "-n", "1", "--format", "raw"]);
        let last = last.trim().parse::<u64>().ok();
        last.filter(|last| *last > 20_000)
    });
    assert!(standing(&home)[0]["away"].is_string());
    let listener = Listener::at(&home);
    // The first line behind the gap may have lost its beginning, so that it looks like another number.
    let mut heard: Vec<u64> = Vec::new();
    let next = listener.until("the gap is passed", |fields| {
        if fields["MESSAGE_KIND"] == "stdout" {
            // Of the first one behind the gap there may be nothing but its end.
            heard.push(fields["MESSAGE"].parse().unwrap_or(0));
        }
        let after = heard.windows(2).find(|pair| pair[1] == pair[0] + 1)?;
        Some(after[0])
    });
    let missing: u64 = (1..next).map(|n| n.to_string().len() as u64 + 1).sum();
    let lost = wait::until("it is counted", wait::GENEROUS, || {
        standing(&home)[0]["lost_bytes"]
            .as_u64()
            .filter(|lost| *lost > 0)
    });
    // A segment may begin or end in the middle of a line.
    assert!(
        lost.abs_diff(missing) < 100,
        "{lost} counted, {missing} missing"
    );
    let told = |event: &Value| event["event"] == "system_log_lost";
    assert!(events(&home).iter().any(told));
    let metrics = home.api().get("/metrics").expect("the daemon answers");
    assert!(
        metrics
            .body
            .contains("abide_system_log_lost_bytes_total{to=\"journald://")
    );
}

#[test]
fn who_sends_nothing_has_no_thread_for_it() {
    let home = Home::new("syslog-none");
    let threads = || {
        let daemon = home.daemon().expect("there is a daemon");
        let tasks = std::fs::read_dir(format!("/proc/{daemon}/task")).expect("read");
        let name = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("comm")).unwrap_or_default()
        };
        let names: Vec<String> = tasks.flatten().map(name).collect();
        names
            .iter()
            .filter(|name| name.trim() == "system-log")
            .count()
    };
    let unit = "[service.quiet]\ncommand = \"sleep 1000\"\n";
    home.write("abide.toml", unit);
    home.ok(&["up"]);
    assert_eq!(threads(), 0);
    let to = home.path("nobody.sock");
    let sent = format!("{unit}system_log = \"journald://{}\"\n", to.display());
    home.write("abide.toml", &sent);
    home.ok(&["up"]);
    // It calls itself so when it has begun.
    wait::until("there is a thread", wait::GENEROUS, || {
        (threads() == 1).then_some(())
    });
    home.write("abide.toml", unit);
    home.ok(&["up"]);
    wait::until("the thread is gone", wait::GENEROUS, || {
        (threads() == 0).then_some(())
    });
}
