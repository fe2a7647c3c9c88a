//! `abide daemon`: keeper and daemon in the foreground, as service managers and containers want it.

use std::process::Stdio;

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

#[test]
fn in_the_foreground_it_ends_when_it_is_told_to_and_says_how_it_went() {
    let home = Home::new("foreground");
    home.write("abide.toml", "[service.stay]\ncommand = \"sleep 1000\"\n");
    let mut child = home
        .command(&["daemon", "abide.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("abide can be run");
    let pid = home.wait_running("stay");
    assert_eq!(
        home.keeper(),
        Some(child.id()),
        "the process in front is the keeper"
    );
    home.kill_daemon();
    assert_eq!(home.wait_running("stay"), pid);
    processes::signal(child.id(), Signal::TERM);
    let status = wait::until("it ends", wait::GENEROUS, || {
        child.try_wait().ok().flatten()
    });
    assert!(status.success(), "{status}");
    assert!(!processes::lives(pid));
    assert_eq!(home.processes(), []);
}
