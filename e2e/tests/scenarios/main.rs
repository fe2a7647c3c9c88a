//! End-to-end scenarios: the real binary in a home of its own, real programs, real faults.
//! One file a scenario; the harness is the library of this crate.

mod api_contract;
mod api_doors;
mod bad_input;
mod both_killed;
mod clean_start;
mod closed_terminal;
mod daemon_killed;
mod escapees;
mod everyday;
mod few_descriptors;
mod foreground;
mod full_disk;
mod gap;
mod health;
mod heartbeats;
mod hooks;
mod hung_disk;
mod idle;
mod keeper_killed;
mod library;
mod load;
mod log_reading;
mod notify;
mod os_state;
mod python_beats;
mod quiet_units;
mod recording;
mod redis_chain;
mod remembered;
mod remotes;
mod sockets;
mod stopping;
mod system_logs;
mod three_hundred;
mod two_hundred;
mod upgrade;
mod upgrade_under_load;
mod web_survives_kill;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use abide_e2e::{Home, home, skip, wait};
use serde_json::Value;

/// The programs that scenarios guard.
fn guest() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_guest"))
}

/// A redis server. Debian's package redis-tools has one, too: it is one file, and looks at its own name.
fn redis_server(home: &Home) -> Option<PathBuf> {
    skip::program("redis-server").or_else(|| {
        let check = skip::program("redis-check-rdb")?;
        let server = home.path("bin").join("redis-server");
        symlink(check, &server).expect("the link can be made");
        Some(server)
    })
}

/// The main process of every unit.
fn pids(home: &Home) -> BTreeMap<String, u32> {
    let units = wait::until("the daemon answers", wait::GENEROUS, || home.units());
    let named = units.iter().map(|unit| {
        let name = unit["name"].as_str().expect("a name");
        (name.to_owned(), home::pid(unit))
    });
    named.collect()
}

/// How many lines `guest count` says in its file of progress that it has written.
fn written(progress: &Path) -> u64 {
    let said = std::fs::read_to_string(progress).ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A port of the loopback that nobody uses, and that nobody gets who asks the kernel for any: it gives away those from
/// 32768 on (ip_local_port_range), to listeners and to clients. No two scenarios get the same.
fn free_port() -> u16 {
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test programs that run at once do not begin at the same one.
    let first = std::process::id().wrapping_mul(101);
    let mut ports = (0..PORTS).map(|_| {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        u16::try_from(10_000 + next).expect("below 32768")
    });
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("the loopback has free ports")
}

/// All events of a home so far, as `GET /v1/events` streams them.
#[track_caller]
fn events(home: &Home) -> Vec<Value> {
    let answer = home
        .api()
        .get("/v1/events?after=0&follow=false")
        .expect("the daemon answers");
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"));
    data.map(|line| serde_json::from_str(line).expect("an event is a JSON document"))
        .collect()
}

/// The numbers of a counter's log; a half-written last line does not count.
#[track_caller]
fn numbers(home: &Home, unit: &str) -> Vec<u64> {
    let text = home.ok(&["logs", unit, "-n", "all", "--format", "raw"]);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| {
            line.parse()
                .unwrap_or_else(|_| panic!("{line:?} is no numbered line"))
        })
        .collect()
}

/// Insists that numbers follow each other from 1.
#[track_caller]
fn assert_none_missing(numbers: &[u64]) {
    for (expected, number) in (1..).zip(numbers) {
        assert_eq!(*number, expected, "after {} lines", expected - 1);
    }
}
