//! `abide logs`: over rotated and compressed segments, merged, and followed.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use abide_e2e::{Home, wait};

use crate::{assert_none_missing, guest, numbers};

#[test]
fn following_shows_every_line_across_rotations() {
    let home = Home::new("follow");
    let guest = home.bring(guest());
    home.write(
        "abide.toml",
        &format!(
            "[service.counter]\ncommand = [\"{}\", \"count\", \"500\"]\nlog = {{ max_size = \"4K\", keep = 1000 }}\n",
            guest.display()
        ),
    );
    home.ok(&["up"]);
    let mut follow = home.command(&["logs", "counter", "-f", "-n", "10", "--format", "raw"]);
    let mut reader = follow
        .stdout(Stdio::piped())
        .spawn()
        .expect("abide can be run");
    let lines = BufReader::new(reader.stdout.take().expect("stdout is a pipe")).lines();
    let seen: Vec<u64> = lines
        .take(5000)
        .map(|line| {
            line.expect("the line is text")
                .parse()
                .expect("the line is a number")
        })
        .collect();
    let killed = reader.kill();
    let _ = reader.wait();
    killed.expect("the reader was still there");
    for pair in seen.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "the reader missed or doubled a line");
    }
    assert_none_missing(&numbers(&home, "counter"));
    let segments = std::fs::read_dir(home.home().join("logs/counter"))
        .expect("there are segments")
        .count();
    assert!(segments > 2, "nothing was rotated");
}

#[test]
fn lines_that_no_one_expects_are_kept_byte_for_byte() {
    let home = Home::new("bytes");
    let program = r"printf 'caf\351\n\n'; head -c 1000000 /dev/zero | tr '\0' x; printf '\nno newline at the end'; exec sleep 1000";
    home.ok(&["run", "--name", "odd", "--", "sh", "-c", program]);
    let mut wanted = b"caf\xe9\n\n".to_vec();
    wanted.extend(std::iter::repeat_n(b'x', 1_000_000));
    wanted.extend(b"\nno newline at the end");
    wait::until("the bytes are there", wait::GENEROUS, || {
        let output = home
            .command(&["logs", "odd", "-n", "100", "--format", "raw"])
            .output()
            .ok()?;
        let bytes = output
            .stdout
            .strip_suffix(b"\n")
            .unwrap_or(&output.stdout)
            .to_vec();
        (bytes == wanted).then_some(())
    });
}

#[test]
fn two_units_are_merged_by_time() {
    let home = Home::new("merged");
    home.write(
        "abide.toml",
        r#"
[service.a]
command = "echo from a; exec sleep 1000"
shell = true
ready = { log = "from a" }

[service.b]
command = "echo from b; exec sleep 1000"
shell = true
requires = ["a"]
"#,
    );
    home.ok(&["up"]);
    wait::until("both lines are there", wait::GENEROUS, || {
        let text = home.ok(&["logs", "a", "b"]);
        let (a, b) = (text.find("from a")?, text.find("from b")?);
        (a < b).then_some(())
    });
}
