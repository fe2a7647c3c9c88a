//! One lifecycle by the program's own subcommands; entries and clean finishes are counted.

use std::path::Path;
use std::process::Command;

use crate::harness::{example, lines, may_make_services, until};

/// In seconds, as the harness's patience.
const WITHIN: &str = "120";

/// The worker's subcommand, which must end with this code; what it says.
#[track_caller]
fn worker(words: &[&str], code: i32) -> String {
    let done = Command::new(example("worker"))
        .args(words)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{words:?}: {said}{errors}");
    said
}

fn entries_and_finishes(queue: &Path) -> (usize, usize) {
    let history = lines(&queue.join("history"));
    let count = |what: &str| history.iter().filter(|l| l.starts_with(what)).count();
    (count("begin"), count("end"))
}

/// Stopped and removed also when the test failed half-way.
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        let _gone = Command::new(example("worker")).arg("uninstall").output();
    }
}

#[test]
fn each_start_is_an_entry_and_each_stop_a_clean_finish() {
    let Some(_alone) = may_make_services("each_start_is_an_entry_and_each_stop_a_clean_finish")
    else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let queue = folder.path().join("a queue");
    worker(&["status"], 4);
    worker(&["install", "--", queue.to_str().expect("text")], 0);
    let _installed = Installed;
    worker(&["status"], 3);
    assert_eq!(entries_and_finishes(&queue), (0, 0));
    worker(&["start", "--timeout", WITHIN], 0);
    assert_eq!(entries_and_finishes(&queue), (1, 0));
    worker(&["status"], 0);
    worker(&["restart", "--timeout", WITHIN], 0);
    assert_eq!(entries_and_finishes(&queue), (2, 1));

    // It works.
    let job = queue.join("one");
    let given = std::fs::write(&job, "four words to count")
        .and_then(|()| std::fs::rename(&job, queue.join("jobs").join("one")));
    given.expect("a job");
    until(
        || lines(&queue.join("done").join("one")),
        |done| done == &["4"],
    );
    worker(&["stop", "--timeout", WITHIN], 0);
    assert_eq!(entries_and_finishes(&queue), (2, 2));
    worker(&["status"], 3);
    worker(&["uninstall", "--timeout", WITHIN], 0);
    worker(&["status"], 4);
}
