//! The terminal that started it closes; it goes on.

use std::process::Command;

use abide_e2e::{Home, processes, skip, wait};

#[test]
fn a_guarded_program_outlives_the_terminal_that_started_it() {
    let Some(script) = skip::program("script") else {
        return skip::skip(
            "closed_terminal",
            "there is no `script` to make a terminal with",
        );
    };
    let home = Home::new("terminal");
    // `script` runs the command on a terminal of its own and takes that terminal away at the end:
    // whoever still is in its session is hung up.
    let mut command = Command::new(script);
    command
        .args([
            "-qec",
            "bin/abide run --name stay -- sleep 1000",
            "/dev/null",
        ])
        .current_dir(home.path("."))
        .env("ABIDE_HOME", home.home())
        .stdin(std::process::Stdio::null());
    let ended = home.finish(command, "script -c 'abide run …'").expect(0);
    let pid = home.wait_running("stay");
    let keeper = home.keeper().expect("the daemon has a parent");
    for process in [pid, keeper] {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let terminal = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(4));
        assert_eq!(
            terminal,
            Some("0"),
            "process {process} has a terminal; {}",
            ended.stdout
        );
    }
    wait::let_pass(std::time::Duration::from_millis(300));
    assert!(processes::lives(pid) && processes::lives(keeper));
    assert_eq!(home.unit("stay").expect("it is there")["restarts"], 0);
}
