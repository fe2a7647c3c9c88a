//! A worker that says twice a second that it still works, until a file named `hang` appears in its
//! working directory: then it hangs, as programs do: alive for the OS, and doing nothing.
//!
//! The beat is one POST of the name in `ABIDE_UNIT` to the URL in `ABIDE_HEARTBEAT_URL`, so it needs
//! no library.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

const EVERY: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("ABIDE_HEARTBEAT_URL")
        .map_err(|_| "ABIDE_HEARTBEAT_URL is not set; is `heartbeat` in the configuration?")?;
    let name = std::env::var("ABIDE_UNIT")?;
    println!("beating to {url}");
    loop {
        // Taking the file away leaves the next run a clean start.
        if std::fs::remove_file(Path::new("hang")).is_ok() {
            println!("hanging now");
            loop {
                std::thread::park();
            }
        }
        beat(&url, &name)?;
        pause();
    }
}

fn beat(url: &str, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("the heartbeat URL is not http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs();
    let body = format!(r#"{{"service": "{name}", "ts": {now}}}"#);
    let mut api = TcpStream::connect(host)?;
    write!(
        api,
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    api.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    if !status.contains(" 20") {
        println!("the beat was not taken: {status}");
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "working at a pace is what this program does"
)]
fn pause() {
    std::thread::sleep(EVERY);
}
