//! Writes a numbered line every 5 ms: whoever reads its log sees at once if one is missing or double.

use std::io::Write;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(5);

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for number in 1_u64.. {
        writeln!(out, "{number}")?;
        out.flush()?;
        pause();
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
