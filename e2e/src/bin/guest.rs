//! Programs to guard in scenarios, one word each. `guest WORD ARGUMENT…`
//!
//! - `count EVERY_US [PROGRESS]`: writes numbered lines; the number also stands in the file PROGRESS.
//! - `die AFTER_MS`: exits after a while with a code that its pid determines: 1 + pid mod 100.
//! - `client HOST:PORT`: speaks to a redis server; exits 1 when it cannot connect or loses it.
//! - `beat`: reports in until the file `hang` appears in its directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["count", every] => count(every.parse()?, None),
        ["count", every, progress] => count(every.parse()?, Some(progress)),
        ["die", after] => {
            pass(Duration::from_millis(after.parse()?));
            let code = 1 + std::process::id() % 100;
            std::process::exit(i32::try_from(code)?)
        }
        ["client", address] => client(address),
        ["beat"] => beat(),
        _ => Err(format!("unknown words {words:?}").into()),
    }
}

fn count(every_us: u64, progress: Option<&str>) -> Outcome {
    let mut out = std::io::stdout().lock();
    for number in 1_u64.. {
        writeln!(out, "{number}")?;
        out.flush()?;
        if let Some(progress) = progress {
            std::fs::write(progress, number.to_string())?;
        }
        pass(Duration::from_micros(every_us));
    }
    Ok(())
}

fn client(address: &str) -> Outcome {
    let server = TcpStream::connect(address)?;
    let mut answers = BufReader::new(server.try_clone()?);
    let mut server = server;
    loop {
        server.write_all(b"PING\r\n")?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        if answer.trim() != "+PONG" {
            return Err(format!("the server said {answer:?}").into());
        }
        println!("{}", answer.trim());
        pass(Duration::from_millis(50));
    }
}

fn beat() -> Outcome {
    let name = std::env::var("ABIDE_UNIT")?;
    let url = std::env::var("ABIDE_HEARTBEAT_URL")?;
    let rest = url.strip_prefix("http://").ok_or("not http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let body = format!(r#"{{"service": "{name}"}}"#);
    loop {
        if std::fs::remove_file("hang").is_ok() {
            loop {
                std::thread::park();
            }
        }
        // A daemon that is killed while it is asked answers nothing: that is no reason to end.
        match report(host, path, &body) {
            Ok(answer) => println!("{}", answer.lines().next().unwrap_or_default()),
            Err(error) => println!("cannot report: {error}"),
        }
        pass(Duration::from_millis(100));
    }
}

fn report(host: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut api = TcpStream::connect(host)?;
    write!(
        api,
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    api.read_to_string(&mut answer)?;
    Ok(answer)
}

#[expect(
    clippy::disallowed_methods,
    reason = "working at a pace is what these programs do"
)]
fn pass(time: Duration) {
    std::thread::sleep(time);
}
