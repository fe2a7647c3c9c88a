//! What the quickstart claims, and how each claim is checked.

use std::io::{Read, Write};
use std::net::TcpStream;

use abide_e2e::wait;
use serde_json::Value;

use super::stage_set::Demo;

/// The units of the quickstart.
const UNITS: [&str; 3] = ["page", "worker", "counter"];

/// Keeps count.
#[derive(Default)]
pub struct Claims {
    all: u32,
    held: u32,
}

impl Claims {
    /// Prints whether a claim held, and by which figures.
    pub fn check(&mut self, claim: &str, outcome: Result<String, String>) {
        self.all += 1;
        match outcome {
            Ok(figures) => {
                self.held += 1;
                println!("  ✓ {claim}: {figures}\n");
            }
            Err(why) => println!("  ✗ {claim}: NO: {why}\n"),
        }
    }

    /// # Errors
    /// Not all held.
    pub fn sum_up(&self) -> Result<(), String> {
        println!("{} of {} claims held\n", self.held, self.all);
        if self.held == self.all {
            Ok(())
        } else {
            Err("a claim did not hold".to_owned())
        }
    }
}

fn is_up(unit: &Value) -> bool {
    unit["state"] == "running" && unit["ready"] == true
}

fn number(value: &Value, what: &str) -> Result<u64, String> {
    value
        .as_u64()
        .ok_or_else(|| format!("the API says no {what}: {value}"))
}

fn pids(demo: &Demo) -> Result<Vec<u64>, String> {
    UNITS
        .iter()
        .map(|name| number(&demo.unit(name)?["pid"], "pid"))
        .collect()
}

/// `up` has returned: is everything up?
pub fn up(demo: &Demo) -> Result<String, String> {
    let mut figures = Vec::new();
    for name in UNITS {
        let unit = demo.unit(name)?;
        if !is_up(&unit) {
            return Err(format!("{name} is {}", unit["state"]));
        }
        figures.push(format!("{name} pid {}", number(&unit["pid"], "pid")?));
    }
    Ok(format!(
        "{}; the page says {:?}",
        figures.join(", "),
        fetch(demo.page())?
    ))
}

/// Kills the page.
pub fn killed(demo: &Demo) -> Result<String, String> {
    let before = demo.unit("page")?;
    let old = number(&before["pid"], "pid")?;
    demo.kill(old, "the page")?;
    let after = demo.wait_for("page", "is back", |unit| {
        is_up(unit) && unit["pid"] != before["pid"]
    })?;
    let signal = after["last_exit"]["signal"].as_str().unwrap_or("nothing");
    if signal != "SIGKILL" {
        return Err(format!(
            "the last exit should be SIGKILL, the API says {signal}"
        ));
    }
    if number(&after["restarts"], "restarts")? != number(&before["restarts"], "restarts")? + 1 {
        return Err(format!(
            "restarts should have grown by 1, the API says {}",
            after["restarts"]
        ));
    }
    let exit = millis(&after["last_exit"]["at"])?;
    let spawned = span(exit, millis(&after["started_at"])?);
    let ready = span(exit, millis(&after["state_since"])?);
    Ok(format!(
        "pid {old} → {}, started again in {spawned:.1} ms, serving in {ready:.1} ms; last exit: {}; the page says {:?}",
        after["pid"],
        after["last_exit"]["reason"],
        fetch(demo.page())?
    ))
}

/// Makes the worker hang.
pub fn hung(demo: &Demo) -> Result<String, String> {
    let before = demo.unit("worker")?;
    println!(
        "$ touch {}        # the worker sees it, and hangs",
        demo.folder().join("hang").display()
    );
    std::fs::write(demo.folder().join("hang"), "")
        .map_err(|error| format!("cannot make it hang: {error}"))?;
    let after = demo.wait_for("worker", "is replaced", |unit| {
        is_up(unit) && unit["pid"] != before["pid"]
    })?;
    Ok(format!(
        "pid {} → {}; last exit: {}",
        before["pid"], after["pid"], after["last_exit"]["reason"]
    ))
}

/// Kills the daemon.
pub fn daemon_killed(demo: &Demo) -> Result<String, String> {
    let before = pids(demo)?;
    let daemon = number(&demo.ask("/v1/daemon")?["pid"], "pid of the daemon")?;
    let written = last_line(demo)?;
    demo.kill(daemon, "abide itself")?;
    let successor = demo.wait_for_other_daemon(daemon)?;
    let after = pids(demo)?;
    if before != after {
        return Err(format!("the programs were {before:?} and are {after:?}"));
    }
    wait::try_until("the counter's output goes on", wait::GENEROUS, || {
        last_line(demo).ok().filter(|line| *line > written + 100)
    })?;
    Ok(format!(
        "abide is pid {daemon} → {successor}, the programs are still {after:?}"
    ))
}

fn last_line(demo: &Demo) -> Result<u64, String> {
    let log = demo.log("counter")?;
    // The last line may still be on its way.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .rsplit('\n')
        .next()
        .and_then(|line| line.parse().ok())
        .ok_or_else(|| "the counter has no lines".to_owned())
}

/// Counts the counter's lines.
pub fn lines(demo: &Demo) -> Result<String, String> {
    let log = demo.log("counter")?;
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut expected = 1;
    for line in whole.lines() {
        if line.parse() != Ok(expected) {
            return Err(format!(
                "line {expected} should come next, there is {line:?}"
            ));
        }
        expected += 1_u64;
    }
    let lost = number(&demo.unit("counter")?["log"]["bytes_lost"], "lost bytes")?;
    if lost > 0 || expected < 100 {
        return Err(format!("{} lines, {lost} bytes lost", expected - 1));
    }
    Ok(format!("lines 1 to {} are there, once each", expected - 1))
}

fn fetch(address: &str) -> Result<String, String> {
    let failed = |error| format!("the page at {address} does not answer: {error}");
    let mut connection = TcpStream::connect(address).map_err(failed)?;
    write!(
        connection,
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .map_err(failed)?;
    let mut text = String::new();
    connection.read_to_string(&mut text).map_err(failed)?;
    Ok(text
        .rsplit("\r\n")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned())
}

const DAY: f64 = 86_400_000.0;

/// Milliseconds into the day of an RFC 3339 time in UTC.
fn millis(time: &Value) -> Result<f64, String> {
    let text = time
        .as_str()
        .ok_or_else(|| format!("the API says no time: {time}"))?;
    let clock = text
        .split_once('T')
        .map(|(_, clock)| clock.trim_end_matches('Z'));
    let mut parts = clock
        .into_iter()
        .flat_map(|clock| clock.split(':'))
        .map(str::parse::<f64>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(hours)), Some(Ok(minutes)), Some(Ok(seconds))) => {
            Ok(((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0)
        }
        _ => Err(format!("{text:?} is no time")),
    }
}

/// From one time of day to the next, also over midnight.
fn span(from: f64, to: f64) -> f64 {
    (to - from).rem_euclid(DAY)
}
